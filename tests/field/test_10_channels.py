"""Of a recording with one channel inverted nothing was heard; the channel with speech must be.

The same goes for a dead channel, timecode or noise beside the microphone, and an interpreter.
"""

import wave
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from server.config import load
from server.sessions.spec import SessionSpec
from stages.vad import SileroDetector
from stream.clock.playout_clock import PlayoutClock
from stream.frames import AudioChunk, Samples
from stream.live.connection import ConnectionStatus, LiveBatch
from stream.live.source import LiveSource
from stream.media.options import InputOptions
from stream.sound.activity import speech_intervals
from stream.sound.channels import SpeechChannels
from stream.speech.detection import Detection, VoiceActivity
from stream.timeline import TICK_RATE
from tests.helpers.dubbed_file import read
from tests.helpers.streams import likeness


@pytest.fixture(scope="module")
def speech(clip: Clip) -> Samples:
    return read(clip.path)[1][:, 0]


def chunks(left: Samples, right: Samples, span: int = 12_000) -> list[AudioChunk]:
    both = np.stack([left, right], axis=1)
    return [AudioChunk(at, both[at : at + span]) for at in range(0, len(both), span)]


def heard(left: Samples, right: Samples, span: int = 12_000) -> tuple[Samples, list[str]]:
    """What the models get of a stereo recording."""
    channels = SpeechChannels(None)
    return np.concatenate([channels.mono(c) for c in chunks(left, right, span)]), channels.notes


def square(like: Samples, level: float = 0.3) -> Samples:
    """As steady as timecode."""
    time = np.arange(len(like)) / TICK_RATE
    return (level * np.sign(np.sin(2 * np.pi * 2000 * time))).astype(np.float32)


def noise(like: Samples, level: float = 0.05) -> Samples:
    return (level * np.random.default_rng(1).standard_normal(len(like))).astype(np.float32)


@pytest.mark.parametrize("other", [-1.0, -0.9, -1.6])
def test_an_inverted_channel_cancels_nothing(speech: Samples, other: float) -> None:
    sound, notes = heard(speech, other * speech)
    assert likeness(sound, speech) ** 2 > 0.98
    level = max(1.0, abs(other))
    assert np.std(sound) == pytest.approx(level * np.std(speech), rel=0.03)
    assert notes == [
        "the two channels cancel each other out: speech is taken from "
        f"the {'right' if level > 1 else 'left'} channel"
    ]


@pytest.mark.parametrize("dead", [0.0, 1e-4])
def test_a_dead_channel_costs_no_level(speech: Samples, dead: float) -> None:
    sound, notes = heard(noise(speech, dead), speech)
    assert np.std(sound) == pytest.approx(np.std(speech), rel=0.02)
    assert notes == []


@pytest.mark.parametrize("steady", [square, noise])
def test_what_is_no_speech_is_left_out(
    speech: Samples, steady: Callable[[Samples], Samples]
) -> None:
    pause = np.zeros(TICK_RATE * 12, np.float32)
    long = np.concatenate([speech, pause, speech])
    sound, notes = heard(long, steady(long))
    assert likeness(sound[TICK_RATE * 2 :], long[TICK_RATE * 2 :]) > 0.99
    assert np.std(sound[-len(speech) - TICK_RATE * 8 : -len(speech)]) < 1e-4
    assert notes == [
        "the right channel carries timecode or noise and no speech: speech is taken from the "
        "left channel"
    ]


def test_of_two_speakers_at_the_same_time_one_is_heard(speech: Samples) -> None:
    left, right = np.tile(speech, 3), np.tile(speech[::-1], 3)
    sound, notes = heard(left, np.roll(right, TICK_RATE))
    assert likeness(sound[TICK_RATE * 17 :], left[TICK_RATE * 17 :]) > 0.95
    assert notes[0].endswith("the left channel is dubbed; choose by input.channel")


def test_two_who_take_turns_are_both_heard(speech: Samples) -> None:
    """Each has a microphone of their own, with its own noise."""
    silent = np.zeros_like(speech)
    left, right = np.concatenate([speech, silent] * 2), np.concatenate([silent, speech] * 2)
    sound, _ = heard(left + noise(left, 1e-3), right + noise(right, 1.1e-3)[::-1])
    assert likeness(sound, left + right) > 0.98


@pytest.mark.parametrize("right", [1.0, 0.3])
def test_ordinary_stereo_is_mixed(speech: Samples, right: float) -> None:
    music = noise(speech, 0.02)
    sound, notes = heard(speech + music, right * speech + music[::-1])
    assert np.allclose(sound, (speech + music + right * speech + music[::-1]) / 2, atol=1e-6)
    assert notes == []


def test_it_does_not_depend_on_the_chunks(speech: Samples) -> None:
    one, _ = heard(speech, -speech)
    other, _ = heard(speech, -speech, span=777)
    assert np.array_equal(one, other)


async def test_speech_is_detected_again(speech: Samples) -> None:
    async def found(left: Samples, right: Samples) -> int:
        detector = SileroDetector()
        activity = VoiceActivity(detector.probabilities, detector.window, 10.0)
        detection = Detection(activity, SpeechChannels(None), live=False)
        for chunk in chunks(left, right):
            await detection.push([chunk])
        await detector.aclose()
        return len(speech_intervals(np.concatenate(detection.probabilities), detector.window))

    assert await found(speech, -speech) == await found(speech, speech) >= 3


class _Publisher:
    """Speaks on the left, and has timecode on the right."""

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        yield chunks(np.full(960, 0.25, np.float32), np.full(960, 0.5, np.float32))

    async def aclose(self) -> None: ...

    def status(self) -> ConnectionStatus:
        return ConnectionStatus("test")


@pytest.mark.parametrize(("channel", "level"), [("left", 0.25), (1, 0.5), ("auto", None)])
async def test_a_session_plays_the_one_that_is_set(channel: str | int, level: float | None) -> None:
    spec = SessionSpec(settings={"input.channel": channel})
    only = spec.configured(load(environment={})).input.only
    waiting = [_Publisher(), None]

    async def connect() -> _Publisher | None:
        return waiting.pop(0)

    source = LiveSource(connect, PlayoutClock(1.0), only=only)
    sound = [item.samples async for batch in source.batches() for item in batch]  # type: ignore[union-attr]
    expected = [0.25, 0.5] if level is None else [level, level]
    assert np.array_equal(np.concatenate(sound)[0], np.array(expected, np.float32))


@pytest.mark.parametrize(("channel", "level"), [("left", 0.4), ("right", -0.3), ("mix", None)])
def test_a_file_plays_the_one_that_is_set(
    tmp_path: Path, channel: Literal["left", "right", "mix"], level: float | None
) -> None:
    frames = np.tile(np.array([[0.4, -0.3]]) * 32767, (4800, 1)).astype("<i2")
    with wave.open(str(tmp_path / "two.wav"), "wb") as out:
        out.setparams((2, 2, 48_000, 0, "NONE", ""))
        out.writeframes(frames.tobytes())
    _, sound, _ = read(tmp_path / "two.wav", InputOptions(channel=channel))
    expected = [0.4, -0.3] if level is None else [level]
    assert np.allclose(sound, expected, atol=1e-3)
