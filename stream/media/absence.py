"""Streams of a pulled source that stay away, and when it is worth opening it anew."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Absence:
    """Watches the streams of one opening.

    Args:
        awaited: the streams that should be there.
        patience: ticks for which one may be away.
    """

    def __init__(self, awaited: Iterable[Hashable], patience: int) -> None:
        self._awaited = awaited
        self._patience = patience
        self._begun: int | None = None
        self._newest: dict[Hashable, int] = {}
        self.long = False
        """Whether this opening has lasted for as long as a stream may be away."""
        self.over = False
        """Whether a stream has been away for longer."""

    def note(self, stream: Hashable, time: int) -> None:
        """A packet was placed at a media time, ticks."""
        if self._begun is None:
            self._begun = time
            self._newest = dict.fromkeys(self._awaited, time)
        self._newest[stream] = time
        self.long |= time - self._begun > self._patience
        self.over |= time - min(self._newest.values()) > self._patience
