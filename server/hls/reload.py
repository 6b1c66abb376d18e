"""Playlists as they are now, and who waits for the next (RFC 8216bis, 6.2.5)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from server.hls.playlist import MediaPlaylist
from server.problems import Problem
from stream.flow.signal import Signal

PATIENCE_TARGETS = 3
"""Target durations for which a request may wait (8216bis, 6.2.5.2)."""

Place = Callable[[], Callable[[], None]]
"""Takes a place among the requests that wait, and returns what gives it back."""

LATE = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Directives:
    """What a player asks for beside the playlist itself.

    Attributes:
        msn: number of a segment that must be in it.
        part: of that segment, if a part is enough.
        skip: whether what is old may be left out.
    """

    msn: int | None = None
    part: int | None = None
    skip: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Directives:
        """Those in the query of a playlist's address.

        Raises:
            Problem: 400, if they cannot be understood.
        """
        msn, part = _number(query, "_HLS_msn"), _number(query, "_HLS_part")
        if part is not None and msn is None:
            raise Problem(400, "_HLS_part says nothing without _HLS_msn: give both")
        return cls(msn, part, query.get("_HLS_skip") in ("YES", "v2"))


class LivePlaylists:
    """The playlists of one session; everything in it belongs to one event loop."""

    def __init__(self) -> None:
        self._now: Mapping[str, MediaPlaylist] = MappingProxyType({})
        self._changed = Signal()
        self._closed = False

    def post(self, playlists: Mapping[str, MediaPlaylist]) -> None:
        """Show others from now on, by the names of their files."""
        if playlists is not self._now:
            self._now = playlists
            self._changed.notify()

    def close(self) -> None:
        """Nothing follows: nobody need wait."""
        self._closed = True
        self._changed.notify()

    async def text(self, name: str, asked: Directives, place: Place) -> str | None:
        """A playlist, once it holds what was asked for; ``None`` for one that is not known here.

        Args:
            name: of its file.
            asked: what must be in it.
            place: for waiting.

        Raises:
            Problem: 400 for what is too far ahead, 503 for what does not come in time.
        """
        playlist = self._now.get(name)
        if playlist is None:
            return None
        msn, part = asked.msn, asked.part
        if msn is not None and not playlist.holds(msn, part):
            if playlist.ahead(msn, part):
                raise Problem(400, f"segment {msn} is too far ahead: ask for the one that is next")
            came = await self._wait(
                lambda: self._now[name].holds(msn, part), playlist.target, place
            )
            if not came:
                raise Problem(503, f"segment {msn} has not come in time; ask again", LATE)
        reports = [one.report(other) for other, one in self._now.items() if other != name]
        return self._now[name].text(live=not self._closed, skip=asked.skip, reports=reports)

    async def hinted(self, name: str, place: Place) -> None:
        """Return once a part is there that a playlist has announced, or is not to come.

        Args:
            name: of any file.
            place: for waiting.

        Raises:
            Problem: 503 if it has not come in time.
        """
        hinting = next((one for one in self._now.values() if one.hint == name), None)
        if hinting is None:
            return
        came = await self._wait(
            lambda: all(one.hint != name for one in self._now.values()), hinting.target, place
        )
        if not came:
            raise Problem(503, "this part has not come in time; ask again", LATE)

    async def _wait(
        self,
        condition: Callable[[], bool],
        target: int,
        place: Place,
    ) -> bool:
        """Whether the condition came true, or nothing follows, before patience ended."""
        give_back = place()
        try:
            async with asyncio.timeout(PATIENCE_TARGETS * target):
                await self._changed.wait_for(lambda: self._closed or condition())
        except TimeoutError:
            return False
        finally:
            give_back()
        return True


def _number(query: Mapping[str, str], name: str) -> int | None:
    given = query.get(name)
    if given is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise Problem(400, f"{name} must be a number")
    return int(given)
