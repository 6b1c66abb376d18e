"""Whole publications by RTMP, from a socket to what a live session takes of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from server.rtmp.connection import FlvConnection, publications
from server.rtmp.ingest import RtmpIngest
from stream.live.connection import Connection
from tests.helpers.made_sources import Heard, Tag, in_order
from tests.helpers.rtmp_peer import HELLO, Chunker, Sent, command, introduction


def messages(tags: Iterable[Tag]) -> list[Sent]:
    """Tags as the messages that carry them."""
    return [Sent(6 if tag.kind == 8 else 7, tag.kind, 1, tag.time, tag.body) for tag in tags]


async def publish(tags: Iterable[Tag], chunker: Chunker | None = None) -> Heard:
    """Publish to a real server; what a session takes of it."""
    chunker = chunker or Chunker()
    sent = chunker.bytes(*messages(tags), command("FCUnpublish", 7.0, None, "KEY"))
    return await publish_bytes(HELLO + chunker.bytes(*introduction()) + sent)


async def publish_bytes(data: bytes) -> Heard:
    """The same of what a publisher sends, from its first byte on."""
    arrived: asyncio.Queue[Connection] = asyncio.Queue()

    async def admit(name: str, connection: Connection) -> bool:
        await arrived.put(connection)
        return True

    ingest = RtmpIngest("127.0.0.1", 0, publications("live", lambda key: "it", admit))
    await ingest.start()
    heard = Heard()
    writing: list[asyncio.Task[None]] = []
    try:
        writing.append(asyncio.create_task(_write(ingest.port, data)))
        connection = await asyncio.wait_for(arrived.get(), 10)
        assert isinstance(connection, FlvConnection)
        items = []
        async with contextlib.aclosing(connection.batches()) as batches:
            async for batch in batches:
                items += batch
        heard.add(in_order(items))
    finally:
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        await ingest.aclose()
    return heard


async def _write(port: int, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        while await reader.read(1 << 16):
            pass
    finally:
        writer.transport.abort()
