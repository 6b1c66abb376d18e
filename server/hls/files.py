"""The files of one HLS rendition: its segments, their parts, and the playlist of the newest."""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from server.hls.fragment import Fragment
from server.hls.playlist import MediaPlaylist, Part, Segment

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
    read an older one. Parts, which are listed near the end only, outlive that by less.

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
        self._written_parts: deque[tuple[int, str]] = deque()  # with the number of their segment
        self._init_name = ""
        self._parts: list[Part] = []
        self._growing: Segment | None = None
        self._bits = 0
        self._seconds = 0.0

    @property
    def average(self) -> float:
        """Bit rate of all segments so far, bit/s."""
        return self._bits / self._seconds if self._seconds else 0.0

    def add_media(self, made: Fragment, entry: Segment, target: int) -> None:
        """Write a fragment, and its init segment where it differs from the one before."""
        self._initialise(made)
        self._add(replace(entry, init=self._init_name), made.media, "m4s", target)

    def add_text(self, text: str, entry: Segment, target: int) -> None:
        """Write a segment of subtitles."""
        self._add(entry, text.encode(), "vtt", target)

    def add_media_part(self, made: Fragment, entry: Segment, *, independent: bool) -> None:
        """Write the next part of the segment that is next; ``entry`` is of that part alone."""
        self._initialise(made)
        entry = replace(entry, init=self._init_name)
        self._add_part(entry, made.media, "m4s", independent=independent)

    def add_text_part(self, text: str, entry: Segment) -> None:
        """Write the next part of the segment of subtitles that is next."""
        self._add_part(entry, text.encode(), "vtt", independent=True)

    def withdraw(self) -> None:
        """Let the segment that is next have no parts; what was written of it stays for a while."""
        self._parts, self._growing = [], None

    def playlist_now(
        self, *, target: int, independent: bool, ended: bool, parted: bool
    ) -> MediaPlaylist:
        """What is there; ``parted`` says whether another part of the segment may come."""
        while len(self._segments) > self._window:
            gone = self._segments.popleft()
            self._leaving.append(gone)
            self._first += 1
            self._discontinuities += gone.discontinuity
        suffix = "m4s" if self._init_name else "vtt"
        hint = f"{self._part_name()}.{suffix}" if parted and not ended else ""
        return MediaPlaylist(
            tuple(self._segments),
            target,
            self._first,
            self._discontinuities,
            independent,
            ended,
            self._growing,
            hint,
        )

    def write_playlist(self, playlist: MediaPlaylist) -> None:
        """Write a playlist for web servers that know nothing of parts."""
        self._write(self._folder / self.playlist, playlist.text().encode())

    def forget(self) -> None:
        """Delete files that no player can still ask for."""
        while self._written_parts and self._written_parts[0][0] < self._next - self._window:
            (self._folder / self._written_parts.popleft()[1]).unlink(missing_ok=True)
        while len(self._leaving) > self._window:
            gone = self._leaving.popleft()
            (self._folder / gone.name).unlink(missing_ok=True)
            if gone.init != (self._leaving or self._segments)[0].init:
                (self._folder / gone.init).unlink(missing_ok=True)

    def _initialise(self, made: Fragment) -> None:
        if made.init != self.init:
            self.init = made.init
            self._init_name = f"{self._name}-{self._next}.mp4"
            self._write(self._folder / self._init_name, made.init)

    def _part_name(self) -> str:
        return f"{self._name}-{self._next}-p{len(self._parts)}"

    def _add_part(self, entry: Segment, content: bytes, suffix: str, *, independent: bool) -> None:
        name = f"{self._part_name()}.{suffix}"
        self._write(self._folder / name, content)
        self._written_parts.append((self._next, name))
        self._parts.append(Part(name, entry.duration, independent))
        grown = self._growing or replace(entry, duration=0.0)
        duration = grown.duration + entry.duration
        self._growing = replace(grown, duration=duration, parts=tuple(self._parts))

    def _add(self, entry: Segment, content: bytes, suffix: str, target: int) -> None:
        name = f"{self._name}-{self._next}.{suffix}"
        self._write(self._folder / name, content)
        self._segments.append(replace(entry, name=name, parts=tuple(self._parts)))
        self._parts, self._growing = [], None
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
