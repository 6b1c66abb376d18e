"""Subtitles timed to speech: every word in one utterance, in order, whatever cues they came in."""

import asyncio
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.asr.units import Units
from stream.frames import SPEECH_RATE, Utterance
from stream.media.webvtt import Cue
from stream.speech.agreement import LocalAgreement
from stream.speech.incremental import Incremental
from stream.speech.lengths import SegmentOptions
from stream.speech.script import Prompted, Script
from stream.speech.segment import Segmenter
from stream.timeline import Interval, seconds, ticks

WINDOW = 512
SPAN_S = WINDOW / SPEECH_RATE


def cue(start: float, end: float, text: str) -> Cue:
    return Cue(Interval(ticks(start), ticks(end)), text)


def speech(*spans: tuple[float, float]) -> list[Interval]:
    return [Interval(ticks(start), ticks(end)) for start, end in spans]


def script(cues: list[Cue], spans: list[Interval]) -> Script:
    return Script(cues, spans, "en", translated=False)


def heard(
    cues: list[Cue], spans: list[Interval], length: float, *, mode: str = "incremental"
) -> tuple[Script, list[tuple[Utterance, str]]]:
    """What a file's hearing makes of it, as the session wires it."""
    options = SegmentOptions()
    cutter = Segmenter(options, WINDOW, breaths=mode != "incremental", context=8.0, near=3.0)
    increments = None
    if mode == "incremental":
        units = Units(options, "en", live=False)
        increments = Incremental(cutter, LocalAgreement(1), units, step=math.inf, breath=0.43)
    words = script(cues, spans)
    hearing = Prompted(cutter, increments, words, inline=True)
    found = []
    for index in range(math.ceil(length / SPAN_S)):
        at = ticks((index + 0.5) * SPAN_S)
        voiced = any(span.start <= at < span.end for span in spans)
        found += hearing.push(np.zeros(WINDOW, np.float32), np.float32([0.9 if voiced else 0.01]))
        assert hearing.due() is None
    found += hearing.finish()
    texts = [asyncio.run(words.of_utterance(one.utterance, one.transcript)).text for one in found]
    return words, list(zip([one.utterance for one in found], texts, strict=True))


def test_words_are_spread_over_the_speech_of_their_cue() -> None:
    made = script([cue(0.5, 4.5, "aa bbbb cc dddd")], speech((1.0, 2.0), (3.0, 4.0)))
    assert [word.text for word in made.words] == ["aa", "bbbb", "cc", "dddd"]
    assert [round(word.start, 2) for word in made.words] == [1.0, 1.33, 3.0, 3.33]
    assert made.words[1].end == pytest.approx(2.0) and made.words[3].end == pytest.approx(4.0)


def test_cues_are_cut_and_joined_into_utterances() -> None:
    cues = [cue(0.9, 3.1, "First half of"), cue(3.1, 5, "it. Second sentence.")]
    _, found = heard(cues, speech((1.0, 5.0), (8.0, 9.0)), 10)
    assert [text for _, text in found] == ["First half of it.", "Second sentence.", ""]
    first, second, _ = (one.slot for one, _ in found)
    assert 3 < seconds(first.end) < 4 and first.end <= second.start


def test_a_cue_over_no_speech_is_left_out_and_told() -> None:
    cues = [cue(0, 2, "Here."), cue(20, 22, "Nobody."), cue(4, 5, "There.")]
    made, found = heard(sorted(cues, key=lambda one: one.time), speech((0.5, 2), (4, 5)), 6)
    assert [one.text for one in made.unspoken] == ["Nobody."] and not made.left
    assert [text for _, text in found] == ["Here.", "There."]


def test_cues_that_show_together_or_too_long_take_their_turns() -> None:
    cues = [cue(1, 5, "One."), cue(1, 5, "Two."), cue(3, 6, "Three.")]
    made = script(cues, speech((1, 6)))
    assert [word.text for word in made.words] == ["One.", "Two.", "Three."]
    assert made.words[1].end <= 3.01 <= made.words[2].end


def test_a_little_too_early_or_late_is_no_harm() -> None:
    made = script([cue(0, 1, "Early."), cue(4.4, 5.4, "Late.")], speech((1.2, 2), (3.5, 4.2)))
    assert not made.unspoken and made.words[0].start == pytest.approx(1.2)


SPANS = st.lists(st.tuples(st.floats(0.3, 2.5), st.floats(0.4, 12)), min_size=1, max_size=4)


@given(SPANS, st.data(), st.sampled_from(["incremental", "utterance"]))
def test_every_word_is_said_once(
    gaps: list[tuple[float, float]], data: st.DataObject, mode: str
) -> None:
    at, spans, cues, number = 0.0, [], [], 0
    for pause, length in gaps:
        begin = round((at + pause) / SPAN_S) * SPAN_S
        at = begin + round(length / SPAN_S) * SPAN_S
        spans.append((begin, at))
        parts = data.draw(st.integers(1, 3))
        for part in range(parts):
            words = [f"w{number + n}" for n in range(data.draw(st.integers(1, 9)))]
            number += len(words)
            text = " ".join(words) + data.draw(st.sampled_from(["", ".", ","]))
            step = (at - begin) / parts
            cues.append(cue(begin + part * step, begin + (part + 1) * step, text))
    made, found = heard(cues, speech(*spans), at + 2, mode=mode)
    said = " ".join(text for _, text in found).split()
    assert said == [word.text for word in made.words] and not made.left
    assert len(said) == number and not made.unspoken
