"""A live source and the feed of what it becomes."""
