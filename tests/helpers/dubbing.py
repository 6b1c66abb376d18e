"""A voice and a viewer that do exactly what a test says, for a lane or a pipeline.

Meant for an event loop with virtual time: what takes 0.7 s here takes 0.7 s to the last digit.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable

import numpy as np

from stream.clock.pacing import Live
from stream.clock.playout_clock import PlayoutClock
from stream.dub.attempt import Notice, Settled
from stream.dub.job import Heard, Translated
from stream.dub.playout import Block
from stream.dub.voice import Voice
from stream.frames import (
    Manner,
    PictureFormat,
    PicturePacket,
    Samples,
)
from stream.timeline import FRAME, TICK_RATE, Interval, ticks
from tests.helpers.virtual_time import START

WINDOW = 512
"""Samples of a VAD window."""

SPAN = 3 * WINDOW
"""Ticks of a VAD window: 32 ms."""

LETTERS_PER_SECOND = 10.0
"""The voice's speed."""

LEVEL = 0.1
"""Of the source's own sound where a lane is driven by itself."""

PICTURE = PictureFormat("h264", b"", 160, 90)


def since_start() -> float:
    """Seconds since the virtual clock began."""
    return asyncio.get_running_loop().time() - START


def tone(length: float, rate: int = TICK_RATE) -> Samples:
    """A tone of ``length`` seconds whose level is even from the first sample on."""
    time = np.arange(round(length * rate)) / rate
    return (0.2 * np.cos(2 * np.pi * 1000 * time)).astype(np.float32)


def picture(time: float, *, key: bool = False) -> PicturePacket:
    """A coded picture at ``time`` seconds."""
    return PicturePacket(PICTURE, ticks(time), ticks(time), key, b"")


class Tones:
    """A voice: a tone of a second for ten letters.

    Args:
        takes: seconds until the first piece of speech is there.
        pieces: how many pieces it comes in.
        apart: seconds from one piece to the next.
        faults: by text: raised after so many pieces.
        hangs: by text: pieces after which nothing more comes.
    """

    def __init__(
        self,
        takes: float = 0.7,
        *,
        pieces: int = 1,
        apart: float = 0.0,
        faults: dict[str, tuple[int, Exception]] | None = None,
        hangs: dict[str, int] | None = None,
    ) -> None:
        self.takes, self.apart, self.pieces = takes, apart, pieces
        self.faults, self.hangs = faults or {}, hangs or {}
        self.asked: list[tuple[float, str, Manner]] = []
        """When, what and how."""
        self.speaking = 0
        """Texts being spoken now: at most one, and none in the end."""

    async def synthesise(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        self.asked.append((since_start(), text, manner))
        self.speaking += 1
        try:
            sound = tone(len(text) / LETTERS_PER_SECOND / manner.rate)
            after, fault = self.faults.get(text, (-1, None))
            for index, piece in enumerate(np.array_split(sound, self.pieces)):
                await self._wait(text, index, after, fault)
                yield piece
            await self._wait(text, self.pieces, after, fault)
        finally:
            self.speaking -= 1

    async def _wait(self, text: str, index: int, after: int, fault: Exception | None) -> None:
        if index < self.pieces:
            await asyncio.sleep(self.apart if index else self.takes)
        if self.hangs.get(text) == index:
            await asyncio.sleep(math.inf)
        if index == after and fault is not None:
            raise fault

    def voice(
        self,
        rates: tuple[float, float] = (1.0, 1.0),
        cast: Callable[[str, int], str] = lambda speaker, time: "",
    ) -> Voice:
        return Voice(self.synthesise, TICK_RATE, rates, LETTERS_PER_SECOND, cast)


class Viewer:
    """Keeps what comes out, and when."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.times: list[float] = []
        """Of each block, seconds since the start."""
        self.notices: list[Notice] = []

    async def emit(self, block: Block) -> None:
        self.blocks.append(block)
        self.times.append(since_start())

    def watch(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def sound(self) -> Samples:
        return np.concatenate([block.audio for block in self.blocks])

    @property
    def bed(self) -> Samples:
        return np.concatenate([block.bed for block in self.blocks])

    @property
    def dub(self) -> Samples:
        return np.concatenate([block.dub for block in self.blocks])

    @property
    def settled(self) -> list[tuple[str, int]]:
        """Track and utterance, in order."""
        return [(n.track, n.job.id) for n in self.notices if isinstance(n, Settled)]

    def heard(self) -> list[Interval]:
        """Where there is dub."""
        loud = np.concatenate([[0], np.abs(self.dub) > 0, [0]]).astype(np.int8)
        # A tone passes through zero for a sample now and then.
        edges = np.flatnonzero(np.diff(loud)).reshape(-1, 2).tolist()
        found: list[Interval] = []
        for start, end in edges:
            if found and start - found[-1].end < FRAME // 4:
                start = found.pop().start
            found.append(Interval(start, end))
        return found


async def same(heard: Heard, limit: asyncio.Timeout) -> Translated:
    """A translation: the same words, at once."""
    return Translated(heard.transcript.text)


def live(delay: float = 4.0) -> Live:
    """A live source's pacing."""
    return Live(PlayoutClock(delay))
