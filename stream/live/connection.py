"""What a live source is made of: one publisher's stay after another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream.frames import AudioChunk, PicturePacket
from stream.live.link import Link

LiveBatch = Sequence[AudioChunk | PicturePacket]


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The state of one connection.

    Attributes:
        transport: how its media arrives, by the name of the protocol.
        concealed: ticks of sound synthesised so far for lost packets (packet loss concealment).
        link: how the network does, where the protocol tells.
    """

    transport: str
    concealed: int = 0
    link: Link | None = None


class Connection(Protocol):
    """One publisher's stay, or a pulled source from opening to end."""

    def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """Stereo sound and picture on a timeline of its own that begins near 0."""
        ...

    async def aclose(self) -> None:
        """Let go of it, so that ``batches`` ends soon; may be called more than once."""
        ...

    def status(self) -> ConnectionStatus:
        """How its media arrives and what was lost on the way; may be called once it is over."""
        ...
