"""The process that reads; see `stream.media.confined.reader`, which starts it."""

from __future__ import annotations

import codecs
import importlib
import io
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream.errors import UserError, cause
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.languages import same_language
from stream.media.confined.limits import MEMORY, Watchdog, give_up
from stream.media.confined.records import (
    BrokenOffError,
    Kind,
    Wire,
    pack_format,
    pack_json,
    pack_picture,
    pack_sound,
    unpack_json,
)
from stream.media.live_input import LiveInput
from stream.media.options import InputOptions

CALL = struct.Struct(">cIqi")
"""What is called, on which file, and two numbers."""

READ, SEEK, TELL, CLOSE, OPEN, ADVANCE, CLOSE_ALL = b"r", b"s", b"t", b"c", b"o", b"v", b"x"

GIVEN = 0
"""Number of the file that the owner reads."""


class _Calls:
    """What the owner does for us; each call waits for its answer."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __call__(
        self, what: bytes, file: int = GIVEN, first: int = 0, second: int = 0, more: bytes = b""
    ) -> bytes:
        self._wire.send(Kind.CALL, CALL.pack(what, file, first, second), more)
        kind, answer = self._wire.receive()
        if kind is not Kind.ANSWER:
            raise BrokenOffError("it answers something else")
        return answer

    def number(self, what: bytes, file: int, first: int = 0, second: int = 0) -> int:
        return int.from_bytes(self(what, file, first, second), "big", signed=True)


class _Given:
    """The file that the owner reads."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    def read(self, size: int, /) -> bytes:
        return self._calls(READ, GIVEN, size)


class _GivenParts(_Given):
    """The same, where it is divided."""

    def advance(self) -> bool:
        return bool(self._calls.number(ADVANCE, GIVEN))


class _RemoteFile:
    """An address that the owner has opened."""

    def __init__(self, calls: _Calls, opened: Mapping[str, Any]) -> None:
        self._calls, self._number = calls, int(opened["number"])
        self.name = str(opened["name"])
        self.format: str | None = opened["format"]
        self.found = bool(opened["found"])
        self._seekable = bool(opened["seekable"])

    def read(self, size: int = -1, /) -> bytes:
        return self._calls(READ, self._number, size)

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._calls.number(TELL, self._number)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._calls.number(SEEK, self._number, offset, whence)

    def close(self) -> None:
        self._calls(CLOSE, self._number)


class _RemoteFetch:
    """Has the owner open addresses."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls
        self.failure: str | None = None

    def __call__(self, url: str, options: Mapping[str, str], /) -> _RemoteFile:
        asked = pack_json({"url": url, "options": dict(options)})
        opened = unpack_json(self._calls(OPEN, more=asked))
        self.failure = opened["failure"]
        return _RemoteFile(self._calls, opened)

    def close(self) -> None:
        self._calls(CLOSE_ALL)


def _input(what: Mapping[str, Any], calls: _Calls) -> LiveInput:
    file = {"whole": _Given, "parts": _GivenParts}.get(what["file"])
    return LiveInput(
        Path(what["path"]) if what["path"] is not None else what["url"],
        what["layout"],
        options=what["options"],
        format=what["format"],
        timeout=what["timeout"] and tuple(what["timeout"]),
        choice=InputOptions(**what["choice"]),
        language=what["language"],
        live=what["live"],
        file=None if file is None else file(calls),
        fetch=_RemoteFetch(calls) if what["fetch"] else None,
    )


def _import_the_rest(language: str | None) -> None:
    """Load what is otherwise loaded when a source turns out to need it."""
    for name in ("ascii", "latin_1"):
        codecs.lookup(name)
    importlib.import_module("av.subtitles.codeccontext")
    importlib.import_module("av.subtitles.stream")
    if language is not None:
        same_language(language, "und")


def _read(wire: Wire) -> None:
    what = unpack_json(wire.receive()[1])
    fed = what["file"] is not None or what["fetch"]
    given = _input(what, _Calls(wire))
    _import_the_rest(what["language"])
    give_up(opens=not fed, threads=str(what["url"]).startswith("udp:"))
    watchdog = Watchdog()
    media = given.open()
    opened = {"segmented": media.segmented, "notes": media.notes}
    wire.send(Kind.OPENED, pack_json(opened))
    format_: PictureFormat | None = None
    for item in media:
        watchdog.feed()
        if isinstance(item, AudioChunk):
            wire.send(Kind.SOUND, *pack_sound(item))
        elif isinstance(item, PicturePacket):
            if item.format is not format_:
                format_ = item.format
                wire.send(Kind.FORMAT, pack_format(format_))
            wire.send(Kind.PICTURE, *pack_picture(item))
    wire.send(Kind.END)


def main() -> None:
    """Read what the owner describes, until it has ended or nobody listens any more."""
    wire = Wire(socket.socket(fileno=0))
    try:
        try:
            _read(wire)
        except (BrokenOffError, BrokenPipeError, ConnectionResetError):
            return
        except UserError as error:
            wire.send(Kind.ERROR, str(error).encode()[:4096])
        except MemoryError:
            wire.send(Kind.ERROR, f"it takes more than {MEMORY >> 20} MB to read it".encode())
        except Exception as error:
            wire.send(Kind.ERROR, f"it cannot be read: {cause(error)}".encode()[:4096])
    except OSError:
        return  # nobody listens any more
