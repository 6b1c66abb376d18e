"""Media of a source, read in a thread of its own and handed over in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Protocol, TypeVar

from stream.flow.worker import Worker
from stream.frames import AudioChunk, CopiedPacket, PicturePacket
from stream.media.bounds import OVERHEAD

MOST_BYTES = 4 << 20
"""Of a batch; more only if a single packet is larger."""

Item = TypeVar("Item", bound=AudioChunk | CopiedPacket | PicturePacket)
Item_co = TypeVar("Item_co", bound=AudioChunk | CopiedPacket | PicturePacket, covariant=True)


class Media(Protocol[Item_co]):
    """Media in order that is read by blocking, such as a ``MediaSource``."""

    def __iter__(self) -> Iterator[Item_co]: ...

    def close(self) -> None:
        """Let go of the source; not while another thread iterates."""
        ...


async def batches(
    source: Media[Item], span: int, *, close: bool = False
) -> AsyncGenerator[list[Item], None]:
    """The media of a source, read in a thread of its own, in lists of about ``span`` ticks.

    With ``close`` the source is closed by whoever reads it last, which is the thread itself
    where it hangs in the network.
    """
    worker = Worker("source")
    reading = worker.stream(lambda: batched(source, span, close=close))
    try:
        async for items in reading:
            yield items
    finally:
        await reading.aclose()
        await worker.aclose()


def batched(source: Media[Item], span: int, *, close: bool) -> Iterator[list[Item]]:
    """Lists of about ``span`` ticks, to cross threads less often; see `batches`.

    What a source sends without its time going on ends a list by its size.
    """
    batch: list[Item] = []
    begin: int | None = None
    held = 0
    try:
        for item in source:
            batch.append(item)
            held += item.size + OVERHEAD
            time = item.end if isinstance(item, AudioChunk) else item.time
            begin = time if begin is None else begin
            if time - begin >= span or held >= MOST_BYTES:
                yield batch
                batch, begin, held = [], None, 0
        if batch:
            yield batch
    finally:
        if close:
            source.close()
