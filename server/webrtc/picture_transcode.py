"""Pictures for viewers who cannot play them as they are, transcoded only where necessary."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any, Literal

import av
import av.error
from av.video.frame import PictureType

from stream.flow.broadcast import Subscription
from stream.flow.relay import Relays
from stream.frames import PictureFormat, PicturePacket
from stream.live.feed import Feed
from stream.media.bounds import picture_decoder
from stream.timeline import TICK, TICK_RATE

KEYFRAME_INTERVAL = 2 * TICK_RATE
"""Ticks between keyframes, and so the longest wait of a viewer who joins."""

QUEUED_PICTURES = 60
"""Pictures that may wait for the encoder; beyond that it skips to the next keyframe."""

MOST_VP8 = 1280 * 720
"""Pixels of a picture in VP8, which takes far more time to encode; larger ones are made smaller."""

_H264 = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "crf": "24",
    "maxrate": "4M",
    "bufsize": "4M",
    "forced-idr": "1",
}

_VP8 = {
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
    "auto-alt-ref": "0",
    "error-resilient": "default",
    "crf": "20",
}

Codec = Literal["h264", "vp8"]


class PictureTranscoder:
    """Any coded picture in, baseline H.264 in Annex B form or VP8 out, in presentation order.

    Args:
        codec: what comes out.
    """

    def __init__(self, codec: Codec = "h264") -> None:
        self._codec = codec
        self._format: PictureFormat | None = None
        self._decoder: Any = None
        self._encoder: Any = None
        self._size: tuple[int, int] | None = None
        self._next_keyframe = 0
        self._last = -1
        self._waiting = True

    def convert(self, item: PicturePacket, lost: bool) -> list[PicturePacket]:
        """Transcode one picture; after a loss, nothing until the next keyframe."""
        if lost or item.format != self._format:
            self._waiting = True
        if self._waiting:
            if not item.key:
                return []
            self._open(item.format)
        packet = av.Packet(item.data)
        packet.pts, packet.dts, packet.time_base = item.shown, item.time, TICK
        try:
            frames = self._decoder.decode(packet)
        except (av.error.FFmpegError, OSError):
            self._waiting = True
            return []
        return [coded for frame in frames for coded in self._encode(frame)]

    def _open(self, format_: PictureFormat) -> None:
        self._format = format_
        self._waiting = False
        self._decoder = picture_decoder(format_.codec)
        if format_.extradata:
            self._decoder.extradata = format_.extradata
        # Decoding several frames at once would add as many frames of delay.
        self._decoder.thread_type = "SLICE"

    def _encode(self, frame: av.VideoFrame) -> list[PicturePacket]:
        shown = frame.pts
        if shown is None or shown <= self._last:
            return []
        self._last = shown
        width, height = self._sized(frame.width, frame.height)
        frame = frame.reformat(width, height, "yuv420p")
        frame.time_base = TICK
        if self._size != (width, height):
            self._start_encoder(width, height)
        frame.pict_type = PictureType.NONE
        if shown >= self._next_keyframe:
            frame.pict_type = PictureType.I
            self._next_keyframe = shown + KEYFRAME_INTERVAL
        coded = PictureFormat(self._codec, b"", width, height)
        return [
            PicturePacket(coded, p.pts or 0, p.pts or 0, p.is_keyframe, bytes(p))
            for p in self._encoder.encode(frame)
        ]

    def _sized(self, width: int, height: int) -> tuple[int, int]:
        """What is encoded of a picture of that size; 4:2:0 has even sizes only."""
        if self._codec == "vp8" and width * height > MOST_VP8:
            scale = math.sqrt(MOST_VP8 / (width * height))
            width, height = int(width * scale), int(height * scale)
        return max(2, width & ~1), max(2, height & ~1)

    def _start_encoder(self, width: int, height: int) -> None:
        h264 = self._codec == "h264"
        encoder: Any = av.CodecContext.create("libx264" if h264 else "libvpx", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base, encoder.framerate = TICK, 30
        encoder.gop_size = 600  # keyframes are placed by media time, not by count
        encoder.options = dict(_H264 if h264 else _VP8)
        if h264:
            encoder.profile = "Baseline"
        else:
            encoder.bit_rate = 3_000_000
            encoder.thread_count = 2
        self._encoder = encoder
        self._size = (width, height)
        self._next_keyframe = 0


_relays: dict[Codec, Relays[PicturePacket, PicturePacket]] = {
    "h264": Relays("picture", capacity=QUEUED_PICTURES),
    "vp8": Relays("picture in VP8", capacity=QUEUED_PICTURES),
}


@contextlib.asynccontextmanager
async def transcoded(
    feed: Feed, codec: Codec = "h264", *, capacity: int = 60
) -> AsyncIterator[Subscription[PicturePacket]]:
    """The feed's picture as baseline H.264 or VP8, transcoded once for all viewers of it.

    Args:
        feed: the feed to subscribe to.
        codec: what comes out.
        capacity: pictures that the viewer may fall behind before it loses the oldest.
    """
    transcoder = partial(PictureTranscoder, codec)
    async with _relays[codec].read(feed.picture, transcoder, capacity) as pictures:
        yield pictures


async def from_key(
    pictures: Subscription[PicturePacket],
) -> AsyncGenerator[PicturePacket, None]:
    """Only what can be decoded: from a keyframe on, and from the next one after a loss."""
    missed, waiting = pictures.missed, True
    async for packet in pictures:
        if pictures.missed != missed:
            missed, waiting = pictures.missed, True
        waiting = waiting and not packet.key
        if not waiting:
            yield packet
