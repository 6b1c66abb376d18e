"""What a WHIP source delivers."""

from __future__ import annotations

from server.webrtc.whip import WhipSource
from stream.frames import AudioChunk, PicturePacket
from stream.timeline import TICK_RATE
from tests.helpers.rtc import brightenings, onset_in


class Received:
    """What a source delivers, checked as it comes."""

    def __init__(self) -> None:
        self.chunks: list[AudioChunk] = []
        self.pictures: list[PicturePacket] = []

    async def read(self, source: WhipSource) -> None:
        async for batch in source.batches():
            for item in batch:
                if isinstance(item, AudioChunk):
                    assert item.start == (self.chunks[-1].end if self.chunks else 0)
                    self.chunks.append(item)
                else:
                    assert not self.pictures or item.time > self.pictures[-1].time
                    self.pictures.append(item)

    def seconds(self) -> float:
        return self.chunks[-1].end / TICK_RATE if self.chunks else 0.0

    def beeps(self) -> list[float]:
        times, silent = [], True
        for chunk in self.chunks:
            for at in range(0, len(chunk.samples), 960):
                onset = onset_in(chunk.samples[at : at + 960])
                if silent and onset is not None:
                    times.append((chunk.start + at + onset) / TICK_RATE)
                silent = onset is None
        return times

    def flashes(self) -> list[float]:
        packets = [(p.shown, p.data) for p in self.pictures]
        return [t / TICK_RATE for t in brightenings(self.pictures[0].format.codec, packets)]

    def offsets(self) -> list[float]:
        beeps = self.beeps()
        pairs = [(f, min(beeps, key=lambda b: abs(b - f))) for f in self.flashes()]
        return [f - b for f, b in pairs if abs(f - b) < 0.5]
