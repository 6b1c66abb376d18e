"""What an operator sees and hears of a session, read only while somebody asks."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import av
import av.error
import numpy as np

from stream.flow.broadcast import Subscription
from stream.frames import AudioChunk, PicturePacket
from stream.live.feed import ORIGINAL, Feed, dub_of
from stream.media.bounds import picture_decoder
from stream.timeline import TICK

LAPSE_S = 10.0
"""Seconds without a question after which nothing is read any more."""

HEARD = 50
"""Blocks of a sound whose level is told, the newest: a second."""

FLOOR_DB = -90.0

WIDTH = 320
"""Of a thumbnail, pixels."""


class Monitor:
    """Levels and a picture of one session; belongs to one event loop.

    Args:
        feed: the session.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._sounds: dict[str, Subscription[AudioChunk]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._shown: tuple[PicturePacket, bytes] | None = None

    async def levels(self) -> dict[str, float]:
        """RMS of the original and of each dub's voice since the last question, dBFS, by track.

        What has not been heard since then is not told of, so neither is anything the first time.
        """
        self._listen()
        found = {}
        for name, sound in self._sounds.items():
            if blocks := [(await anext(sound)).samples for _ in range(len(sound))]:
                found[dub_of(name)] = _level(np.concatenate(blocks))
        return found

    async def thumbnail(self) -> bytes | None:
        """The newest keyframe that viewers saw, as a small JPEG; ``None`` if there is none."""
        keyframe = self._feed.keyframe
        if keyframe is None:
            return None
        if self._shown is None or self._shown[0] is not keyframe:
            self._shown = keyframe, await asyncio.to_thread(_jpeg, keyframe)
        return self._shown[1] or None

    def close(self) -> None:
        """Read nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        for sound in self._sounds.values():
            sound.close()
        self._sounds = {}

    def _listen(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(LAPSE_S, self.close)
        if not self._sounds:
            heard = {ORIGINAL: self._feed.tracks[ORIGINAL], **self._feed.voices}
            self._sounds = {name: sound.subscribe(HEARD) for name, sound in heard.items()}


def _level(samples: np.ndarray) -> float:
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return round(max(FLOOR_DB, 10 * math.log10(power)), 1) if power > 0 else FLOOR_DB


def _jpeg(keyframe: PicturePacket) -> bytes:
    """A small JPEG of a picture; nothing for one that cannot be decoded."""
    decoder = picture_decoder(keyframe.format.codec)
    if keyframe.format.extradata:
        decoder.extradata = keyframe.format.extradata
    packet = av.Packet(keyframe.data)
    packet.pts = packet.dts = 0
    packet.time_base = TICK
    try:
        frames = [*decoder.decode(packet), *decoder.decode(None)]
    except (av.error.FFmpegError, OSError):
        return b""
    if not frames:
        return b""
    picture = frames[0]
    width = min(WIDTH, picture.width) & ~1 or 2
    height = round(picture.height * width / picture.width) & ~1 or 2
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = TICK
    small = picture.reformat(width, height, "yuvj420p")
    small.pts = 0
    return b"".join(bytes(one) for one in [*encoder.encode(small), *encoder.encode(None)])
