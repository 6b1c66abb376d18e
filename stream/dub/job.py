"""One utterance on its way through the stages, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from stream.dub.fit import Placement
from stream.errors import LivedubError
from stream.frames import Fate, Transcript, Utterance
from stream.timeline import Interval


class StageFault(LivedubError):
    """A stage gave nothing usable for one utterance; the message says what it gave."""


@dataclass(slots=True)
class DubJob:
    """The state of one utterance's dub; each stage fills in its own fields.

    Attributes:
        utterance: what was said, and when.
        known: event-loop time at which the utterance had ended.
        hearing: the recogniser's answer to all of it, if that is under way; ``None`` of a failure.
        transcript: what the recogniser heard.
        translation: text to be spoken.
        candidates: translations that there were to choose from.
        chosen: rank of the one that is spoken by the model's own score, from 0.
        reworded: whether it was put in other words before it was heard.
        rate: speaking rate asked of the engine.
        voice: asked of the engine; empty for its configured one.
        placement: where the dub was put.
        lead: ticks at the dub's start that are too quiet to be noticed.
        dub: media interval that it was heard in, lead excluded.
        starved: ticks of silence inside the dub because a piece came too late.
        loudness: of the source speech and of the dub after gain, LUFS.
        available: wall seconds from the source's reaching the slot's start to the first
            sample of the dub being ready; ``None`` offline.
        truncated: whether speech had to be left out at the end.
        streamed: whether playout began before the dub was complete.
        pieces: wall seconds from asking for speech to its first piece and to its last one.
        followed: whether the next one waits for the same stage.
        fate: what became of it; ``None`` while it is under way.
        fault: ``stage: reason`` where the fate is ``failed`` or ``dropped``.
        latency: wall seconds spent in each stage, and in all since the utterance ended.
        timeout: of the stage under way, which may lift it.
    """

    utterance: Utterance
    known: float = 0.0
    hearing: asyncio.Future[Transcript | None] | None = None
    transcript: Transcript | None = None
    translation: str = ""
    candidates: int = 1
    chosen: int = 0
    reworded: bool = False
    rate: float = 1.0
    voice: str = ""
    placement: Placement | None = None
    lead: int = 0
    dub: Interval | None = None
    starved: int = 0
    loudness: tuple[float, float] | None = None
    available: float | None = None
    truncated: bool = False
    streamed: bool = False
    pieces: tuple[float, float] | None = None
    followed: bool = False
    fate: Fate | None = None
    fault: str | None = None
    latency: dict[str, float] = field(default_factory=dict)
    timeout: asyncio.Timeout | None = None

    @property
    def slot(self) -> Interval:
        """The utterance's interval on the media timeline."""
        return self.utterance.slot

    def give_up(self, fate: Fate, fault: str | None = None) -> None:
        """Settle the fate without a dub."""
        self.fate = fate
        self.fault = fault


Work = Callable[[DubJob], Awaitable[None]]
