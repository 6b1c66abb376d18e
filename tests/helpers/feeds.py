"""A live feed from a file, without models: for tests of what delivers feeds to viewers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk, PicturePacket
from stream.live.feed import ORIGINAL, Event, Feed, voice_of
from stream.media.pictures import SoundAndPicture
from stream.media.source import MediaSource
from stream.timeline import FRAME, TICK_RATE


@contextlib.asynccontextmanager
async def file_feed(
    path: Path, *, delay: float = 0.3, tracks: tuple[str, ...] = ("pt",), speed: float = 1.0
) -> AsyncIterator[Feed]:
    """Play a file once as a live feed; the dub tracks are the original turned upside down.

    Their voices alone are the same at half the level.
    Every whole second of media has a transcript, a translation, a dub and a fate.
    """
    source = MediaSource(str(path))
    loop = asyncio.get_running_loop()
    zero = loop.time() + delay

    def due(time: int) -> float:
        return zero + time / TICK_RATE / speed

    channels = source.info.channels
    feed = Feed(
        due,
        channels,
        {name: Broadcast[AudioChunk]() for name in (ORIGINAL, *tracks)},
        voices={voice_of(name): Broadcast[AudioChunk]() for name in tracks},
    )
    playing = asyncio.create_task(_play(feed, source, tracks))
    try:
        yield feed
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
        feed.close()
        source.close()


async def _play(feed: Feed, source: MediaSource, tracks: tuple[str, ...]) -> None:
    loop = asyncio.get_running_loop()
    sound = np.zeros((0, feed.channels), np.float32)
    start = said = 0
    pictures: list[PicturePacket] = []
    for item in SoundAndPicture(source):
        if isinstance(item, PicturePacket):
            pictures.append(item)
            continue
        sound = np.concatenate([sound, item.samples])
        while len(sound) >= FRAME:
            await asyncio.sleep(max(0.0, feed.due(start) - loop.time()))
            block, sound = sound[:FRAME], sound[FRAME:]
            feed.tracks[ORIGINAL].publish(AudioChunk(start, block))
            for track in tracks:
                feed.tracks[track].publish(AudioChunk(start, -block))
                feed.voices[voice_of(track)].publish(AudioChunk(start, -block / 2))
            start += FRAME
            while pictures and pictures[0].time < start:
                feed.picture_format = pictures[0].format
                feed.picture.publish(pictures.pop(0))
            if start // TICK_RATE > said:
                _say(feed, said, tracks)
                said = start // TICK_RATE
    feed.close()


def _say(feed: Feed, second: int, tracks: tuple[str, ...]) -> None:
    start, end = second * TICK_RATE, (second + 1) * TICK_RATE
    feed.events.publish(Event("transcript", ORIGINAL, second, start, end, f"second {second}"))
    for track in tracks:
        text = f"segundo {second}"
        feed.events.publish(Event("translation", track, second, start, end, text))
        feed.events.publish(Event("dub", track, second, start, end))
        feed.events.publish(Event("fate", track, second, start, end, fate="on_time"))
