"""Firefox's small translation models: their file format, their graph, and the search in it."""
