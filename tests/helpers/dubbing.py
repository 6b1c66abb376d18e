"""A source, engines and a viewer that do exactly what a test says, for a lane or a pipeline.

Meant for an event loop with virtual time: what takes 0.7 s here takes 0.7 s to the last digit.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream.clock.pacing import Live, Offline, Pacing, RealTime
from stream.clock.playout_clock import PlayoutClock
from stream.dub.attempt import Attempts, Notice, Settled
from stream.dub.fit import FitOptions
from stream.dub.job import DubJob, Heard, Translated
from stream.dub.lane import Lane, LaneOptions
from stream.dub.lateness import Lateness
from stream.dub.pipeline import Pipeline
from stream.dub.playout import Block
from stream.dub.recognition import Recogniser, Recognition, Speakers
from stream.dub.voice import Voice
from stream.frames import (
    SPEECH_RATE,
    AudioChunk,
    Batch,
    Fate,
    Manner,
    PictureFormat,
    PicturePacket,
    Samples,
    Transcript,
    Utterance,
)
from stream.sound.mix import MixOptions
from stream.speech.detection import Detection, VoiceActivity
from stream.speech.hearing import Hearing
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Segmenter
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
        cast: Callable[[str], str] = lambda speaker: "",
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


def by_level(takes: float = 0.0) -> Callable[[Samples], Awaitable[Samples]]:
    """A detector: what is loud is speech."""

    async def detect(audio: Samples) -> Samples:
        if takes:
            await asyncio.sleep(takes)
        loud = np.mean(audio.reshape(-1, WINDOW) ** 2, axis=1) > 0.005
        return np.where(loud, 0.9, 0.02).astype(np.float32)

    return detect


async def no_words(audio: Samples) -> Transcript:
    return Transcript("", "en")


@dataclass
class Whole:
    """A recogniser of whole utterances: as many letters as tenths of a second were said."""

    takes: float = 0.2
    faults: dict[int, Exception] = field(default_factory=dict)
    empty: frozenset[int] = frozenset()
    asked: list[tuple[int, Transcript | None]] = field(default_factory=list)

    async def __call__(self, utterance: Utterance, known: Transcript | None) -> Transcript:
        self.asked.append((utterance.id, known))
        await asyncio.sleep(self.takes)
        if utterance.id in self.faults:
            raise self.faults[utterance.id]
        if utterance.id in self.empty:
            return Transcript(" ", "en")
        if known is not None:
            return known
        return Transcript("x" * max(1, utterance.slot.duration * 10 // TICK_RATE), "en")


def spoken_source(
    speech: Sequence[tuple[int, int]], windows: int, pictures: Sequence[PicturePacket] = ()
) -> tuple[Samples, Sequence[PicturePacket]]:
    """Mono sound at 48 kHz with a tone from one VAD window to another; and pictures."""
    sound = np.zeros(windows * SPAN, np.float32)
    for first, last in speech:
        sound[first * SPAN : last * SPAN] = tone((last - first) * SPAN / TICK_RATE)
    return sound, pictures


class Station:
    """A pipeline of scripted engines, from a source to one viewer for each lane.

    Args:
        speech: stretches of speech, in VAD windows.
        windows: length of the source.
        pacing: wall time; a live source delivers at its own pace.
        cuts: where the source is divided, ticks; every window where not given.
        voices: one for each lane.
        capacity: seconds of source that may wait.
    """

    def __init__(
        self,
        speech: Sequence[tuple[int, int]],
        windows: int,
        pacing: Pacing,
        *,
        cuts: Sequence[int] | None = None,
        pictures: Sequence[PicturePacket] = (),
        voices: Sequence[Tones] = (),
        detect: Callable[[Samples], Awaitable[Samples]] | None = None,
        whole: Callable[[Utterance, Transcript | None], Awaitable[Transcript]] | None = None,
        words: Callable[[Samples], Awaitable[Transcript]] = no_words,
        hearing: Hearing | None = None,
        speakers: Speakers | None = None,
        translate: Callable[[Heard, asyncio.Timeout], Awaitable[Translated]] = same,
        mix: MixOptions | None = None,
        fit: FitOptions | None = None,
        capacity: float = 30.0,
        deadline: float = 10.0,
        fault: Exception | None = None,
    ) -> None:
        self.pacing = pacing
        self.sound, self.pictures = spoken_source(speech, windows, pictures)
        self.cuts = cuts if cuts is not None else range(SPAN, windows * SPAN, SPAN)
        self.voices = voices or [Tones()]
        self.whole = whole or Whole()
        self.viewers = [Viewer() for _ in self.voices]
        self.read: list[tuple[float, int]] = []
        """When the source delivered up to where."""
        self.closed = False
        self._fault = fault
        self.notices: list[Notice] = []
        detector = VoiceActivity(detect or by_level(), WINDOW, deadline=1.0)
        self.detection = Detection(detector, None, live=pacing.running)
        recogniser = Recogniser(words, 5.0, self.whole, deadline)
        lateness = Lateness()
        attempts = Attempts(pacing, lateness, self.notices.append)
        hearing = hearing or Hearing(Segmenter(SegmentOptions(), WINDOW), inline=not pacing.live)
        recognition = Recognition(hearing, recogniser, attempts, speakers)
        options = LaneOptions(
            1, None, mix or MixOptions(), fit or FitOptions(), ticks(capacity), deadline, deadline
        )
        self.lanes = [
            Lane(
                f"lane {index}",
                lambda lane: translate,
                voice.voice(),
                options,
                pacing,
                lateness,
                viewer.emit,
                viewer.watch,
            )
            for index, (voice, viewer) in enumerate(zip(self.voices, self.viewers, strict=True))
        ]
        self.pipeline = Pipeline(self._media(), self.detection, recognition, self.lanes, pacing)

    async def run(self) -> None:
        try:
            await self.pipeline.run()
        finally:
            for lane in self.lanes:
                await lane.aclose()

    @property
    def jobs(self) -> list[DubJob]:
        """Of the first lane."""
        return list(self.lanes[0].jobs.values())

    async def _media(self) -> AsyncGenerator[Batch, None]:
        try:
            bounds = [0, *self.cuts, len(self.sound)]
            pictures = list(self.pictures)
            for start, end in zip(bounds[:-1], bounds[1:], strict=True):
                if self.pacing.running:
                    due = START + end / TICK_RATE
                    await asyncio.sleep(due - asyncio.get_running_loop().time())
                batch: list[AudioChunk | PicturePacket] = []
                while pictures and pictures[0].time < end:
                    batch.append(pictures.pop(0))
                if end > start:
                    batch.append(AudioChunk(start, self.sound[start:end, None]))
                if not batch:
                    continue
                self.read.append((since_start(), end))
                yield batch
            if pictures:
                yield pictures
            if self._fault is not None:
                raise self._fault
        finally:
            self.closed = True


def live(delay: float = 4.0) -> Live:
    """A live source's pacing."""
    return Live(PlayoutClock(delay))
