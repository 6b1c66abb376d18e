"""XTTSv2 with cloned voices."""
