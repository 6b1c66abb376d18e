"""What livedub costs and how well it does, measured."""
