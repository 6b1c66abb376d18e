"""Who plays HLS: as nothing stays open, whoever has asked for a playlist a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from server.limits import Places
from server.problems import Problem
from stream.live.feed import Feed

LAPSE_S = 15.0
"""Seconds without asking after which a player has gone; it asks once a segment."""


class Audience:
    """Counts players among the viewers of feeds.

    Args:
        places: how many are counted, and how many of one address; the rest play all the same.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._leaving: dict[Hashable, tuple[asyncio.TimerHandle, Callable[[], None]]] = {}

    def note(self, feed: Feed, host: str | None, player: Hashable) -> None:
        """A player has asked for a playlist.

        Args:
            feed: that it plays.
            host: that it asks from.
            player: what tells it from others there.
        """
        key = (id(feed), host, player)
        loop = asyncio.get_running_loop()
        if key in self._leaving:
            timer, leave = self._leaving[key]
            timer.cancel()
        else:
            try:
                give_back = self._places.take(host)
            except Problem:
                return
            feed.viewers += 1

            def leave() -> None:
                del self._leaving[key]
                feed.viewers -= 1
                give_back()

        self._leaving[key] = loop.call_later(LAPSE_S, leave), leave

    def close(self) -> None:
        """Count nobody any more."""
        for timer, leave in list(self._leaving.values()):
            timer.cancel()
            leave()
