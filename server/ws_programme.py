"""What WebSocket listeners of one session share: encoded sound, a short history, events."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from functools import partial

from server.ws_encode import Encoder, SentFrame
from server.ws_frames import NOT_FOUND, TRY_LATER, Encoding, ProtocolError, message
from stream.broadcast import Broadcast, Subscription
from stream.feed import ORIGINAL, Event, Feed, SoundBlock
from stream.timeline import TICK_RATE, ticks
from stream.worker import Worker

_log = logging.getLogger(__name__)

MAX_RENDITIONS = 24
"""Encodings of one feed at the same time; each has a thread of its own."""

BACKLOG = 250
"""Blocks (5 s) that wait for an encoder before the oldest are lost."""

LISTENER_FRAMES = 100
"""Frames (2 s) that wait for one listener before the oldest are lost."""

EVENTS = 256
"""Events kept for those who join, and events that wait for one listener."""


class Rendition:
    """One track in one encoding, made while anybody listens and a while after.

    Attributes:
        track: name.
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
        self._encoder = Encoder(encoding, list(feed.tracks).index(track))
        self._blocks = feed.tracks[track].subscribe(BACKLOG)

    def join(self, start: int | None) -> tuple[list[SentFrame], Subscription[SentFrame]]:
        """Begin to listen.

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
            # Whoever lost the connection comes back within the history, or not at all.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._linger, self._stop, self)

    async def run(self) -> None:
        """Encode until the feed ends."""
        worker = Worker("ws-encode")
        try:
            async for block in self._blocks:
                blocks: list[SoundBlock] = [block]
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


class Programme:
    """Everything that the listeners of one feed share; it ends a while after the feed.

    Attributes:
        feed: where it comes from.
        id: tells one feed from another, so that a media time is not taken for another feed's.
        events: JSON messages.
    """

    def __init__(self, feed: Feed, history: float) -> None:
        self.feed = feed
        self.id = os.urandom(8).hex()
        self.events = Broadcast[str]()
        self._history = history
        self._past: deque[tuple[Event, str]] = deque(maxlen=EVENTS)
        self._renditions: dict[tuple[str, Encoding], Rendition] = {}
        self._encoding: set[asyncio.Task[None]] = set()
        self._source = feed.events.subscribe(EVENTS)

    @property
    def position(self) -> int:
        """Media time that the viewer sees now, ticks."""
        zero, second = self.feed.due(0), self.feed.due(TICK_RATE)
        now = asyncio.get_running_loop().time()
        return max(0, int((now - zero) / (second - zero) * TICK_RATE))

    def default_track(self) -> str:
        """The first dub, or the original where there is none."""
        return next((name for name in self.feed.tracks if name != ORIGINAL), ORIGINAL)

    def check(self, track: str) -> None:
        """Raise ``ProtocolError`` if there is no such track."""
        if track not in self.feed.tracks:
            tracks = ", ".join(self.feed.tracks)
            raise ProtocolError(
                NOT_FOUND, f"There is no track '{track[:20]}': choose from {tracks}"
            )

    def rendition(self, track: str, encoding: Encoding) -> Rendition:
        """The shared encoding of a track, started if there is none.

        Raises:
            ProtocolError: if there is no such track, or too many encodings are in use.
        """
        self.check(track)
        key = (track, encoding)
        if key not in self._renditions:
            if len(self._renditions) >= MAX_RENDITIONS:
                raise ProtocolError(TRY_LATER, "Too many encodings of this session are in use")
            rendition = Rendition(self.feed, track, encoding, self._history, self._stop)
            self._renditions[key] = rendition
            task = asyncio.create_task(rendition.run())
            self._encoding.add(task)
            task.add_done_callback(self._encoding.discard)
        return self._renditions[key]

    @property
    def renditions(self) -> int:
        """How many encodings are made or kept."""
        return len(self._renditions)

    def join_events(self, start: int) -> tuple[list[str], Subscription[str]]:
        """What is known about utterances that end after ``start``, and what follows."""
        past = [shown for event, shown in self._past if event.end > start]
        return past, self.events.subscribe(EVENTS)

    async def run(self) -> None:
        """Pass events on until the feed ends; then keep the history for late returners."""
        async for event in self._source:
            shown = message("event", **event.as_json())
            self._past.append((event, shown))
            self.events.publish(shown)
        self.events.close()
        await asyncio.sleep(self._history)

    async def aclose(self) -> None:
        """End every encoding and every listener's subscriptions."""
        self._source.close()
        self.events.close()
        for rendition in list(self._renditions.values()):
            self._stop(rendition)
        for task in self._encoding:
            task.cancel()
        await asyncio.gather(*self._encoding, return_exceptions=True)

    def _stop(self, rendition: Rendition) -> None:
        key = (rendition.track, rendition.encoding)
        if self._renditions.get(key) is rendition:
            del self._renditions[key]
        rendition.close()


class Programmes:
    """The programmes of all feeds that anybody listens to.

    Args:
        feeds: finds a session's feed; raises ``LookupError`` if there is none.
        history: seconds of encoded sound kept for listeners who come back.
    """

    def __init__(self, feeds: Callable[[str], Feed], *, history: float = 10.0) -> None:
        self._feeds = feeds
        self._history = history
        self._running: dict[int, tuple[Programme, asyncio.Task[None]]] = {}
        self.closing = False
        """Whether the server is going away, as opposed to a feed that has ended."""

    def find(self, session: str) -> Programme:
        """The programme of a session.

        Raises:
            ProtocolError: if there is no such session, or the server is going away.
        """
        if self.closing:
            raise going_away()
        try:
            feed = self._feeds(session)
        except LookupError:
            raise ProtocolError(NOT_FOUND, f"There is no session '{session[:40]}'") from None
        # A programme holds its feed, so the feed's id is not given to another meanwhile.
        if id(feed) not in self._running:
            programme = Programme(feed, self._history)
            task = asyncio.create_task(self._run(programme))
            self._running[id(feed)] = programme, task
        return self._running[id(feed)][0]

    async def aclose(self) -> None:
        """Send every listener away and end all encoding."""
        self.closing = True
        for programme, task in list(self._running.values()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await programme.aclose()

    async def _run(self, programme: Programme) -> None:
        await programme.run()
        del self._running[id(programme.feed)]
        await programme.aclose()


def going_away() -> ProtocolError:
    """What listeners are told when the server stops."""
    return ProtocolError(1001, "The server is going away")
