"""eSpeak NG."""
