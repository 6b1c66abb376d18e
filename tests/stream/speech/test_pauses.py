"""A pause is written down where it is, and nowhere else."""

import pytest

from stages.asr.units import Units
from stream.frames import Word, written
from stream.speech.lengths import SegmentOptions
from stream.speech.pauses import marked
from stream.timeline import Interval, ticks


def heard(*words: tuple[str, float, float]) -> list[Word]:
    return [Word(text, start, end, 1.0) for text, start, end in words]


def stretches(*speech: tuple[float, float]) -> list[Interval]:
    return [Interval(ticks(start), ticks(end)) for start, end in speech]


WAITING = heard(("several", 1.0, 1.4), ("hours", 1.4, 1.9), ("the", 2.2, 2.3), ("time", 2.3, 2.7))


@pytest.mark.parametrize(
    ("speech", "text"),
    [
        ([(1.0, 1.85), (2.15, 2.7)], "several hours, the time"),
        ([(1.0, 1.85), (1.95, 2.7)], "several hours the time"),  # too short for a pause
        ([(1.0, 2.7)], "several hours the time"),
        ([(1.0, 1.8), (2.1, 2.25), (2.5, 2.7)], "several hours, the time"),  # an article leans on
        ([(1.0, 1.8), (2.1, 2.7), (5.0, 6.0)], "several hours, the time"),  # no words there
    ],
)
def test_a_comma_stands_for_a_pause(speech: list[tuple[float, float]], text: str) -> None:
    units = Units(SegmentOptions(), "en", live=False)
    assert written(marked(WAITING, stretches(*speech), units.mark)) == text


@pytest.mark.parametrize(
    ("language", "words", "text"),
    [
        ("en", ("stop.", "Then"), "stop. Then"),
        ("en", ("21", "30"), "21 30"),
        ("en", ("waited", "and"), "waited, and"),
        ("en", ("with", "which"), "with, which"),
        ("en", ("the", "house"), "the house"),
        ("de", ("das", "Haus"), "das Haus"),  # no words of this language are known to lean
    ],
)
def test_no_mark_parts_what_belongs_together(
    language: str, words: tuple[str, str], text: str
) -> None:
    units = Units(SegmentOptions(), language, live=False)
    parts = heard((words[0], 1.0, 1.4), (words[1], 2.0, 2.4))
    assert written(marked(parts, stretches((1.0, 1.4), (2.0, 2.4)), units.mark)) == text


def test_words_without_company_and_parts_of_words_are_left_alone() -> None:
    speech = stretches((1.0, 1.4), (2.0, 2.4))
    assert marked([], speech, lambda one, other: ",") == []
    alone = heard(("well", 1.0, 1.4))
    assert marked(alone, speech, lambda one, other: ",") == alone
    parts = [*alone, Word("known", 2.0, 2.4, 1.0, joined=True)]
    assert marked(parts, speech, lambda one, other: ",") == parts


def test_live_a_pause_is_written_before_conjunctions_alone() -> None:
    units = Units(SegmentOptions(), "en", live=True)
    one, two, three = heard(("hours", 1.0, 1.4), ("the", 2.0, 2.4), ("and", 2.0, 2.4))
    assert (units.mark(one, two), units.mark(one, three)) == ("", ",")
