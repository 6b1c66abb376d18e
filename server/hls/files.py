"""The files of one HLS rendition: its segments, and the playlist of the newest of them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

from server.hls.fragment import Fragment
from server.hls.playlist import Segment, media_playlist


class RenditionFiles:
    """Segments of one number are of one time in all renditions of a folder.

    Files outlive their place in the playlist by as long as a playlist is, for players that have
    read an older one.

    Args:
        folder: exists.
        name: of the rendition; its playlist is ``NAME.m3u8``.
        token: part of every segment's name, so that a viewer's cache cannot take one for that of
            an earlier session in the same place.
        window: segments in the playlist.
        first: number of the first segment.
        discontinuities: how many there were before it.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        token: str,
        window: int,
        *,
        first: int = 0,
        discontinuities: int = 0,
    ) -> None:
        self.playlist = f"{name}.m3u8"
        self.peak = 0.0
        """Highest bit rate of a segment so far, bit/s."""
        self.init = b""
        """What players need before the newest segment."""
        self._folder = folder
        self._name = f"{name}-{token}"
        self._window = window
        self._first = first
        self._next = first
        self._discontinuities = discontinuities
        self._segments: deque[Segment] = deque()
        self._leaving: deque[Segment] = deque()
        self._init_name = ""
        self._bits = 0
        self._seconds = 0.0

    @property
    def average(self) -> float:
        """Bit rate of all segments so far, bit/s."""
        return self._bits / self._seconds if self._seconds else 0.0

    def add_media(self, made: Fragment, entry: Segment, target: int) -> None:
        """Write a fragment, and its init segment where it differs from the one before."""
        if made.init != self.init:
            self.init = made.init
            self._init_name = f"{self._name}-{self._next}.mp4"
            put(self._folder / self._init_name, made.init)
        self._add(replace(entry, init=self._init_name), made.media, "m4s", target)

    def add_text(self, text: str, entry: Segment, target: int) -> None:
        """Write a segment of subtitles."""
        self._add(entry, text.encode(), "vtt", target)

    def write_playlist(self, *, target: int, independent: bool, ended: bool) -> None:
        """Write the playlist of what is there; see `server.hls.playlist`."""
        while len(self._segments) > self._window:
            gone = self._segments.popleft()
            self._leaving.append(gone)
            self._first += 1
            self._discontinuities += gone.discontinuity
        text = media_playlist(
            self._segments,
            target=target,
            first=self._first,
            discontinuities=self._discontinuities,
            independent=independent,
            ended=ended,
        )
        put(self._folder / self.playlist, text.encode())

    def forget(self) -> None:
        """Delete files that no player can still ask for."""
        while len(self._leaving) > self._window:
            gone = self._leaving.popleft()
            (self._folder / gone.name).unlink(missing_ok=True)
            if gone.init != (self._leaving or self._segments)[0].init:
                (self._folder / gone.init).unlink(missing_ok=True)

    def _add(self, entry: Segment, content: bytes, suffix: str, target: int) -> None:
        name = f"{self._name}-{self._next}.{suffix}"
        put(self._folder / name, content)
        self._segments.append(replace(entry, name=name))
        self._next += 1
        bits = len(content) * 8
        # A peak is one that lasts: a short segment is read together with its neighbours.
        self.peak = max(self.peak, bits / max(entry.duration, target / 2))
        self._bits += bits
        self._seconds += entry.duration


def put(path: Path, content: bytes) -> None:
    """Write a file so that nobody sees half of it.

    Raises:
        OSError: if it cannot be written; nothing is left of it then.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
