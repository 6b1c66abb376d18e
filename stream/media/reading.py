"""Media of a source, read in a thread of its own and handed over in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Protocol, TypeVar

from stream.flow.worker import Worker
from stream.frames import AudioChunk, CopiedPacket, PicturePacket

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
    """Lists of about ``span`` ticks, to cross threads less often; see `batches`."""
    batch: list[Item] = []
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
