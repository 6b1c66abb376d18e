"""What an output takes from a feed: everything since it last looked, never holding the feed up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar

from stream.flow.broadcast import Subscription
from stream.frames import AudioChunk, PicturePacket
from stream.live.feed import Event, Feed
from stream.timeline import FRAME

T = TypeVar("T")

SOUND_HELD = 500
"""Blocks of a track that wait for a slow output (10 s); older ones are lost."""

PICTURES_HELD = 1200
"""Pictures that do (10 s at 120 a second)."""

EVENTS_HELD = 1000


@dataclass(slots=True)
class Batch:
    """What was published since the batch before it.

    Attributes:
        sound: blocks by track.
        pictures: in decoding order; after a loss they go on with a keyframe.
        events: what became known.
    """

    sound: dict[str, list[AudioChunk]]
    pictures: list[PicturePacket] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class FeedTap:
    """Subscribes an output to tracks of a feed, to its picture, and to events if it wants them.

    Args:
        feed: the session.
        tracks: names; the first paces the batches.
        events: whether to take them too.

    Raises:
        KeyError: for a track that the feed does not have.
    """

    def __init__(self, feed: Feed, tracks: tuple[str, ...], *, events: bool = False) -> None:
        broadcasts = {name: feed.tracks[name] for name in tracks}
        self._sound = {name: track.subscribe(SOUND_HELD) for name, track in broadcasts.items()}
        self._pictures = feed.picture.subscribe(PICTURES_HELD)
        self._events = feed.events.subscribe(EVENTS_HELD) if events else None
        self._lost = 0
        self._wait_for_key = True

    @property
    def missed(self) -> int:
        """Ticks lost so far, because the output was too slow, of the track that lost most."""
        return FRAME * max(sound.missed for sound in self._sound.values())

    @property
    def missed_pictures(self) -> int:
        """Pictures lost so far because the output was too slow."""
        return self._pictures.missed

    async def batches(self, span: float = 0.2) -> AsyncIterator[Batch]:
        """Batches of at least ``span`` seconds until the feed ends; the last may be shorter."""
        pace = next(iter(self._sound.values()))
        pace_name = next(iter(self._sound))
        ended = False
        while not ended:
            paced: list[AudioChunk] = []
            while not ended and len(paced) < span * 50:
                try:
                    paced.append(await anext(pace))
                except StopAsyncIteration:
                    ended = True
            # The others were published in the same turn of the loop or before.
            await asyncio.sleep(0)
            batch = Batch({pace_name: paced})
            for name, sound in self._sound.items():
                batch.sound.setdefault(name, []).extend(await _waiting(sound))
            pictures = await _waiting(self._pictures)
            if self._pictures.missed != self._lost:
                # What is waiting was read after the loss, so it is all behind it.
                self._lost = self._pictures.missed
                self._wait_for_key = True
            batch.pictures = list(self._decodable(pictures))
            if self._events is not None:
                batch.events = await _waiting(self._events)
            yield batch

    def close(self) -> None:
        """Leave the feed."""
        for sound in self._sound.values():
            sound.close()
        self._pictures.close()
        if self._events is not None:
            self._events.close()

    def _decodable(self, pictures: list[PicturePacket]) -> list[PicturePacket]:
        taken: list[PicturePacket] = []
        for picture in pictures:
            self._wait_for_key &= not picture.key
            if not self._wait_for_key:
                taken.append(picture)
        return taken


async def _waiting(subscription: Subscription[T]) -> list[T]:
    return [await anext(subscription) for _ in range(len(subscription))]
