"""A pipeline of scripted engines, from a source to its viewers, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.attempt import Attempts, Notice
from stream.dub.fit import FitOptions
from stream.dub.job import DubJob, Heard, Translated
from stream.dub.lane import Lane, LaneOptions
from stream.dub.lateness import Lateness
from stream.dub.pipeline import Pipeline
from stream.dub.recognition import Recogniser, Recognition, Speakers
from stream.frames import (
    AudioChunk,
    Batch,
    PicturePacket,
    Samples,
    Transcript,
    Utterance,
)
from stream.sound.channels import SpeechChannels
from stream.sound.mix import MixOptions
from stream.speech.detection import Detection, VoiceActivity
from stream.speech.enhancement import Enhancement, SpeechEnhancer
from stream.speech.hearing import Hearing
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Segmenter
from stream.timeline import TICK_RATE, ticks
from tests.helpers.dubbing import SPAN, WINDOW, Tones, Viewer, same, since_start, tone
from tests.helpers.virtual_time import START


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
        enhancer: SpeechEnhancer | None = None,
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
        self.detection = Detection(detector, SpeechChannels(None), live=pacing.running)
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
        enhancement = None
        if enhancer is not None:
            enhancement = Enhancement(enhancer, SpeechChannels(None), live=pacing.live)
        self.pipeline = Pipeline(
            self._media(), self.detection, recognition, self.lanes, pacing, enhancement
        )

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
