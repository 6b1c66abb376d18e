"""Where a long source is parted, and that its pieces are all of it."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, AudioChunk
from stream.speech.detection import Windows
from stream.speech.pieces import SHORTEST_PAUSE_S, DetectedSpeech, Replay, pieces
from tests.helpers.examples import examples

WINDOW = 512
PER_SECOND = SPEECH_RATE / WINDOW


def spoken(*lengths: float) -> np.ndarray:
    """Probabilities of speech and pauses by turns, seconds each."""
    parts = [np.full(round(s * PER_SECOND), 0.9 * (n % 2 == 0)) for n, s in enumerate(lengths)]
    return np.concatenate(parts).astype(np.float32)


def begins(probabilities: np.ndarray, length: float) -> list[float]:
    found = pieces(probabilities, WINDOW, silent=0.35, length=length)
    return [round(begin / PER_SECOND, 1) for begin in found]


def test_a_long_pause_is_preferred_to_a_near_one() -> None:
    # Pauses end at 21.3, 34.8 and 56.1.
    film = spoken(20, 1.3, 10, 3.5, 20, 1.3, 30)
    assert begins(film, 20.0) == [0.0, 34.5, 55.8]
    assert begins(spoken(20, 1.3, 10, 2.0, 30), 20.0) == [0.0, 33.0]


def test_where_nobody_pauses_there_is_one_piece() -> None:
    assert begins(spoken(20, 1.0, 60, 1.0, 50), 20.0) == [0.0]
    assert begins(spoken(90, 1.5, 20), 20.0) == [0.0, 91.2]
    assert begins(spoken(25), 20.0) == [0.0]


@examples(1)
@given(st.lists(st.floats(0.2, 12.0), max_size=40), st.floats(3.0, 30.0))
def test_pieces_begin_in_silence_and_have_speech(lengths: list[float], length: float) -> None:
    film = spoken(*lengths, 1.0)
    found = pieces(film, WINDOW, silent=0.35, length=length)
    assert found[0] == 0 and found == sorted(set(found))
    for begin in found[1:]:
        before = film[begin - round((SHORTEST_PAUSE_S - 0.35) * PER_SECOND) : begin]
        assert len(before) and before.max() < 0.35
        assert film[begin : begin + round(0.2 * PER_SECOND)].max() < 0.35
    shortest = min(np.diff([*found, len(film)])) / PER_SECOND
    assert len(found) == 1 or shortest > length / 2 - 0.5


async def test_what_is_written_is_replayed_in_pieces(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sound = rng.normal(size=100 * WINDOW).astype(np.float32)
    probabilities = rng.random(100).astype(np.float32)
    kept = DetectedSpeech(tmp_path, WINDOW)
    for first in range(0, 100, 7):
        last = min(first + 7, 100)
        kept.write(Windows(sound[first * WINDOW : last * WINDOW], probabilities[first:last]))
    parts = [kept.read(0, 41), kept.read(41, None)]
    assert np.array_equal(np.concatenate([part.audio for part in parts]), sound)
    replay, heard, end = Replay(parts[1]), [], 0
    async for batch in replay.media():
        chunks = [item for item in batch if isinstance(item, AudioChunk)]
        assert chunks[0].start == end and not chunks[0].samples.any()
        end = chunks[-1].end
        heard.append(await replay.push(chunks))
        assert sum(len(w.audio) for w in heard) * TICKS_PER_SAMPLE <= end
    heard.append(await replay.flush())
    assert end == 59 * WINDOW * TICKS_PER_SAMPLE
    assert np.array_equal(np.concatenate([w.audio for w in heard]), sound[41 * WINDOW :])
    assert np.array_equal(np.concatenate([w.probabilities for w in heard]), probabilities[41:])
