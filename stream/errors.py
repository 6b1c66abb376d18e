"""The errors that livedub raises itself, below one root."""

from __future__ import annotations


def message(error: BaseException) -> str:
    """What an exception says; its type where it says nothing, as timeouts do."""
    return str(error) or type(error).__name__


def root(error: BaseException) -> BaseException:
    """The fault itself, out of the groups that tasks have wrapped it in; the first of several."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def cause(error: BaseException) -> str:
    """Why something failed, as part of a sentence for the public: no path, and not without words.

    Our own errors are sentences already; of the system's, the reason is told without the file.
    """
    error = root(error)
    if isinstance(error, LivedubError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error).partition("\n")[0][:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


class LivedubError(Exception):
    """Something that livedub looks out for went wrong; its caller knows what to do about it."""


class UserError(LivedubError):
    """Input, configuration or surroundings cannot be used.

    The message is one sentence that says what is wrong and what to do. The command line prints it
    and exits with status 2.
    """
