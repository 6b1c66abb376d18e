"""A command that was called in a way that cannot work."""


class UsageError(Exception):
    """The message says in one sentence what is wrong and how to call it."""
