"""Doors behind which FFmpeg reads, and what is read of pictures and readers here."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping

from server.addresses.http_reader import _absolute
from server.addresses.opening import _HTTP, PROBE
from server.rtmp.connection import SOURCE_OPTIONS
from stream.errors import LivedubError
from stream.live.source import LAYOUT
from stream.media.annexb import CODECS, AnnexB
from stream.media.confined.reader import _opened, _Served
from stream.media.confined.records import unpack_format, unpack_picture, unpack_sound
from stream.media.live_input import LiveInput
from stream.media.opening import NETWORK_CODECS

MOST_ITEMS = 2000
"""Of a source, after which it has been read for long enough."""


def _read(given: LiveInput) -> None:
    media = given.open()
    try:
        for count, item in enumerate(media):
            assert item.size >= 0
            if count > MOST_ITEMS:
                break
    finally:
        media.close()


def flv(data: bytes) -> None:
    _read(LiveInput("it", LAYOUT, options=SOURCE_OPTIONS, format="flv", file=io.BytesIO(data)))


def mpegts(data: bytes) -> None:
    options = {**PROBE, "codec_whitelist": NETWORK_CODECS}
    _read(LiveInput("it", LAYOUT, options=options, format="mpegts", file=io.BytesIO(data)))


class _Site:
    """A playlist and its segments, apart by ``#####``; each address is the next of them."""

    failure: str | None = "it is not there"

    def __init__(self, data: bytes) -> None:
        self._parts = iter(data.split(b"#####"))

    def __call__(self, url: str, options: Mapping[str, str], /) -> _Page:
        return _Page(url, next(self._parts, None))

    def close(self) -> None:
        pass


class _Page(io.BytesIO):
    def __init__(self, url: str, data: bytes | None) -> None:
        super().__init__(data or b"")
        self.name, self.found = url, data is not None
        self.format = "hls" if self.getvalue().startswith(b"#EXTM3U") else None


def hls(data: bytes) -> None:
    options = {**PROBE, "codec_whitelist": NETWORK_CODECS, **_HTTP, "max_reload": "2"}
    options["protocol_whitelist"] = "crypto,data"
    with contextlib.suppress(UnicodeDecodeError):
        _absolute(data.decode(), "http://127.0.0.1/a.m3u8")
    if b"#EXT-X-ENDLIST" not in data:
        return  # what is live is waited for
    address = "http://127.0.0.1/a.m3u8"
    _read(LiveInput(address, LAYOUT, options=options, fetch=_Site(data), live=False))


def annexb(data: bytes) -> None:
    stored, _, picture = data.partition(b"#####")
    for codec in sorted(CODECS):
        converter = AnnexB(codec, stored)
        converter.convert(picture, key=True)
        converter.configure(picture)
        converter.convert(stored, key=False)


def confined(data: bytes) -> None:
    """What a reader that was taken over says to us."""
    with contextlib.suppress(LivedubError):
        picture = unpack_format(data)
        unpack_picture(data, picture)
    with contextlib.suppress(LivedubError):
        unpack_sound(data, 2, int.from_bytes(data[:8], "big", signed=True))
    with contextlib.suppress(LivedubError):
        _opened(data)
    _Served(LiveInput("it", LAYOUT, file=io.BytesIO(data), fetch=_Site(data)))(data)
