import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import SPEECH_RATE, Samples, Utterance, Word
from stream.speech.cuts import choose_cut
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Segmenter
from stream.timeline import TICK_RATE

WINDOW = 512
TICKS_A_WINDOW = WINDOW * 3


def _run(
    probabilities: list[float],
    options: SegmentOptions | None = None,
    sizes: list[int] | None = None,
) -> list[Utterance]:
    """Feed everything in blocks of the given sizes; audio[i] == i / 1e6 tells its place."""
    segmenter = Segmenter(options or SegmentOptions())
    audio = (np.arange(len(probabilities) * WINDOW) / 1e6).astype(np.float32)
    done: list[Utterance] = []
    at, sizes = 0, list(sizes or [])
    while at < len(probabilities):
        size = sizes.pop(0) if sizes else 7
        block = probabilities[at : at + size]
        done += segmenter.push(audio[at * WINDOW : (at + size) * WINDOW], np.float32(block))
        while segmenter.wants_cut():
            done.append(segmenter.cut(len(segmenter.pending()) // 2))
        at += size
    return done + segmenter.finish()


def _speech(*spans: tuple[int, int], length: int = 200) -> list[float]:
    return [0.9 if any(a <= i < b for a, b in spans) else 0.05 for i in range(length)]


def test_every_window_must_have_its_sound() -> None:
    options = SegmentOptions(pause=1.0)
    segmenter = Segmenter(options)
    assert segmenter.options is options
    with pytest.raises(ValueError, match="exactly the windows"):
        segmenter.push(np.zeros(WINDOW + 1, np.float32), np.float32([0.9]))


def test_slots_begin_and_end_with_the_speech() -> None:
    first, second = _run(_speech((10, 50), (80, 120)))
    assert (first.slot.start, first.slot.end) == (10 * TICKS_A_WINDOW, 50 * TICKS_A_WINDOW)
    assert (second.slot.start, second.slot.end) == (80 * TICKS_A_WINDOW, 120 * TICKS_A_WINDOW)
    assert [u.ended_by for u in (first, second)] == ["pause", "pause"]
    assert [u.id for u in (first, second)] == [0, 1]


def test_padding_is_real_audio_at_its_own_time() -> None:
    (utterance,) = _run(_speech((20, 60)))
    assert utterance.audio_start == utterance.slot.start - round(0.15 * TICK_RATE)
    sample = utterance.audio_start // 3
    assert utterance.audio[0] == np.float32(sample / 1e6)
    assert len(utterance.audio) == 40 * WINDOW + 2 * round(0.15 * SPEECH_RATE)


def test_a_short_pause_does_not_split() -> None:
    assert len(_run(_speech((10, 40), (50, 90)))) == 1  # 0.32 s


def test_a_click_is_not_an_utterance() -> None:
    assert _run(_speech((10, 13))) == []


def test_hesitation_between_the_thresholds_goes_on() -> None:
    probabilities = _speech((10, 40), (60, 90))
    probabilities[40:60] = [0.4] * 20  # between offset and onset
    assert len(_run(probabilities)) == 1


def test_speech_at_the_end_of_the_source_is_flushed() -> None:
    (utterance,) = _run(_speech((150, 200)))
    assert utterance.ended_by == "end"


def test_long_speech_is_cut_at_a_breath() -> None:
    options = SegmentOptions(soft_length=2.0, max_length=6.0)
    first, second = _run(_speech((0, 80), (87, 140)), options)  # 0.22 s breath at 2.56 s
    assert first.ended_by == "cut" and first.slot.end == 80 * TICKS_A_WINDOW
    assert second.slot.start == 87 * TICKS_A_WINDOW


def test_the_last_word_after_a_cut_is_kept_however_short() -> None:
    options = SegmentOptions(soft_length=2.0, max_length=6.0)
    utterances = _run(_speech((0, 80), (87, 91)), options)  # 0.13 s: below min_speech
    assert len(utterances) == 2


@given(
    st.lists(st.sampled_from([0.05, 0.4, 0.9]), min_size=1, max_size=400),
    st.lists(st.integers(1, 50), max_size=40),
)
def test_any_chunking_gives_the_same_utterances(levels: list[float], sizes: list[int]) -> None:
    options = SegmentOptions(soft_length=2.0, max_length=25.0)
    whole = _run(levels, options, [len(levels)])
    parts = _run(levels, options, sizes)
    assert [(u.id, u.slot, u.audio_start, u.ended_by) for u in whole] == [
        (u.id, u.slot, u.audio_start, u.ended_by) for u in parts
    ]
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(whole, parts, strict=True))


@given(st.lists(st.sampled_from([0.05, 0.4, 0.9]), min_size=1, max_size=600))
def test_utterances_are_ordered_bounded_and_lose_no_loud_speech(levels: list[float]) -> None:
    options = SegmentOptions(soft_length=1.5, max_length=3.0, min_speech=0.0)
    utterances = _run(levels, options)
    for left, right in zip(utterances[:-1], utterances[1:], strict=True):
        assert left.slot.end <= right.slot.start
        assert left.audio_start + 3 * len(left.audio) <= right.audio_start or (
            left.ended_by != "pause" or right.audio_start >= left.slot.end
        )
    covered = sum(u.slot.duration for u in utterances)
    assert covered >= sum(level == 0.9 for level in levels) * TICKS_A_WINDOW
    assert all(u.slot.duration <= (3.0 + 0.5) * TICK_RATE for u in utterances)


def test_settled_never_passes_an_utterance_that_is_still_to_come() -> None:
    segmenter = Segmenter(SegmentOptions())
    probabilities = _speech((10, 40), (70, 110), (115, 190))
    settled = 0
    for index, probability in enumerate(probabilities):
        for utterance in segmenter.push(np.zeros(WINDOW, np.float32), np.float32([probability])):
            assert utterance.slot.start >= settled
        settled = segmenter.settled
        assert settled <= (index + 1) * TICKS_A_WINDOW


def test_audio_and_probabilities_must_agree() -> None:
    with pytest.raises(ValueError, match="exactly the windows"):
        Segmenter(SegmentOptions()).push(np.zeros(100, np.float32), np.float32([0.5]))


def _tone(spans: list[tuple[float, float]], length: float) -> Samples:
    time = np.arange(round(length * SPEECH_RATE)) / SPEECH_RATE
    on = np.zeros(len(time), bool)
    for start, end in spans:
        on |= (time >= start) & (time < end)
    return (np.sin(2 * np.pi * 200 * time) * on * 0.3).astype(np.float32)


def test_a_cut_falls_between_words_and_prefers_a_clause() -> None:
    spans = [(0.0, 0.5), (0.6, 1.2), (1.3, 1.9), (2.0, 2.6), (2.7, 3.2)]
    texts = [" We", " came,", " we", " saw", " it"]
    words = [Word(t, *s, 0.9) for t, s in zip(texts, spans, strict=True)]
    cut = choose_cut(words, _tone(spans, 3.2)) / SPEECH_RATE
    assert 1.9 < cut < 2.0 or 2.6 < cut < 2.7  # "came," ends before 40 %
    words[2] = Word(" we,", 1.3, 1.9, 0.9)
    assert 1.9 < choose_cut(words, _tone(spans, 3.2)) / SPEECH_RATE < 2.0


def test_no_cut_comes_after_a_word_that_leans_on_the_next() -> None:
    spans = [(0.0, 0.5), (0.6, 1.2), (1.3, 1.9), (2.0, 2.5), (2.7, 3.2)]
    words = [
        Word(t, *s, 0.9) for t, s in zip(["They", "saw", "ships", "The", "end"], spans, strict=True)
    ]
    sound = _tone(spans, 3.2)
    assert 2.5 < choose_cut(words, sound) / SPEECH_RATE < 2.7
    assert 1.9 < choose_cut(words, sound, frozenset({"the"})) / SPEECH_RATE < 2.0


@pytest.mark.parametrize("third", ["60", "men"])
def test_a_number_stays_with_what_it_counts(third: str) -> None:
    spans = [(0.0, 0.5), (0.6, 1.2), (1.3, 1.9), (2.0, 2.5), (2.6, 3.2)]
    texts = ["They", "saw", third, "old", "men"]
    words = [Word(t, *s, 0.9) for t, s in zip(texts, spans, strict=True)]
    words[3] = Word("old", 1.9, 2.5, 0.9)
    cut = choose_cut(words, _tone(spans, 3.2), frozenset({"old", "saw"})) / SPEECH_RATE
    assert (1.8 < cut < 2.1) == (third == "men")


def test_a_cut_comes_before_a_conjunction() -> None:
    spans = [(0.0, 0.5), (0.6, 1.2), (1.3, 1.9), (2.0, 2.5), (2.6, 3.2)]
    texts = ["We", "were", "wet", "and", "cold"]
    words = [Word(t, *s, 0.9) for t, s in zip(texts, spans, strict=True)]
    sound = _tone(spans, 3.2)
    assert 2.5 < choose_cut(words, sound) / SPEECH_RATE < 2.6
    both = frozenset({"and"})
    assert 1.9 < choose_cut(words, sound, both, both) / SPEECH_RATE < 2.0


def test_a_word_edge_that_is_off_still_cuts_in_the_silence() -> None:
    spans = [(0.0, 1.0), (1.1, 2.0), (2.06, 3.0)]
    words = [Word(" a", 0.0, 1.0, 1), Word(" b", 1.1, 1.95, 1), Word(" c", 1.95, 3.0, 1)]
    assert 2.0 <= choose_cut(words, _tone(spans, 3.0)) / SPEECH_RATE <= 2.06


def test_without_words_the_quietest_place_is_cut() -> None:
    cut = choose_cut([], _tone([(0.0, 1.6), (1.7, 3.0)], 3.0)) / SPEECH_RATE
    assert 1.6 < cut < 1.7
