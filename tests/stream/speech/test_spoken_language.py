"""Where the language changes: on a detector that is told by the level of its sound."""

import numpy as np
import pytest

from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Samples, Utterance, Word
from stream.speech.segment import Draft
from stream.speech.spoken_language import SpokenLanguage
from stream.timeline import Interval

LEVELS = {"es": 0.1, "en": 0.5}


def sound(*stretches: tuple[str, float]) -> Samples:
    parts = [np.full(round(length * SPEECH_RATE), LEVELS[one]) for one, length in stretches]
    return np.concatenate(parts).astype(np.float32)


async def by_level(audio: Samples) -> dict[str, float]:
    share = float(np.mean(audio > 0.3))
    return {"en": 0.02 + 0.96 * share, "es": 0.98 - 0.96 * share}


def draft(
    audio: Samples, onset: int = 0, *, resumed: bool = False, after: Word | None = None
) -> Draft:
    """Speech from ``onset`` on: all of the audio, or what follows its context."""
    start = 0 if resumed else onset
    end = start + len(audio)
    return Draft(onset, start, audio, end, ((onset, end),), resumed, after)


async def test_a_draft_ends_where_another_language_begins() -> None:
    spoken = SpokenLanguage(by_level, ("es", "en"))
    audio = sound(("es", 5.0), ("en", 4.0))
    part, language, until = await spoken.of_draft(draft(audio))
    assert language == "es" and until is not None
    assert until / SPEECH_RATE == pytest.approx(5.0, abs=0.45)
    assert part.end == part.voiced == until and part.speech == ((0, until),)
    rest, language, further = await spoken.of_draft(draft(audio[until:], until))
    assert (language, further) == ("en", None) and rest.end == len(audio)


async def test_sound_in_another_language_is_no_context() -> None:
    spoken = SpokenLanguage(by_level, ("es", "en"))
    before, after = sound(("es", 4.0)), sound(("en", 3.0))
    await spoken.of_draft(draft(before))
    both, onset = np.concatenate([before, after]), len(before)
    resumed = draft(both, onset, resumed=True, after=Word("fin", 3.5, 3.9, 1.0))
    for _ in range(2):  # the second time its own language is known
        told, language, _ = await spoken.of_draft(resumed)
        assert language == "en"
        assert (told.start, len(told.audio), told.resumed) == (onset, len(after), False)
        assert told.after is None


async def test_an_utterance_is_in_the_language_of_most_of_it() -> None:
    spoken = SpokenLanguage(by_level, ("es", "en"))
    for stretches, language in (
        ([("es", 3.0), ("en", 6.0)], "en"),
        ([("en", 0.5)], "en"),
        ([("es", 6.0), ("en", 3.0)], "es"),
    ):
        audio = sound(*stretches)
        slot = Interval(0, len(audio) * TICKS_PER_SAMPLE)
        assert await spoken.of_utterance(Utterance(0, slot, audio, 0, "pause")) == language
