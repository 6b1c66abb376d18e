"""Composition: configuration, sessions, the command line."""
