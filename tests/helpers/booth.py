"""A lane by itself, sent what a test says when it says, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stream.clock.pacing import Live, Offline, Pacing, RealTime
from stream.dub.fit import FitOptions
from stream.dub.job import DubJob, Heard, Translated
from stream.dub.lane import Lane, LaneOptions
from stream.dub.lateness import Lateness
from stream.dub.voice import Voice
from stream.frames import (
    SPEECH_RATE,
    AudioChunk,
    Fate,
    Samples,
    Transcript,
    Utterance,
)
from stream.sound.mix import MixOptions
from stream.timeline import TICK_RATE, Interval, ticks
from tests.helpers.dubbing import LEVEL, Tones, Viewer, same, since_start
from tests.helpers.virtual_time import START


@dataclass(frozen=True)
class Said:
    """An utterance that a lane is sent.

    Attributes:
        start, end: of its slot, seconds.
        text: its words and, unless a test translates, what is spoken; of a letter for each tenth
            of a second where it is not given.
        at: when the lane is sent it, seconds since the start; at its end where not given.
        known: when it is announced; when it is sent where not given.
        fate: what it has become before.
    """

    start: float
    end: float
    text: str = ""
    at: float | None = None
    known: float | None = None
    fate: Fate | None = None

    @property
    def sent(self) -> float:
        return self.end if self.at is None else self.at

    @property
    def announced(self) -> float:
        return self.sent if self.known is None else self.known

    def job(self, id_: int, sound: Samples) -> DubJob:
        slot = Interval(ticks(self.start), ticks(self.end))
        utterance = Utterance(id_, slot, sound, slot.start, "pause")
        text = self.text or "abcdefghij"[id_ % 10] * round(10 * (self.end - self.start))
        return DubJob(utterance, START + self.announced, Transcript(text, "en"), fate=self.fate)


class Booth:
    """A lane by itself under a source of an even level, sent what a test says when it says."""

    def __init__(
        self,
        voice: Tones | Voice,
        pacing: Pacing | None = None,
        *,
        length: float = 12.0,
        lateness: Lateness | None = None,
        mix: MixOptions | None = None,
        fit: FitOptions | None = None,
        translate: Callable[[Heard, asyncio.Timeout], Awaitable[Translated]] = same,
        deadline: float = 30.0,
        keep: int | None = None,
        queued: int = 8,
    ) -> None:
        self.pacing = pacing or RealTime(4.0)
        self.viewer = Viewer()
        self.length = length
        self.speech = np.zeros(SPEECH_RATE, np.float32)  # no loudness, so that no gain follows
        self.jobs: list[DubJob] = []
        self._queued = queued
        options = LaneOptions(
            1, None, mix or MixOptions(), fit or FitOptions(), 60 * TICK_RATE, deadline, deadline,
            keep,
        )  # fmt: skip
        self.lane = Lane(
            "pt",
            lambda lane: translate,
            voice.voice() if isinstance(voice, Tones) else voice,
            options,
            self.pacing,
            lateness or Lateness(),
            self.viewer.emit,
            self.viewer.watch,
        )

    async def run(self, *said: Said) -> None:
        """Until the source has been played out."""
        self.jobs = [one.job(id_, self.speech) for id_, one in enumerate(said)]
        sound = np.full((ticks(self.length), 1), LEVEL, np.float32)
        self.pacing.start()
        if isinstance(self.pacing, Live):
            await self.pacing.source(0)
        await self.lane.playout.feed([AudioChunk(0, sound)])
        try:
            async with asyncio.TaskGroup() as group:
                working = self.lane.open(group, self._queued)
                working.append(group.create_task(self._say(said)))
                if not isinstance(self.pacing, Offline):
                    working.append(group.create_task(self._settle(said)))
                await group.create_task(self.lane.play())
                for task in working:
                    task.cancel()
        finally:
            await self.lane.aclose()

    async def _settle(self, said: Sequence[Said]) -> None:
        """Ten times a second: nothing but what was announced starts before now."""
        while True:
            now = since_start()
            ahead = [one.start for one in said if one.announced >= now]
            self.lane.playout.settle(ticks(min([now, *ahead])))
            await asyncio.sleep(0.1)

    async def _say(self, said: Sequence[Said]) -> None:
        events = [(one.announced, 0, id_) for id_, one in enumerate(said)]
        events += [(one.sent, 1, id_) for id_, one in enumerate(said)]
        for at, sends, id_ in sorted(events):
            if not isinstance(self.pacing, Offline):
                await asyncio.sleep(START + at - asyncio.get_running_loop().time())
            if sends:
                await self.lane.send(self.jobs[id_])
            else:
                slot = self.jobs[id_].slot
                self.lane.playout.announce(id_, slot)
                self.lane.playout.settle(slot.end)
        self.lane.playout.end_source()
        self.lane.close()
