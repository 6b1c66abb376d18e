"""What WebSocket listeners of one session share: encoded sound, a short history, events."""

from __future__ import annotations

import asyncio
import math
import os
from collections import deque
from collections.abc import Callable

from server.websocket.frames import (
    FORMATS,
    GOING_AWAY,
    NOT_FOUND,
    TRY_LATER,
    Encoding,
    ProtocolError,
)
from server.websocket.rendition import Rendition
from server.websocket.requests import message
from stream.flow.broadcast import Broadcast, Subscription
from stream.live.feed import ORIGINAL, Event, Feed
from stream.timeline import TICK_RATE

MAX_RENDITIONS = 8
"""Unusual encodings of one feed at the same time; each has a thread of its own."""

USUAL = (FORMATS[0], "opus")
"""Formats that everybody gets of every track, at 48 kHz and in as many channels as there are."""

KEPT_EVENTS = 256
"""Events kept for those who join, and events that wait for one listener."""


class Programme:
    """Everything that the listeners of one feed share; it ends a while after the feed.

    Attributes:
        feed: where it comes from.
        id: tells one feed from another, so that a media time is not taken for another feed's.
        events: JSON messages.
        ended: set when the feed has ended.
    """

    def __init__(self, feed: Feed, history: float) -> None:
        self.feed = feed
        self.id = os.urandom(8).hex()
        self.events = Broadcast[str]()
        self.ended = asyncio.Event()
        self._history = history
        self._past: deque[tuple[Event, str]] = deque(maxlen=KEPT_EVENTS)
        self._renditions: dict[tuple[str, Encoding], Rendition] = {}
        self._encoding: set[asyncio.Task[None]] = set()
        self._source = feed.events.subscribe(KEPT_EVENTS)

    @property
    def position(self) -> int:
        """Media time that the viewer sees now, ticks."""
        zero, second = self.feed.due(0), self.feed.due(TICK_RATE)
        if math.isinf(zero):
            return 0  # nothing has come yet
        now = asyncio.get_running_loop().time()
        return max(0, int((now - zero) / (second - zero) * TICK_RATE))

    def default_track(self) -> str:
        """The first dub, or the original where there is none."""
        return next((name for name in self.feed.tracks if name != ORIGINAL), ORIGINAL)

    def check(self, track: str) -> None:
        """Raise ``ProtocolError`` if there is no such track."""
        if track not in self.feed.sounds:
            tracks = ", ".join(self.feed.sounds)
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
            unusual = sum(not self._usual(one) for _, one in self._renditions)
            if not self._usual(encoding) and unusual >= MAX_RENDITIONS:
                raise ProtocolError(TRY_LATER, "Too many encodings of this session are in use")
            rendition = Rendition(self.feed, track, encoding, self._history, self._stop)
            self._renditions[key] = rendition
            task = asyncio.create_task(rendition.run())
            self._encoding.add(task)
            task.add_done_callback(self._encoding.discard)
        return self._renditions[key]

    def _usual(self, encoding: Encoding) -> bool:
        whole = encoding.rate == TICK_RATE and encoding.channels == min(self.feed.channels, 2)
        return whole and encoding.format in USUAL

    @property
    def renditions(self) -> int:
        """How many encodings are made or kept."""
        return len(self._renditions)

    def join_events(self, start: int) -> tuple[list[str], Subscription[str]]:
        """What is known about utterances that end after ``start``, and what follows."""
        past = [shown for event, shown in self._past if event.end > start]
        return past, self.events.subscribe(KEPT_EVENTS)

    async def run(self) -> None:
        """Pass events on until the feed ends; then keep the history for late returners."""
        async for event in self._source:
            shown = message("event", **event.as_json())
            self._past.append((event, shown))
            self.events.publish(shown)
        self.events.close()
        self.ended.set()
        await asyncio.sleep(self._history)

    async def aclose(self) -> None:
        """End every encoding and every listener's subscriptions."""
        self._source.close()
        self.events.close()
        self.ended.set()
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

    async def dismiss(self, session: str) -> None:
        """Send the listeners of a session away; it may be listened to again."""
        running = self._running.pop(id(self._feeds(session)), None)
        if running is not None:
            programme, task = running
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await programme.aclose()

    async def aclose(self) -> None:
        """Send every listener away and end all encoding."""
        self.closing = True
        for programme, task in list(self._running.values()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await programme.aclose()

    async def _run(self, programme: Programme) -> None:
        await programme.run()
        self._running.pop(id(programme.feed), None)
        await programme.aclose()


def going_away() -> ProtocolError:
    """What listeners are told when the server stops."""
    return ProtocolError(GOING_AWAY, "The server is going away")
