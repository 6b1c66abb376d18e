"""Translators, a module each."""
