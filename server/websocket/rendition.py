"""One track in one encoding for all its listeners, with a short history for those who reconnect."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from server.websocket.encode import Encoder, SentFrame
from server.websocket.frames import Encoding
from stream.flow.broadcast import Broadcast, Subscription
from stream.flow.worker import Worker
from stream.frames import AudioChunk
from stream.live.feed import Feed
from stream.timeline import ticks

_log = logging.getLogger(__name__)

BACKLOG = 250
"""Blocks (5 s) that wait for an encoder before the oldest are lost."""

LISTENER_FRAMES = 100
"""Frames (2 s) that wait for one listener before the oldest are lost."""


class Rendition:
    """One track in one encoding, encoded while anybody subscribes, and a while after.

    Attributes:
        track: name of the sound.
        encoding: of the frames.
        frames: what listeners subscribe to, through ``join``.
        failed: whether it ended because encoding failed.
    """

    def __init__(
        self,
        feed: Feed,
        track: str,
        encoding: Encoding,
        history: float,
        stop: Callable[[Rendition], None],
    ) -> None:
        self.track = track
        self.encoding = encoding
        self.frames = Broadcast[SentFrame]()
        self.failed = False
        self._history: deque[SentFrame] = deque()
        self._kept = ticks(history)
        self._linger = history
        self._stop = stop
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._encoder = Encoder(encoding, list(feed.sounds).index(track))
        self._blocks = feed.sounds[track].subscribe(BACKLOG)

    def join(self, start: int | None) -> tuple[list[SentFrame], Subscription[SentFrame]]:
        """Subscribe.

        Args:
            start: media time from which sound is wanted, ticks; ``None`` for what comes next.

        Returns:
            What is already there from ``start`` on, and a subscription to what follows.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        past = [frame for frame in self._history if start is not None and frame.end > start]
        return past, self.frames.subscribe(LISTENER_FRAMES)

    def leave(self, subscription: Subscription[SentFrame]) -> None:
        """End a subscription; the last to leave stops the encoder in a while."""
        subscription.close()
        if not self.frames.readers and self._timer is None and not self._closed:
            # Whoever lost the connection returns within the history, or not at all.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._linger, self._stop, self)

    async def run(self) -> None:
        """Encode until the feed ends."""
        worker = Worker("ws-encode")
        try:
            async for block in self._blocks:
                blocks: list[AudioChunk] = [block]
                while len(self._blocks):
                    blocks.append(await anext(self._blocks))
                self._give(await worker.run(partial(self._encoder.encode, blocks)))
            self._give(await worker.run(self._encoder.flush))
        except Exception:
            _log.exception("encoding %s as %s failed", self.track, self.encoding)
            self.failed = True
            self._stop(self)  # whoever comes next gets a new one
        finally:
            self.close()
            await worker.aclose()

    def close(self) -> None:
        """End all subscriptions; without blocks, encoding ends by itself."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._blocks.close()
        self.frames.close()

    def _give(self, frames: list[SentFrame]) -> None:
        for frame in frames:
            self._history.append(frame)
            while self._history[0].end < frame.end - self._kept:
                self._history.popleft()
            self.frames.publish(frame)
