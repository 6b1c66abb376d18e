"""What the time from the first sound of an utterance to the first of its dub goes to.

One cause follows another without a gap, so that they add up to the whole: the dub's onset delay.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Cause(StrEnum):
    """What time goes to, in its order; the values are the names in reports.

    Attributes:
        SPEECH: the utterance itself.
        ENDPOINTING: until it is known to have ended, or to be cut.
        RECOGNITION: of its words and its speaker, as far as that goes on after its end.
        CORE: waiting for a model that is in use, and for utterances before this one.
        TRANSLATION: of its words.
        QUEUE: waiting for the voice, which speaks the dub before.
        VOICE: until the first sound of the dub has its place.
        DELAY: less the playout delay, within which all that has to be done.
        SPARE: of the delay, where the dub is ready before its time.
        OVERRUN: the dub before is too long for its slot and still heard; less what the dub begins
            before its time.
    """

    SPEECH = "speech"
    ENDPOINTING = "endpointing"
    RECOGNITION = "recognition"
    CORE = "core"
    TRANSLATION = "translation"
    QUEUE = "queue"
    VOICE = "voice"
    DELAY = "delay"
    SPARE = "spare"
    OVERRUN = "overrun"


@dataclass(slots=True)
class Course:
    """An utterance's time, as it goes; event-loop times, in seconds.

    Attributes:
        first: when its first sound came from the source.
        at: up to when it is known what the time went to.
        due: when the viewer sees its first sound.
        spent: seconds that each cause has taken.
        over: whether the dub has its place: later work delays it no more.
    """

    first: float
    at: float
    due: float
    spent: dict[Cause, float] = field(default_factory=dict)
    over: bool = False

    def until(self, time: float, cause: Cause, waited: float = 0.0) -> None:
        """What happened since is put down to ``cause``, but for ``waited`` seconds of it."""
        passed = time - self.at
        if self.over or passed <= 0:
            return
        core = min(waited, passed)
        for each, took in ((Cause.CORE, core), (cause, passed - core)):
            self.spent[each] = self.spent.get(each, 0.0) + took
        self.at = time

    def copy(self) -> Course:
        """For another lane."""
        return replace(self, spent=dict(self.spent))

    def causes(self, onset: float | None) -> dict[Cause, float]:
        """Seconds by cause, which add up to the onset delay.

        Args:
            onset: seconds from the utterance's start to its dub's, in media time; ``None`` without
                a dub: the causes then add up to the time from when the dub was due to when it was
                given up.
        """
        spare = max(self.due - self.at, 0.0)
        found = dict.fromkeys(Cause, 0.0) | self.spent | {Cause.DELAY: self.first - self.due}
        if onset is not None:
            found |= {Cause.SPARE: spare, Cause.OVERRUN: onset - max(self.at - self.due, 0.0)}
        return found
