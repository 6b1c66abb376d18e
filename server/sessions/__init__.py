"""Dubbing sessions of the daemon and of the command line, and what is reported of them."""
