"""Which engines serve which languages, with which weights, and what of them is here."""
