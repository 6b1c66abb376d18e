"""A feed published by hand, faster than it would be heard: for what no clean file holds."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import numpy as np

from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk, PicturePacket
from stream.live.feed import ORIGINAL, Feed
from stream.timeline import FRAME, TICK_RATE


@contextlib.asynccontextmanager
async def bare_feed() -> AsyncIterator[Feed]:
    tracks = {name: Broadcast[AudioChunk]() for name in (ORIGINAL, "pt")}
    feed = Feed(lambda time: math.inf, 1, tracks)
    try:
        yield feed
    finally:
        feed.close()


def tone(start: int) -> AudioChunk:
    at = np.arange(start, start + FRAME, dtype=np.float32)
    return AudioChunk(start, (0.2 * np.sin(at * 0.05)).astype(np.float32)[:, None])


async def play(
    feed: Feed, pictures: list[PicturePacket], begin: float, end: float, pace: float = 20.0
) -> None:
    """Publish sound from ``begin`` to ``end`` seconds, and each picture at its decoding time."""
    if math.isinf(feed.due(0)):
        # As with a live source, before something arrives it is not known when it will be seen.
        zero = asyncio.get_running_loop().time()
        feed.due = lambda time: zero + time / TICK_RATE
    coming: Iterator[PicturePacket] = iter(pictures)
    following = next(coming, None)
    for start in range(round(begin * TICK_RATE), round(end * TICK_RATE), FRAME):
        for track in feed.tracks.values():
            track.publish(tone(start))
        while following is not None and following.time < start + FRAME:
            feed.picture.publish(following)
            following = next(coming, None)
        if start // FRAME % 10 == 0:
            await asyncio.sleep(0.2 / pace)


def moved(picture: PicturePacket, by: float) -> PicturePacket:
    shift = round(by * TICK_RATE)
    return replace(picture, time=picture.time + shift, shown=picture.shown + shift)
