"""Where a session goes beside its viewers: pushes and recordings."""
