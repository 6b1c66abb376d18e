"""A session published to a server by WHIP, such as an SFU's or a CDN's."""

from __future__ import annotations

import asyncio
import logging

from server.addresses.shown import shown
from server.outputs.push import FIRST_PAUSE_S, LONGEST_PAUSE_S
from server.webrtc.whip_client import (
    Endpoint,
    UnwantedPictureError,
    WhipClient,
    WhipError,
    publish_to,
)
from stream.frames import PictureFormat
from stream.live.feed import Feed
from stream.live.link import Link
from stream.live.output import OutputState, OutputStatus
from stream.timeline import TICK_RATE

PATIENCE_S = 2.0
"""Time without a picture after which sound is published alone."""

LOOK_S = 1.0
"""Seconds between two looks at a connection."""

_log = logging.getLogger(__name__)


class WhipPush:
    """Publishes until the feed ends, again and again whenever the server goes away.

    Create it in the feed's event loop. The picture is passed through if it is H.264 without
    B-frames, or VP8, and the server takes it so; otherwise it is transcoded.

    Args:
        feed: the session.
        track: its sound.
        endpoint: where to, and as whom.

    Raises:
        KeyError: for a track that the feed does not have.
    """

    def __init__(self, feed: Feed, track: str, endpoint: Endpoint) -> None:
        self._feed, self._track, self._endpoint = feed, track, endpoint
        self._watch = feed.tracks[track].subscribe(1)
        self._target = shown(endpoint.url)
        self._passed = True
        self._client: WhipClient | None = None
        self._link: Link | None = None
        self._failure: str | None = None
        self._reconnects = 0
        self._down_since: float | None = None
        self._missed_s = 0.0
        self._over = asyncio.Event()
        self._done = asyncio.Event()
        self._running = False

    def status(self) -> OutputStatus:
        """See ``Output``; it misses what was shown while there was no connection."""
        state: OutputState = "running" if self._failure is None else "retrying"
        missed = self._missed_s
        if self._down_since is not None and not self._done.is_set():
            missed += asyncio.get_running_loop().time() - self._down_since
        return OutputStatus(
            "push",
            self._target,
            "ended" if self._done.is_set() else state,
            self._failure,
            self._reconnects,
            round(missed * TICK_RATE),
            link=self._link,
        )

    @property
    def connected(self) -> bool:
        """Whether a server takes what is sent."""
        return self._client is not None and self._client.connected

    async def run(self) -> None:
        """Publish until the feed ends."""
        self._running = True
        watching = asyncio.create_task(self._until_over())
        try:
            await self._publish()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            self._watch.close()
            if self._client is not None:
                await self._client.aclose()
            self._done.set()

    async def aclose(self) -> None:
        """End it, and wait until it has ended."""
        self._over.set()
        if self._running:
            await self._done.wait()

    async def _until_over(self) -> None:
        async for _ in self._watch:
            pass
        self._over.set()

    async def _publish(self) -> None:
        pause = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        picture = await self._picture()
        while not self._over.is_set():
            began = loop.time()
            try:
                self._client = await publish_to(
                    self._endpoint, self._feed, self._track, picture, passed=self._passed
                )
                await self._stay(self._client)
                if self._over.is_set():
                    return
                reason = "the connection was lost"
                if self._down_since is None:
                    self._down_since = loop.time()
            except UnwantedPictureError as error:
                if self._passed:  # perhaps it takes one that every decoder does
                    self._passed = False
                    continue
                reason = str(error)
            except WhipError as error:
                reason = str(error)
            pause = FIRST_PAUSE_S if loop.time() - began > LONGEST_PAUSE_S else pause
            self._broken(reason, pause)
            await self._wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            picture = self._feed.picture_format or picture

    async def _stay(self, client: WhipClient) -> None:
        """Until the connection or the feed is over."""
        established = False
        while not client.closed.is_set() and not self._over.is_set():
            await self._wait(LOOK_S if established else LOOK_S / 10, client.closed)
            if client.connected and not established:
                established = True
                self._established()
            if established and (link := await client.link()) is not None:
                self._link = link
        await client.aclose()

    async def _picture(self) -> PictureFormat | None:
        """How the picture is coded, as soon as one has come; ``None`` if none does."""
        loop = asyncio.get_running_loop()
        while self._feed.picture_format is None and not self._over.is_set():
            if loop.time() > self._feed.due(0) + PATIENCE_S:
                break
            await self._wait(0.1)
        return self._feed.picture_format

    async def _wait(self, seconds: float, *others: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._over, *others)]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _established(self) -> None:
        loop = asyncio.get_running_loop()
        if self._down_since is not None:
            self._missed_s += loop.time() - self._down_since
        if self._failure is not None:
            self._reconnects += 1
            _log.info("the push to %s is connected again", self._target)
        else:
            _log.info("the push to %s is connected", self._target)
        self._failure, self._down_since = None, None

    def _broken(self, reason: str, pause: float) -> None:
        failure = f"the push to {self._target} broke off: {reason}"
        if self._down_since is None:
            self._down_since = asyncio.get_running_loop().time()
        # A server that stays away is worth one line, not one for every attempt.
        level = logging.DEBUG if failure == self._failure else logging.WARNING
        _log.log(level, "%s; trying again in %.0f s", failure, pause)
        self._failure, self._link = failure, None
