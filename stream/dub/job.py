"""One utterance on its way through the stages: what each stage hands on, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from stream.dub.course import Cause, Course
from stream.dub.fit import Placement
from stream.dub.jitter import Played
from stream.errors import LivedubError
from stream.frames import Fate, Transcript, Utterance
from stream.speech.doubts import Doubt, doubts
from stream.timeline import Interval, seconds


class StageFault(LivedubError):
    """A stage gave nothing usable for one utterance; the message says what it gave."""


class TooLate(StageFault):
    """What a stage would give comes too late to be worth having; the message says by how much."""


class Stage(StrEnum):
    """What every utterance goes through; the values are the names in reports and metrics."""

    RECOGNITION = "asr"
    DIARISATION = "speakers"
    TRANSLATION = "mt"
    SYNTHESIS = "tts"


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance and its words.

    Attributes:
        utterance: what was said, and when.
        transcript: its words; not empty.
    """

    utterance: Utterance
    transcript: Transcript

    @property
    def id(self) -> int:
        """The utterance's."""
        return self.utterance.id

    @property
    def slot(self) -> Interval:
        """The utterance's interval on the media timeline."""
        return self.utterance.slot


@dataclass(frozen=True, slots=True)
class Translated:
    """What is to be spoken.

    Attributes:
        text: in the target language.
        candidates: translations that there were to choose from.
        chosen: rank of this one by the model's own score, from 0.
        reworded: whether it replaces another that nobody had heard yet.
        mended: whether it replaces another that was broken.
        broken: what is wrong with it all the same, in a few words.
        left: why the original is left as it is, where it is, and this is not spoken.
    """

    text: str
    candidates: int = 1
    chosen: int = 0
    reworded: bool = False
    mended: bool = False
    broken: str | None = None
    left: str | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """Synthesised speech and what was done to fit it into its slot.

    Attributes:
        rate: speaking rate asked of the engine.
        voice: asked of the engine; empty for its configured one.
        pieces: wall seconds from asking for speech to its first piece and to its last one.
        placement: where the dub was put; ``None`` where it was not.
        interval: media interval of all samples that were scheduled.
        lead: ticks at the dub's start that are too quiet to be noticed.
        loudness: of the source speech and of the dub after gain, LUFS.
        available: wall seconds from the source's reaching the slot's start to the first
            sample of the dub being ready; ``None`` offline.
        truncated: whether speech had to be left out at the end.
        streamed: whether playout began before the dub was complete.
        fault: why the dub was dropped, or why it broke off after it had been placed.
    """

    rate: float = 1.0
    voice: str = ""
    pieces: tuple[float, float] | None = None
    placement: Placement | None = None
    interval: Interval = field(default_factory=lambda: Interval(0, 0))
    lead: int = 0
    loudness: tuple[float, float] | None = None
    available: float | None = None
    truncated: bool = False
    streamed: bool = False
    fault: str | None = None


@dataclass(slots=True)
class DubJob:
    """The ledger of one utterance in one lane: the newest record of each stage.

    The lane's tasks alone write it; everybody else reads.

    Attributes:
        utterance: what was said, and when.
        known: event-loop time at which the utterance was found to have ended.
        transcript: its words.
        translated: what is to be spoken.
        spoken: how it was spoken.
        played: when it was heard.
        fate: what became of it; ``None`` while it is under way.
        fault: ``stage: reason`` where the fate is ``failed`` or ``dropped``.
        latency: wall seconds spent in each stage, and under ``total`` in all of them since the
            utterance ended.
        course: what time goes to until the dub is ready; ``None`` offline, where nobody waits.
    """

    utterance: Utterance
    known: float = 0.0
    transcript: Transcript | None = None
    translated: Translated | None = None
    spoken: Spoken | None = None
    played: Played | None = None
    fate: Fate | None = None
    fault: str | None = None
    latency: dict[str, float] = field(default_factory=dict)
    course: Course | None = None

    @property
    def id(self) -> int:
        """The utterance's."""
        return self.utterance.id

    @property
    def slot(self) -> Interval:
        """The utterance's interval on the media timeline."""
        return self.utterance.slot

    @property
    def heard(self) -> Heard:
        """The utterance with its words; they must be known."""
        assert self.transcript is not None
        return Heard(self.utterance, self.transcript)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What speaks against its words."""
        if self.transcript is None:
            return ()
        return doubts(self.transcript, seconds(self.slot.duration))

    @property
    def text(self) -> str:
        """What was said, as far as that is known."""
        return self.transcript.text if self.transcript is not None else ""

    @property
    def language(self) -> str:
        """That it was said in, as far as that is known."""
        return self.transcript.language if self.transcript is not None else ""

    @property
    def translation(self) -> str:
        """What is to be spoken, as far as that is known."""
        return self.translated.text if self.translated is not None else ""

    @property
    def placement(self) -> Placement | None:
        """Where the dub was put, if it was."""
        return self.spoken.placement if self.spoken is not None else None

    @property
    def available(self) -> float | None:
        """See ``Spoken``."""
        return self.spoken.available if self.spoken is not None else None

    @property
    def dub(self) -> Interval | None:
        """Media interval in which the dub was noticeably heard."""
        if self.played is None:
            return None
        lead = self.spoken.lead if self.spoken is not None else 0
        whole = self.played.interval
        return Interval(min(whole.start + lead, whole.end), whole.end)

    @property
    def onset_causes(self) -> dict[Cause, float]:
        """Seconds by cause that add up to the onset delay; see ``Course.causes``."""
        onset = None if self.dub is None else seconds(self.dub.start - self.slot.start)
        if self.course is not None:
            return self.course.causes(onset)
        return {} if onset is None else {Cause.OVERRUN: onset}

    def for_lane(self) -> DubJob:
        """A ledger of its own for one of several lanes."""
        course = None if self.course is None else self.course.copy()
        return replace(self, latency=dict(self.latency), course=course)

    def give_up(self, fate: Fate, fault: str | None = None) -> None:
        """Settle the fate without a dub."""
        self.fate = fate
        self.fault = fault
