"""Lag metrics against what SimulEval and the StreamLAAL tool made of the same runs.

``data/simuleval.json`` holds made-up runs and the scores of SimulEval's own scorers for them; for
StreamLAAL, those of FBK's ``stream_laal.py`` with ``mweralign`` as its segmenter. How they were
made is in docs/use/evaluation.md.
"""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from server.evaluation.lagging import (
    TokenChunk,
    average_lagging,
    average_token_delay,
    length_adaptive_average_lagging,
    speech_tokens,
)
from server.evaluation.words import resegment

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "simuleval.json").read_text("utf-8"))


@pytest.mark.parametrize("run", RECORDED["text"])
def test_lagging_as_simuleval_has_it(run: dict) -> None:
    given_ = run["delays"], run["source_length"], run["reference_length"]
    assert average_lagging(*given_) == pytest.approx(run["AL"])
    assert length_adaptive_average_lagging(*given_) == pytest.approx(run["LAAL"])


@pytest.mark.parametrize("run", RECORDED["speech"])
def test_token_delay_as_simuleval_has_it(run: dict) -> None:
    chunks, spoken = [], 0.0
    for (before, delay), length in zip(
        pairwise([0, *run["delays"]]), run["durations"], strict=True
    ):
        start = max(delay, spoken)
        spoken = start + length
        chunks.append(
            TokenChunk(speech_tokens(before, delay, 300), speech_tokens(start, spoken, 300))
        )
    assert average_token_delay(chunks) == pytest.approx(run["ATD"])


@pytest.mark.parametrize("run", RECORDED["stream"])
def test_stream_laal_as_its_tool_has_it(run: dict) -> None:
    words = run["prediction"].split()
    references = [reference["text"] for reference in run["references"]]
    cuts = resegment(words, references)
    assert [" ".join(words[cut]) for cut in cuts] == run["segments"]
    scores = []
    for reference, cut in zip(run["references"], cuts, strict=True):
        delays = [max(0.0, d - 1000 * reference["start"]) for d in run["delays"][cut]]
        if delays:
            length, count = 1000 * reference["duration"], len(reference["text"].split())
            scores.append(length_adaptive_average_lagging(delays, length, count))
    assert sum(scores) / len(scores) == pytest.approx(run["StreamLAAL"])


DELAYS = st.lists(st.floats(0, 20), min_size=1, max_size=20).map(sorted)


@given(DELAYS, st.floats(0.1, 20), st.integers(1, 30))
def test_saying_more_is_not_rewarded(delays: list, length: float, count: int) -> None:
    adaptive = length_adaptive_average_lagging(delays, length, count)
    assert adaptive >= average_lagging(delays, length, count) - 1e-9


@given(DELAYS, st.floats(0, 20), st.floats(0, 5))
def test_a_later_dub_lags_by_as_much(starts: list, length: float, later: float) -> None:
    """Every target token comes later, and nothing else changes."""
    source = speech_tokens(0, 20)
    first = [TokenChunk(source, speech_tokens(s, s + length)) for s in starts]
    moved = [TokenChunk(source, tuple(t + later for t in chunk.target)) for chunk in first]
    before, after = average_token_delay(first), average_token_delay(moved)
    assert (before is None) == (after is None)
    if before is not None:
        assert after == pytest.approx(before + later)


@given(st.floats(0, 50), st.floats(0.01, 30))
def test_tokens_cover_speech(start: float, length: float) -> None:
    ends = speech_tokens(start, start + length)
    assert ends[-1] == pytest.approx(start + length)
    assert all(0 < b - a <= 0.3 + 1e-6 for a, b in pairwise([start, *ends]))


@given(
    st.lists(st.sampled_from("abcde"), max_size=25),
    st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=6), min_size=1, max_size=6),
)
def test_cuts_cover_the_text_in_order(words: list, references: list) -> None:
    cuts = resegment(words, [" ".join(reference) for reference in references])
    assert [word for cut in cuts for word in words[cut]] == words
    assert len(cuts) == len(references)


@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=6), min_size=1, max_size=6))
def test_the_reference_itself_is_cut_where_it_was(references: list) -> None:
    words = [word for reference in references for word in reference]
    cuts = resegment(words, [" ".join(reference) for reference in references])
    assert [words[cut] for cut in cuts] == references


@given(
    st.lists(st.sampled_from("abcde"), max_size=25),
    st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=6), min_size=1, max_size=6),
)
def test_no_cut_costs_more_edits_than_the_whole(words: list, references: list) -> None:
    cuts = resegment(words, [" ".join(reference) for reference in references])
    edits = sum(
        Levenshtein.distance(reference, words[cut])
        for reference, cut in zip(references, cuts, strict=True)
    )
    assert edits == Levenshtein.distance(
        [word for reference in references for word in reference], words
    )
