"""A process of its own that writes a stream to a server: ``python -m server.outputs.push_process``.

FFmpeg's network protocols cannot be interrupted while a server takes nothing, and a thread cannot
be ended from outside. A process can. It reads records from its standard input and ends with it. One
line on its standard output says that the server has accepted the beginning of the stream, further
ones what the network does, one sentence on its standard error why it ends early.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

from server.addresses.srt_address import SrtAddress
from server.srt.library import SrtError
from server.srt.sink import SrtSink
from stream.frames import PictureFormat, PicturePacket
from stream.live.link import Link
from stream.live.output import why
from stream.media.aac import AacPacket
from stream.media.muxer import NONE, TS_OPTIONS, Muxer, MuxerError, SoundTrack

_RECORD = struct.Struct(">bqqqI")
LAST_S = 10
"""Time for the end of the stream; whoever started this process may be gone by then."""

_PICTURE = -1
"""Number of the picture among the tracks, where the sounds count from 0."""

FIGURES_S = 1.0
"""Seconds between two reports of what the network does."""

_OPTIONS = {"flush_packets": "1", "max_interleave_delta": "500000"}
"""A live stream waits neither for a full buffer nor for a picture that has stalled."""

_FORMAT_OPTIONS = {"flv": {"flvflags": "no_duration_filesize"}, "mpegts": TS_OPTIONS}


def hello(
    url: str,
    container: str,
    picture: PictureFormat | None,
    sounds: Sequence[SoundTrack],
    zero: int,
    *,
    protocol: Mapping[str, str] = NONE,
    comment: str = "",
) -> bytes:
    """The first record: the format of what follows, and the media time that becomes zero.

    ``protocol`` has the options of FFmpeg's protocol, ``comment`` is for the container's tags.
    """
    shown = None
    if picture is not None:
        shown = {**asdict(picture), "extradata": b64encode(picture.extradata).decode()}
    what: dict[str, Any] = {"url": url, "container": container, "picture": shown}
    what["sounds"] = [asdict(sound) for sound in sounds]
    more = {"zero": zero, "protocol": dict(protocol), "comment": comment}
    return json.dumps({**what, **more}).encode() + b"\n"


def picture_record(packet: PicturePacket) -> bytes:
    """A picture."""
    head = _RECORD.pack(_PICTURE, packet.time, packet.shown, packet.key, len(packet.data))
    return head + packet.data


def sound_record(packet: AacPacket, track: int = 0) -> bytes:
    """A packet of the sound with this number."""
    return _RECORD.pack(track, packet.time, packet.time, 1, len(packet.data)) + packet.data


def push(
    source: BinaryIO,
    established: Callable[[], object],
    report: Callable[[Link], object] = lambda link: None,
) -> None:
    """Write what is read until it ends.

    Args:
        source: of records.
        established: called once the server has accepted the first of them.
        report: told now and then what the network does, where the protocol knows.

    Raises:
        MuxerError: if the server cannot be reached or goes away.
        SrtError: the same, by SRT.
    """
    what = json.loads(source.readline())
    picture = what["picture"]
    coded = None
    if picture is not None:
        coded = PictureFormat(**{**picture, "extradata": b64decode(picture["extradata"])})
    sink = SrtSink(SrtAddress.parsed(what["url"])) if what["url"].startswith("srt:") else None
    muxer = Muxer(
        sink or what["url"],
        what["container"],
        coded,
        [SoundTrack(**sound) for sound in what["sounds"]],
        zero=what["zero"],
        comment=what["comment"],
        options={**_OPTIONS, **_FORMAT_OPTIONS.get(what["container"], {})},
        protocol=what["protocol"],
    )
    confirmed, reported = False, time.monotonic()
    while len(head := source.read(_RECORD.size)) == _RECORD.size:
        track, at, shown, key, length = _RECORD.unpack(head)
        data = source.read(length)
        if track != _PICTURE:
            muxer.write_sound(track, AacPacket(at, data))
        elif coded is not None:
            muxer.write_picture(PicturePacket(coded, at, shown, bool(key), data), 0)
        if not confirmed:
            confirmed = True
            established()
        if sink is not None and time.monotonic() - reported > FIGURES_S:
            reported = time.monotonic()
            if (link := sink.link()) is not None:
                report(link)
    signal.alarm(LAST_S)
    muxer.close()
    if sink is not None:
        sink.close()


def _main() -> None:
    try:
        push(
            sys.stdin.buffer,
            lambda: _say(b""),
            lambda link: _say(json.dumps(asdict(link)).encode()),
        )
    except MuxerError as error:
        sys.exit(why(error))
    except SrtError as error:
        sys.exit(str(error))


def _say(line: bytes) -> None:
    os.write(sys.stdout.fileno(), line + b"\n")


if __name__ == "__main__":
    _main()
