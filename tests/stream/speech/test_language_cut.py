"""An utterance ends where another language begins, whatever was recognised of it."""

from dataclasses import replace

import numpy as np
import pytest

from stages.asr.units import Units
from stream.frames import SPEECH_RATE, Transcript, Word, written
from stream.speech.agreement import LocalAgreement
from stream.speech.hearing import Hearing
from stream.speech.incremental import Found, Incremental
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Segmenter
from stream.timeline import TICK_RATE

OPTIONS = SegmentOptions()
WINDOW = 512
CHANGE_S = 3.0
SPANISH = [Word("Vale,", 0.1, 0.6, 1.0), Word("lo", 0.6, 1.2, 1.0), Word("veo.", 1.2, 2.4, 1.0)]
ENGLISH = [Word("I", 3.2, 3.6, 1.0), Word("see.", 3.6, 4.8, 1.0)]


def run(spanish: list[Word], incremental: bool) -> list[Found]:
    """Five seconds of speech without a pause, told apart at ``CHANGE_S``."""
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=not incremental)
    units = Units(OPTIONS, "", live=False)
    policy = Incremental(segmenter, LocalAgreement(1), units, step=float("inf"), breath=0.4)
    hearing = Hearing(segmenter, policy if incremental else None, inline=True)
    done: list[Found] = []
    change = round(CHANGE_S * SPEECH_RATE)
    for index in range(round(6.5 * SPEECH_RATE / WINDOW)):
        voiced = index * WINDOW < 5 * SPEECH_RATE
        done += hearing.push(np.zeros(WINDOW, np.float32), np.float32([voiced]))
        while (draft := hearing.due()) is not None:
            first = draft.onset < change - WINDOW
            by = draft.start / SPEECH_RATE
            words = tuple(
                replace(word, start=word.start - by, end=word.end - by)
                for word in (spanish if first else ENGLISH)
            )
            said = Transcript(written(words), "es" if first else "en", words)
            done += hearing.answer(said, until=change if first else None)
    return done + hearing.finish()


def times(found: list[Found]) -> list[tuple[float, float]]:
    slots = [one.utterance.slot for one in found]
    return [(round(s.start / TICK_RATE, 1), round(s.end / TICK_RATE, 1)) for s in slots]


@pytest.mark.parametrize("count", [3, 2, 0], ids=["a sentence", "part of one", "no word"])
def test_the_utterance_ends_there(count: int) -> None:
    first, second = run(SPANISH[:count], incremental=True)
    assert times([first, second]) == [(0.0, 3.0), (3.0, 5.0)]
    assert first.utterance.ended_by == "cut"
    assert second.transcript is not None
    assert (second.transcript.language, second.transcript.text) == ("en", "I see.")
    if count:
        assert first.transcript is not None and first.transcript.language == "es"
        assert first.transcript.text == " ".join(word.text for word in SPANISH[:count])
    else:
        assert first.transcript is None  # to be recognised as a whole


def test_without_drafts_only_what_is_too_long_is_cut() -> None:
    assert times(run(SPANISH, incremental=False)) == [(0.0, 5.0)]
