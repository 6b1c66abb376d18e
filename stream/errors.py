"""The errors that livedub raises itself, below one root."""

from __future__ import annotations


class LivedubError(Exception):
    """Something that livedub looks out for went wrong; its caller knows what to do about it."""


class UserError(LivedubError):
    """Input, configuration or surroundings cannot be used.

    The message is one sentence that says what is wrong and what to do. The command line prints it
    and exits with status 2.
    """
