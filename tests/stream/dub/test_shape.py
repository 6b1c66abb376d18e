import numpy as np
import pytest

from stream.dub.mirrored_pauses import Phrase
from stream.dub.mixdown import LONGEST_LEAD
from stream.dub.shape import FADE, cut_between_words, lead, levelled, spoken
from stream.frames import Samples
from stream.timeline import TICK_RATE, Interval, ticks
from tests.helpers.dubbing import tone


def after(silence: float, sound: Samples) -> Samples:
    return np.concatenate([np.zeros(ticks(silence), np.float32), sound])


@pytest.mark.parametrize(
    ("silence", "expected"),
    [(0.0, 0), (0.005, ticks(0.005)), (0.04, ticks(0.04)), (2.0, LONGEST_LEAD)],
)
def test_the_lead_is_what_is_too_quiet_to_be_noticed(silence: float, expected: int) -> None:
    assert lead(after(silence, tone(0.5))) == expected


def test_of_silence_or_next_to_nothing_there_is_no_lead() -> None:
    assert lead(np.zeros(TICK_RATE, np.float32)) == 0
    assert lead(tone(0.001)) == 0


@pytest.mark.parametrize(
    ("theirs", "gain_db"), [(0.0, 0.0), (-6.0, -6.0), (6.0, 6.0), (-30.0, -12.0), (30.0, 12.0)]
)
def test_a_dub_is_made_as_loud_as_the_source_within_reason(theirs: float, gain_db: float) -> None:
    sound = tone(1.0)
    _, ours = levelled(sound, -np.inf)  # as it is
    gain, loudness = levelled(sound, ours + theirs)
    assert 20 * np.log10(gain) == pytest.approx(gain_db, abs=1e-6)
    assert loudness == pytest.approx(ours + gain_db, abs=1e-6)


def test_phrases_are_at_their_places_with_silence_between_and_no_clicks() -> None:
    sound = tone(2.0)
    phrases = [
        Phrase(Interval(0, ticks(1)), 0, 1.0),
        Phrase(Interval(ticks(1), ticks(2)), ticks(1.5), 1.25),
    ]
    out = spoken(sound, phrases)
    assert len(out) == ticks(2.3)
    assert not out[ticks(1) : ticks(1.5)].any()
    assert np.array_equal(out[: ticks(0.99)], sound[: ticks(0.99)])
    assert np.abs(np.diff(out[ticks(0.99) : ticks(1.01)])).max() < 0.03
    assert out[ticks(1.7) : ticks(2.2)].std() == pytest.approx(sound.std(), rel=0.05)


def test_a_single_phrase_is_the_speech_itself() -> None:
    sound = tone(1.0)
    assert spoken(sound, [Phrase(Interval(0, len(sound)), 0, 1.0)]) is sound


def test_what_breaks_off_does_so_where_it_is_quietest_and_fades() -> None:
    sound = tone(2.0)
    sound[ticks(1.8) : ticks(1.83)] *= 0.01
    before = sound.copy()
    cut = cut_between_words(sound)
    assert np.array_equal(sound, before)
    assert ticks(1.8) <= len(cut) <= ticks(1.84)
    assert np.array_equal(cut[: ticks(1.8)], sound[: ticks(1.8)]) and cut[-1] == 0


@pytest.mark.parametrize("length", [0, 1, FADE, 3 * FADE])
def test_what_is_too_short_to_choose_a_place_in_fades_only(length: int) -> None:
    cut = cut_between_words(tone(1.0)[:length])
    assert len(cut) == length
    assert length < 2 or cut[-1] == 0
