"""The files of one HLS rendition: its segments, and the playlist of the newest of them."""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from server.hls.fragment import Fragment
from server.hls.playlist import Segment, media_playlist

Write = Callable[[Path, bytes], None]
"""Writes a file at once; raises ``OSError`` where it cannot."""

PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT}
"""What others may put an end to: they close files, or delete some."""

PAUSE_S = 0.5
"""Seconds until it is tried again."""

_log = logging.getLogger(__name__)


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
        write: how a file is written.
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
        write: Write | None = None,
    ) -> None:
        self._write = write or put
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
            self._write(self._folder / self._init_name, made.init)
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
        self._write(self._folder / self.playlist, text.encode())

    def forget(self) -> None:
        """Delete files that no player can still ask for."""
        while len(self._leaving) > self._window:
            gone = self._leaving.popleft()
            (self._folder / gone.name).unlink(missing_ok=True)
            if gone.init != (self._leaving or self._segments)[0].init:
                (self._folder / gone.init).unlink(missing_ok=True)

    def _add(self, entry: Segment, content: bytes, suffix: str, target: int) -> None:
        name = f"{self._name}-{self._next}.{suffix}"
        self._write(self._folder / name, content)
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


class PatientDisk:
    """Waits while there is no room for a file, as for a disk that is slow.

    Args:
        pause: seconds between two tries.

    Attributes:
        trouble: why it waits, if it does; may be read by any thread.
    """

    def __init__(self, pause: float = PAUSE_S) -> None:
        self.trouble: OSError | None = None
        self._pause = pause
        self._over = threading.Event()

    def put(self, path: Path, content: bytes) -> None:
        """Write a file, sooner or later; blocks.

        Raises:
            OSError: if that will never succeed, or has not before ``give_up``.
        """
        while True:
            try:
                put(path, content)
            except OSError as error:
                if error.errno not in PASSING or self._over.is_set():
                    raise
                if self.trouble is None:
                    _log.warning("HLS waits until it can be written: %s", error.strerror)
                self.trouble = error
            else:
                break
            self._over.wait(self._pause)
        if self.trouble is not None:
            _log.warning("HLS can be written again")
            self.trouble = None

    def give_up(self) -> None:
        """Wait no longer."""
        self._over.set()
