"""A process of its own that writes a stream to a server: ``python -m server.outputs.push_process``.

FFmpeg's network protocols cannot be interrupted while a server takes nothing, and a thread cannot
be ended from outside. A process can. It reads records from its standard input and ends with it. One
byte on its standard output says that the server has accepted the beginning of the stream, one
sentence on its standard error why it ends early.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import BinaryIO

from stream.frames import PictureFormat, PicturePacket
from stream.live.output import why
from stream.media.aac import AacPacket
from stream.media.muxer import NONE, Muxer, MuxerError, SoundTrack

_RECORD = struct.Struct(">?qqqI")
LAST_S = 10
"""Time for the end of the stream; whoever started this process may be gone by then."""

_PICTURE, _SOUND = False, True

_OPTIONS = {"flush_packets": "1", "max_interleave_delta": "500000"}
"""A live stream waits neither for a full buffer nor for a picture that has stalled."""

_FORMAT_OPTIONS = {"flv": {"flvflags": "no_duration_filesize"}}


def hello(
    url: str,
    container: str,
    picture: PictureFormat | None,
    sound: SoundTrack,
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
    what = {"url": url, "container": container, "picture": shown, "sound": asdict(sound)}
    more = {"zero": zero, "protocol": dict(protocol), "comment": comment}
    return json.dumps({**what, **more}).encode() + b"\n"


def picture_record(packet: PicturePacket) -> bytes:
    """A picture."""
    head = _RECORD.pack(_PICTURE, packet.time, packet.shown, packet.key, len(packet.data))
    return head + packet.data


def sound_record(packet: AacPacket) -> bytes:
    """A packet of sound."""
    return _RECORD.pack(_SOUND, packet.time, packet.time, 1, len(packet.data)) + packet.data


def push(source: BinaryIO, established: Callable[[], object]) -> None:
    """Write what is read until it ends.

    Args:
        source: of records.
        established: called once the server has accepted the first of them.

    Raises:
        MuxerError: if the server cannot be reached or goes away.
    """
    what = json.loads(source.readline())
    picture = what["picture"]
    coded = None
    if picture is not None:
        coded = PictureFormat(**{**picture, "extradata": b64decode(picture["extradata"])})
    muxer = Muxer(
        what["url"],
        what["container"],
        coded,
        [SoundTrack(**what["sound"])],
        zero=what["zero"],
        comment=what["comment"],
        options={**_OPTIONS, **_FORMAT_OPTIONS.get(what["container"], {})},
        protocol=what["protocol"],
    )
    confirmed = False
    while len(head := source.read(_RECORD.size)) == _RECORD.size:
        is_sound, time, shown, key, length = _RECORD.unpack(head)
        data = source.read(length)
        if is_sound:
            muxer.write_sound(0, AacPacket(time, data))
        elif coded is not None:
            muxer.write_picture(PicturePacket(coded, time, shown, bool(key), data), 0)
        if not confirmed:
            confirmed = True
            established()
    signal.alarm(LAST_S)
    muxer.close()


def _main() -> None:
    try:
        push(sys.stdin.buffer, lambda: os.write(sys.stdout.fileno(), b"\n"))
    except MuxerError as error:
        sys.exit(why(error))


if __name__ == "__main__":
    _main()
