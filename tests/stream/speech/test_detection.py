"""Voice activity detection by a detector that works, fails, or hangs."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import SPEECH_RATE, AudioChunk, Samples
from stream.sound.channels import SpeechChannels
from stream.speech.detection import REST_S, Detection, VoiceActivity, Windows
from stream.timeline import TICK_RATE
from tests.helpers.dubbing import SPAN, WINDOW, since_start, tone
from tests.helpers.station import by_level
from tests.helpers.virtual_time import run_virtual

pytestmark = pytest.mark.virtual_time
TEN = 10 * SPAN


def chunk(windows: float, *, channels: int = 1, loud: bool = True) -> AudioChunk:
    length = round(windows * SPAN)
    sound = tone(length / TICK_RATE) if loud else np.zeros(length, np.float32)
    return AudioChunk(0, np.repeat(sound[:, None], channels, axis=1))


class Detector:
    """Finds speech everywhere; at some of its calls it fails or hangs."""

    def __init__(self, faults: dict[int, Exception | None]) -> None:
        self.faults = faults
        """By call; ``None`` hangs."""
        self.calls: list[tuple[float, int]] = []

    async def __call__(self, audio: Samples) -> Samples:
        call = len(self.calls)
        self.calls.append((since_start(), len(audio) // WINDOW))
        if call in self.faults:
            fault = self.faults[call]
            if fault is None:
                await asyncio.Event().wait()
            else:
                raise fault
        return np.ones(len(audio) // WINDOW, np.float32)


def detection(detector: Detector, *, live: bool) -> Detection:
    return Detection(VoiceActivity(detector, WINDOW, 1.0), SpeechChannels(None), live=live)


async def test_windows_are_whole_and_the_last_is_filled_up_with_silence() -> None:
    found = detection(Detector({}), live=False)
    first = await found.push([chunk(10.5)])
    assert 9 <= len(first.probabilities) <= 10
    assert len(first.audio) == len(first.probabilities) * WINDOW
    last = await found.flush()
    assert len(first.probabilities) + len(last.probabilities) == 11
    assert len(last.audio) == len(last.probabilities) * WINDOW
    assert not last.audio[-WINDOW // 3 :].any()
    assert [len(part) for part in found.probabilities] == [
        len(first.probabilities),
        len(last.probabilities),
    ]


async def test_nothing_is_asked_of_the_detector_for_less_than_a_window() -> None:
    detector = Detector({})
    found = detection(detector, live=False)
    assert len((await found.push([chunk(0.5)])).probabilities) == 0
    assert detector.calls == []
    empty = detection(detector, live=False)
    assert len((await empty.flush()).probabilities) == 0
    assert detector.calls == []


@pytest.mark.parametrize("live", [False, True])
async def test_windows_at_which_the_detector_fails_are_silence_and_counted(
    live: bool, caplog: pytest.LogCaptureFixture
) -> None:
    detector = Detector({1: RuntimeError("out of memory"), 2: ValueError()})
    found = detection(detector, live=live)
    results = [await found.push([chunk(10)]) for _ in range(4)]
    assert [bool(part.probabilities.all()) for part in results] == [True, False, False, True]
    assert found.skipped == len(results[1].probabilities) + len(results[2].probabilities) == 20
    assert since_start() == 0
    assert "voice activity detection failed: out of memory" in caplog.text
    assert "voice activity detection failed: ValueError" in caplog.text
    assert bool(found.probabilities) is not live


async def test_offline_a_detector_that_hangs_is_asked_again_at_once() -> None:
    detector = Detector({0: None})
    found = detection(detector, live=False)
    lost = await found.push([chunk(10)])
    assert since_start() == 1.0 and found.skipped == len(lost.probabilities)
    assert (await found.push([chunk(10)])).probabilities.all()
    assert since_start() == 1.0 and len(detector.calls) == 2


async def test_live_a_detector_that_hangs_is_left_alone_for_five_seconds() -> None:
    detector = Detector({0: None})
    found = detection(detector, live=True)
    skipped = len((await found.push([chunk(10)])).probabilities)
    assert since_start() == 1.0
    for after, rests in ((1.0, True), (1.0 + REST_S - 0.01, True), (1.0 + REST_S, False)):
        await asyncio.sleep(after - since_start())
        result = await found.push([chunk(10)])
        assert since_start() == pytest.approx(after, abs=1e-9)  # it did not wait
        skipped += 10 if rests else 0
        assert bool(result.probabilities.all()) is not rests
    assert found.skipped == skipped
    assert [when for when, _ in detector.calls] == pytest.approx([0.0, 1.0 + REST_S])


async def test_cancellation_is_no_failure_of_the_detector() -> None:
    found = detection(Detector({0: None}), live=False)
    task = asyncio.create_task(found.push([chunk(10)]))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and found.skipped == 0


@pytest.mark.parametrize("centre", [None, 2])
async def test_models_hear_the_front_pair_and_the_centre(centre: int | None) -> None:
    left, right, middle, rear = 0.1, 0.3, 0.4, 0.8
    samples = np.tile(np.float32([left, right, middle, rear]), (TEN, 1))
    found = Detection(VoiceActivity(Detector({}), WINDOW, 1.0), SpeechChannels(centre), live=True)
    audio = (await found.push([AudioChunk(0, samples)])).audio
    expected = (left + right) / 2 + (middle if centre is not None else 0)
    assert np.allclose(audio[WINDOW : 8 * WINDOW], expected, atol=1e-3)


def test_windows_one_by_one() -> None:
    windows = Windows(np.arange(6, dtype=np.float32), np.float32([0.1, 0.2, 0.3]))
    assert [(w.audio.tolist(), len(w.probabilities), len(w.audio)) for w in windows.each()] == [
        ([0, 1], 1, 2),
        ([2, 3], 1, 2),
        ([4, 5], 1, 2),
    ]


@given(st.lists(st.integers(1, 30 * SPAN - 1), max_size=12))
def test_any_division_of_the_source_gives_the_same_windows(cuts: list[int]) -> None:
    sound = np.zeros((30 * SPAN, 1), np.float32)
    sound[7 * SPAN : 19 * SPAN, 0] = tone(12 * SPAN / TICK_RATE)

    async def detect(bounds: list[int]) -> tuple[Samples, Samples]:
        found = Detection(VoiceActivity(by_level(), WINDOW, 1.0), SpeechChannels(None), live=False)
        parts = [
            await found.push([AudioChunk(a, sound[a:b])])
            for a, b in zip(bounds[:-1], bounds[1:], strict=True)
        ]
        parts.append(await found.flush())
        return (
            np.concatenate([part.audio for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
        )

    whole = run_virtual(detect([0, len(sound)]))
    divided = run_virtual(detect(sorted({0, *cuts, len(sound)})))
    assert np.array_equal(whole[1], divided[1])
    assert np.allclose(whole[0], divided[0], atol=1e-6)
    assert (whole[1] > 0.5).sum() == 12
    assert len(whole[0]) / SPEECH_RATE == len(sound) / TICK_RATE
