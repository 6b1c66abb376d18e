"""What carries items between tasks and threads."""
