"""What every language stage knows of written text."""
