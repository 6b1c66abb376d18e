"""Many files dubbed at once: what they are called, who dubs them, and what became of them."""
