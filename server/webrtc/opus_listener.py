"""One viewer's sound, switched between the tracks of a feed without a gap."""

from __future__ import annotations

import contextlib

from server.webrtc.opus import opus_packets
from stream.flow.broadcast import Subscription
from stream.live.feed import Feed
from stream.media.opus import OpusPacket


class OpusListener:
    """Packets of whichever track is selected, each later than the one before.

    The old track goes on until the new one has a packet for the same time, since its encoder
    may have to start first.

    Args:
        feed: the feed to subscribe to.
        name: of the track to begin with.
        capacity: how many 20 ms packets the viewer may fall behind before it loses the oldest.

    Raises:
        KeyError: if there is no such track.
    """

    def __init__(self, feed: Feed, name: str, *, capacity: int = 50) -> None:
        feed.sounds[name]  # an unknown name fails now, not when it plays
        self.name = name
        """The track that is selected."""
        self._feed = feed
        self._capacity = capacity
        self._old: _Opened | None = None
        self._new: _Opened | None = None
        self._first: OpusPacket | None = None  # of the new one
        self._time: int | None = None

    def select(self, name: str) -> None:
        """Switch to another track.

        Raises:
            KeyError: if there is no such track.
        """
        self._feed.sounds[name]
        self.name = name

    async def next(self) -> OpusPacket | None:
        """The next packet; ``None`` once the feed has ended. For one task at a time."""
        while True:
            packet = await self._next()
            if packet is None or self._time is None or packet.time > self._time:
                break
        if packet is not None:
            self._time = packet.time
        return packet

    async def aclose(self) -> None:
        """Unsubscribe."""
        opened, self._old, self._new = (self._old, self._new), None, None
        for one in opened:
            if one is not None:
                await one.stack.aclose()

    async def _next(self) -> OpusPacket | None:
        if self._old is None:
            self._old = await self._open()
        if self._new is not None and self._new.name != self.name:
            await self._forget_new()
        if self._new is None and self._old.name != self.name:
            self._new = await self._open()
        packet = await anext(self._old.packets, None)
        new = self._new
        if new is None:
            return packet
        while self._first is None or (packet and self._first.time < packet.time):
            if packet is not None and not len(new.packets):
                return packet
            self._first = await anext(new.packets, None)
            if self._first is None:
                break
        if self._first and packet and self._first.time > packet.time:
            return packet
        first, old = self._first, self._old
        self._old, self._new, self._first = new, None, None
        await old.stack.aclose()
        return first

    async def _open(self) -> _Opened:
        stack = contextlib.AsyncExitStack()
        subscribing = opus_packets(self._feed, self.name, capacity=self._capacity)
        return _Opened(self.name, stack, await stack.enter_async_context(subscribing))

    async def _forget_new(self) -> None:
        new, self._new, self._first = self._new, None, None
        if new is not None:
            await new.stack.aclose()


class _Opened:
    """A subscription to one track."""

    def __init__(
        self, name: str, stack: contextlib.AsyncExitStack, packets: Subscription[OpusPacket]
    ) -> None:
        self.name = name
        self.stack = stack
        self.packets = packets
