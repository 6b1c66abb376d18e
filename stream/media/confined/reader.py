"""A source that is read in a process of its own, as `stream.media.pictures` reads it here.

Whoever finds an error in a demultiplexer or a decoder gets no more than that process: it has none
of our secrets, and of the system what `stream.media.confined.limits` leaves. What it is fed through
us comes when it asks for it, so that neither side ever holds more than it works on.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import weakref
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av

from stream.errors import LivedubError
from stream.flow import bare_process
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.media.confined.child import (
    ADVANCE,
    CALL,
    CLOSE,
    CLOSE_ALL,
    GIVEN,
    OPEN,
    READ,
    SEEK,
    TELL,
)
from stream.media.confined.limits import STUCK_S
from stream.media.confined.records import (
    BrokenOffError,
    Kind,
    Wire,
    pack_json,
    unpack_format,
    unpack_json,
    unpack_picture,
    unpack_sound,
)
from stream.media.live_input import LiveInput, LiveMedia, Reader
from stream.media.opening import SourceError
from stream.media.readable import Divided

_START = (
    "import sys; sys.path[:0] = sys.argv[1:]; from stream.media.confined.child import main; main()"
)

_INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Each would take memory, and the process may have no other threads."""

MOST_FILES = 64
"""Addresses that a reader may have open at a time."""

LONGEST_READ = 1 << 20

MOST_NOTES = 16

EXIT_S = 5.0
"""Seconds for a process to be gone, on a busy machine."""


def opened(given: LiveInput, reader: Reader) -> LiveMedia:
    """Open a source; blocks.

    Raises:
        SourceError: if it cannot be opened.
    """
    return ConfinedReader(given) if reader == "process" else given.open()


class ConfinedReader:
    """A source's sound and its moving picture; iterated and closed in a thread, as any ``Media``.

    It is open once made, which blocks.

    Args:
        given: what is read; its ``file`` and ``fetch`` stay here.

    Attributes:
        segmented: whether it comes in pieces of several seconds, each of them at once.
        notes: what was chosen where there was a choice, one sentence each.

    Raises:
        SourceError: if it cannot be opened, and from iterating if the process ends early.
    """

    def __init__(self, given: LiveInput) -> None:
        self._given = given
        self._channels = av.AudioLayout(given.layout).nb_channels
        self._calls = _Served(given)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _started(theirs)
        self._wire = Wire(ours)
        # Whoever gives up while it is opened drops it unseen.
        self._closed = weakref.finalize(self, _end, self._process, self._wire, self._calls)
        self._due = 0
        self._format: PictureFormat | None = None
        try:
            with contextlib.suppress(OSError):  # it is gone: which is told when we listen
                self._wire.send(Kind.CALL, pack_json(_described(given)))
            kind, body = self._next()
            if kind is not Kind.OPENED:
                raise BrokenOffError("it sends nonsense")
            self.segmented, self.notes = _opened(body)
        except BrokenOffError as error:
            broken = self._broken(str(error))
            self.close()
            raise broken from None
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def __iter__(self) -> Iterator[AudioChunk | PicturePacket]:
        try:
            while (record := self._next())[0] is not Kind.END:
                if (item := self._item(*record)) is not None:
                    yield item
        except BrokenOffError as error:
            raise self._broken(str(error)) from None

    def leave(self) -> None:
        """Break off, from any thread: a read under way ends soon."""
        self._process.kill()

    def close(self) -> None:
        """End the process and let go of the source; idempotent."""
        self._closed()

    def _next(self) -> tuple[Kind, bytes]:
        """The next record that is no call."""
        while True:
            kind, body = self._wire.receive()
            if kind is Kind.ERROR:
                raise SourceError(body.decode(errors="replace")[:1000])
            if kind is not Kind.CALL:
                return kind, body
            answer = self._calls(body)
            try:
                self._wire.send(Kind.ANSWER, answer)
            except OSError:
                raise BrokenOffError("it is gone") from None

    def _item(self, kind: Kind, body: bytes) -> AudioChunk | PicturePacket | None:
        if kind is Kind.SOUND:
            chunk = unpack_sound(body, self._channels, self._due)
            self._due = chunk.end
            return chunk
        if kind is Kind.FORMAT:
            self._format = unpack_format(body)
            return None
        if kind is Kind.PICTURE and self._format is not None:
            return unpack_picture(body, self._format)
        raise BrokenOffError("it sends nonsense")

    def _broken(self, how: str) -> SourceError:
        """Why there is no more, in one sentence."""
        name = self._given.address
        try:
            code = self._process.wait(EXIT_S if how == "it is gone" else 0)
        except subprocess.TimeoutExpired:
            return SourceError(f"{name} is read no further, as its reader fails: {how}")
        if code == -signal.SIGXCPU:
            return SourceError(f"{name} is read no further: {STUCK_S} s of work give nothing")
        reason = f"by signal {-code}" if code < 0 else f"with status {code}"
        return SourceError(f"{name} is read no further: its reader was ended {reason}")


class _Served:
    """Does what the process asks for: reads what is given, opens addresses."""

    def __init__(self, given: LiveInput) -> None:
        self._file, self._fetch = given.file, given.fetch
        self._files: dict[int, Any] = {}
        self._count = GIVEN

    def __call__(self, body: bytes) -> bytes:
        if len(body) < CALL.size:
            raise BrokenOffError("it asks for nonsense")
        what, number, first, second = CALL.unpack_from(body)
        if what == OPEN and self._fetch is not None:
            return self._open(unpack_json(body[CALL.size :]))
        if what == CLOSE_ALL:
            self.close()
            return b""
        if what == ADVANCE and isinstance(self._file, Divided):
            return _number(self._file.advance())
        file: Any = self._file if number == GIVEN else self._files.get(number)
        if file is None:
            raise BrokenOffError("it asks for what is not open")
        if what == READ and first > 0:
            data: bytes = file.read(min(first, LONGEST_READ))
            return data
        if number == GIVEN:
            raise BrokenOffError("it asks for nonsense")
        if what == SEEK and 0 <= second <= 2:
            return _number(file.seek(first, second))
        if what == TELL:
            return _number(file.tell())
        if what == CLOSE:
            self._files.pop(number).close()
            return b""
        raise BrokenOffError("it asks for nonsense")

    def close(self) -> None:
        """Let go of what was opened for it."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        if self._fetch is not None:
            self._fetch.close()

    def _open(self, asked: Any) -> bytes:
        assert self._fetch is not None
        if len(self._files) >= MOST_FILES:
            raise BrokenOffError("it opens too many addresses")
        try:
            url = str(asked["url"])
            options = {str(name): str(value) for name, value in asked["options"].items()}
        except (TypeError, KeyError, AttributeError):
            raise BrokenOffError("it asks for nonsense") from None
        opened: Any = self._fetch(url, options)
        self._count += 1
        self._files[self._count] = opened
        found = {"number": self._count, "found": opened.found, "format": opened.format}
        found |= {"name": opened.name, "seekable": opened.seekable()}
        return pack_json({**found, "failure": self._fetch.failure})


def _opened(body: bytes) -> tuple[bool, list[str]]:
    """Whether it is segmented, and its notes."""
    match unpack_json(body):
        case {"segmented": bool(segmented), "notes": [*notes]}:
            return segmented, [str(note)[:400] for note in notes[:MOST_NOTES]]
    raise BrokenOffError("it sends nonsense")


def _number(value: int) -> bytes:
    return int(value).to_bytes(8, "big", signed=True)


def _described(given: LiveInput) -> dict[str, Any]:
    file = None
    if given.file is not None:
        file = "parts" if isinstance(given.file, Divided) else "whole"
    return {
        "url": str(given.address),
        "path": str(given.address) if isinstance(given.address, Path) else None,
        "layout": given.layout,
        "options": dict(given.options),
        "format": given.format,
        "timeout": given.timeout,
        "choice": asdict(given.choice),
        "language": given.language,
        "live": given.live,
        "file": file,
        "fetch": given.fetch is not None,
    }


def _started(end: socket.socket) -> subprocess.Popen[bytes]:
    try:
        return bare_process.start(_START, end, _INHERITED, _ONE_THREAD)
    except OSError as error:
        raise SourceError(f"no process can be started to read it: {error.strerror}") from error


def _end(process: subprocess.Popen[bytes], wire: Wire, calls: _Served) -> None:
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(EXIT_S)
    wire.close()
    with contextlib.suppress(OSError, LivedubError):
        calls.close()
