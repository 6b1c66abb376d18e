"""Fine-tuning XTTSv2 on clips of one speaker."""
