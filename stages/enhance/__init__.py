"""Speech taken out of the sound around it."""
