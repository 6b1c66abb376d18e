"""A feed on the air by WebSocket, from which nothing may be left when it ends."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from stream.live.feed import Feed
from tests.helpers.feeds import file_feed
from tests.helpers.ws_server import serving


@contextlib.asynccontextmanager
async def on_air(
    path: Path, *, gate: Gate | None = None, speed: float = 1.0, stuck: float = 10.0
) -> AsyncIterator[tuple[str, Programmes, Feed]]:
    async with file_feed(path, speed=speed) as feed:
        before = {task.get_name() for task in asyncio.all_tasks()}
        programmes = Programmes({"live": feed}.__getitem__)
        try:
            async with serving(listen_router(programmes, gate or Gate(), stuck=stuck)) as url:
                yield url, programmes, feed
        finally:
            await programmes.aclose()
        # Nothing is left of it, however its listeners went.
        assert not any(sound.readers for sound in (feed.events, *feed.sounds.values()))
        assert not any(t.name == "livedub-ws-encode" for t in threading.enumerate())
        assert {t.get_name() for t in asyncio.all_tasks()} <= before


async def closed(url: str, sent: str | bytes | None = None, **options) -> tuple[int, str]:  # type: ignore[no-untyped-def]
    async with connect(url, compression=None, **options) as client:
        with contextlib.suppress(ConnectionClosed):
            if sent is not None:
                await client.send(sent)
            async for _ in client:
                pass
        assert client.close_code is not None
        return client.close_code, client.close_reason or ""
