"""Media of a source, read in a thread of its own and handed over in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from stream.flow.worker import Worker
from stream.frames import (
    AudioChunk,
    Batch,
    CopiedPacket,
)
from stream.media.source import MediaSource


async def batches(
    source: MediaSource, span: int, *, close: bool = False
) -> AsyncGenerator[Batch, None]:
    """The media of a source, read in a thread of its own, in lists of about ``span`` ticks.

    With ``close`` the source is closed by whoever reads it last, which is the thread itself
    where it hangs in the network.
    """
    worker = Worker("source")
    reading = worker.stream(lambda: _batches(source, span, close=close))
    try:
        async for items in reading:
            yield items
    finally:
        await reading.aclose()
        await worker.aclose()


def _batches(
    source: MediaSource, span: int, *, close: bool
) -> Iterator[list[AudioChunk | CopiedPacket]]:
    """Fewer hand-overs between threads."""
    batch: list[AudioChunk | CopiedPacket] = []
    begin: int | None = None
    try:
        for item in source:
            batch.append(item)
            time = item.end if isinstance(item, AudioChunk) else item.time
            begin = time if begin is None else begin
            if time - begin >= span:
                yield batch
                batch, begin = [], None
        if batch:
            yield batch
    finally:
        if close:
            source.close()
