"""Where model weights come from: a path, a package or a hub."""
