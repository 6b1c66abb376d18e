"""The errors that livedub raises itself, below one root."""

from __future__ import annotations


def message(error: BaseException) -> str:
    """What an exception says; its type where it says nothing, as timeouts do."""
    return str(error) or type(error).__name__


class LivedubError(Exception):
    """Something that livedub looks out for went wrong; its caller knows what to do about it."""


class UserError(LivedubError):
    """Input, configuration or surroundings cannot be used.

    The message is one sentence that says what is wrong and what to do. The command line prints it
    and exits with status 2.
    """
