"""A track encoded as Opus once for all WebRTC viewers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from stream.flow.broadcast import Broadcast, Subscription
from stream.flow.relay import Relays
from stream.frames import AudioChunk
from stream.live.feed import Feed
from stream.media.opus import OpusEncoder, OpusPacket

_relays: Relays[AudioChunk, OpusPacket] = Relays("opus", capacity=50)


@contextlib.asynccontextmanager
async def opus_packets(
    feed: Feed, track: str, *, capacity: int = 50
) -> AsyncIterator[Subscription[OpusPacket]]:
    """Subscribe to a track in Opus: stereo, 96 kbit/s, 20 ms, with in-band error correction.

    All subscribers of a track share one encoder, which runs from the first to the last.

    Args:
        feed: the feed to subscribe to.
        track: name of one of its sounds.
        capacity: how many 20 ms packets the subscriber may fall behind before it loses the oldest.

    Raises:
        KeyError: if there is no such track.
    """
    source: Broadcast[AudioChunk] = feed.sounds[track]
    async with _relays.read(source, lambda: OpusEncoder(feed.channels), capacity) as packets:
        yield packets
