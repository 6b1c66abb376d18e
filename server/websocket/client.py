"""The listener's side of the WebSocket protocol; it reconnects and resumes where it was cut off."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import Close

from server.websocket.frames import (
    BAD_REQUEST,
    FORBIDDEN,
    FORMATS,
    MAX_MESSAGE,
    SUBPROTOCOL,
    UNAUTHENTICATED,
    Encoding,
    Format,
    Frame,
    ProtocolError,
    decode_frame,
)
from server.websocket.requests import parse_message
from stream.errors import UserError
from stream.timeline import TICK_RATE

FIRST_DELAY_S = 0.25
"""Seconds before the first attempt to reconnect; each further one waits twice as long."""

LONGEST_DELAY_S = 5.0

LOST = "the connection was lost"

FINAL = {BAD_REQUEST, UNAUTHENTICATED, FORBIDDEN}
"""Close codes after which reconnecting is pointless."""


class ListenError(UserError):
    """Listening cannot begin or go on; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What the server says first.

    Attributes:
        feed: id of the feed that all times belong to.
        track: name of the track that is sent.
        language: ISO 639-1 code of the original.
        encoding: of all frames.
        position: media time that is heard now, ticks.
    """

    feed: str
    track: str
    language: str
    encoding: Encoding
    position: int = 0


Received = Hello | Frame | dict[str, Any]


class ListenClient:
    """Receives a session's sound and events until it ends.

    Args:
        url: of the endpoint, ``ws://host/sessions/ID/listen``.
        query: what to ask for, besides the position to resume from.
        token: sent as a bearer token.
        patience: seconds during which it tries to reconnect.
        tell: called with a sentence when the connection is lost and when it is back.

    Raises:
        ListenError: if the URL or the token is none.
    """

    def __init__(
        self,
        url: str,
        query: dict[str, str],
        *,
        token: str | None = None,
        patience: float = 60.0,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._parts = _address(url)
        self._host = self._parts.netloc.rpartition("@")[2]  # a password is not shown
        if token and not (token.isascii() and token.isprintable()):
            raise ListenError("The token has characters that no token can have")
        self._query = query
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._patience = patience
        self._tell = tell
        self._hello: Hello | None = None
        self._at: int | None = None
        self._ended = False
        self._delay = FIRST_DELAY_S

    async def messages(self) -> AsyncGenerator[Received, None]:
        """Yield everything received; a ``Hello`` again after every reconnection.

        Raises:
            ListenError: if the server refuses, or stays away.
        """
        loop = asyncio.get_running_loop()
        lost: float | None = None
        while True:
            reason = LOST
            try:
                async with contextlib.aclosing(self._connection()) as connection:
                    async for received in connection:
                        if lost is not None:
                            self._tell("Connected again.")
                            lost = None
                        yield received
                if self._ended:
                    return
            except (WebSocketException, ProtocolError, UnicodeError, OSError) as error:
                if (final := self._final(error)) is not None:
                    raise ListenError(final) from None
                reason = _reason(error)
            if self._hello is None:
                raise ListenError(f"{self._host} cannot be listened to: {reason}")
            now = loop.time()
            if lost is None:
                lost = now
                self._tell(f"Reconnecting to {self._host}: {reason}.")
            if now - lost > self._patience:
                raise ListenError(f"{self._host} could not be reached again: {reason}")
            # Listeners who were cut off together must not reconnect together.
            await asyncio.sleep(self._delay * random.uniform(0.5, 1))
            self._delay = min(2 * self._delay, LONGEST_DELAY_S)

    def _final(self, error: Exception) -> str | None:
        """What to say of an error after which coming back is of no use."""
        match error:
            case ProtocolError():
                return f"The server does not speak {SUBPROTOCOL}: {error}"
            case InvalidURI() | UnicodeError():
                return f"{self._host} is no address"
            case ConnectionClosed(rcvd=Close(code=code)) if code in FINAL:
                return f"The server refuses: {_reason(error)}"
        return None

    async def _connection(self) -> AsyncGenerator[Received, None]:
        async with connect(
            self._address(),
            additional_headers=self._headers,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            compression=None,
            max_size=MAX_MESSAGE,
            open_timeout=10,
            ping_interval=5,  # a dead line is noticed while the server still has the sound
            ping_timeout=10,
            close_timeout=1,
        ) as socket:
            # recv, not iteration: a server that goes away (1001) has not ended the feed.
            before = self._hello
            self._hello = hello = _hello(await socket.recv(), before)
            if before is None or before.feed != hello.feed:
                self._at = hello.position  # should the line be cut before the first frame
            self._delay = FIRST_DELAY_S
            yield hello
            while True:
                try:
                    received = await socket.recv()
                except ConnectionClosed:
                    if self._ended:
                        return
                    raise
                if isinstance(received, str):
                    message = parse_message(received)
                    self._ended = self._ended or message.get("type") == "end"
                    yield message
                    continue
                frame = decode_frame(received, hello.encoding)
                if frame.time is None:
                    raise ProtocolError(BAD_REQUEST, "a frame has no time")
                self._at = frame.time + frame.samples * TICK_RATE // hello.encoding.rate
                yield frame

    def _address(self) -> str:
        query = dict(parse_qsl(self._parts.query)) | self._query
        if self._hello is not None:
            # Whatever the server would choose by now, the file goes on as it began.
            query["channels"] = str(self._hello.encoding.channels)
            query["track"] = self._hello.track
            query["feed"] = self._hello.feed
            if self._at is not None and self._at >= 0:
                query["from"] = str(self._at)
        return self._parts._replace(query=urlencode(query)).geturl()


def _address(url: str) -> SplitResult:
    """The endpoint's address, also from that of the page on which the session is watched."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        parts = urlsplit("")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise ListenError(f"{url} is no address: give one like ws://host/sessions/ID/listen")
    path, query = parts.path, parts.query
    if path.endswith("/") or not path:
        named = {**dict(parse_qsl(query)), **dict(parse_qsl(parts.fragment))}
        if "session" not in named:
            raise ListenError(
                f"{url} names no session: give an address like {scheme}://{parts.netloc}"
                "/sessions/ID/listen"
            )
        path, query = f"{path.rstrip('/')}/sessions/{quote(named['session'], '')}/listen", ""
    return parts._replace(scheme=scheme, path=path, query=query, fragment="")


def _reason(error: Exception) -> str:
    """Why there is no connection, as the end of a sentence."""
    match error:
        case ConnectionClosed(rcvd=None):
            return LOST
        case ConnectionClosed(rcvd=Close() as closed):
            return closed.reason or f"it closed with code {closed.code}"
        case InvalidStatus(response=response):
            return f"it answered with HTTP status {response.status_code}"
        case InvalidHandshake():
            return str(error)
        case ConnectionRefusedError():
            return "nothing answers there"
        case OSError(strerror=str(reason)) if reason:
            return reason
    return "it does not answer"


def _hello(received: str | bytes, before: Hello | None) -> Hello:
    message = parse_message(received) if isinstance(received, str) else {}
    match message:
        case {
            "type": "hello",
            "feed": str(feed),
            "track": str(track),
            "language": str(language),
            "format": str(format_),
            "rate": int(rate),
            "channels": (1 | 2) as channels,
            "position": int(position),
        } if format_ in FORMATS and rate > 0 and TICK_RATE % rate == 0:
            known: Format = next(name for name in FORMATS if name == format_)
            hello = Hello(feed, track, language, Encoding(known, rate, channels), position)
            if before is not None and hello.encoding != before.encoding:
                raise ProtocolError(BAD_REQUEST, "the encoding has changed")
            return hello
    raise ProtocolError(BAD_REQUEST, "it does not begin with a hello")
