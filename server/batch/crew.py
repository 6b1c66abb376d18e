"""Whoever does the tasks of a batch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from server.batch.tasks import Done, Task, Tell
from stream.errors import LivedubError


class TaskFailed(LivedubError):
    """A task failed; the message is the reason."""


class Crew(Protocol):
    """Does tasks, so many at once."""

    @property
    def spare(self) -> int:
        """Workers that nothing waits for."""
        ...

    async def do(self, task: Callable[[], Awaitable[Task]], rank: int, tell: Tell) -> Done:
        """Have a task done when its turn comes.

        Args:
            task: asked for when its turn has come.
            rank: lower is sooner; among equals, who came first.
            tell: is told of progress.

        Raises:
            TaskFailed: if it failed, or its worker died.
        """
        ...
