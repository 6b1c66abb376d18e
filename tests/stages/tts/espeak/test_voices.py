"""Variants that speakers are given are as high as is said."""

import pytest

from stages.tts.espeak.engine import REGISTERS_HZ, Espeak
from stages.tts.espeak.library import SAMPLE_RATE, speak
from stream.frames import SPEECH_RATE
from stream.sound.pitch import register_of, semitones
from stream.sound.resample import resample


@pytest.mark.parametrize("language", ["pt-br", "de"])
def test_registers_are_as_said(language: str) -> None:
    engine = Espeak(language=language)
    assert {"default", "f1", "f2"} <= set(engine.registers) <= set(REGISTERS_HZ)
    for voice, hz in engine.registers.items():
        engine.check_voice(voice)
        said = speak("1, 2, 3, 4, 5, 6, 7.", engine._named(voice), 175)
        found = register_of(resample(said, SAMPLE_RATE, SPEECH_RATE))
        # Its pitch flutters at random, by a semitone here and there.
        assert found is not None and abs(semitones(found.hz, hz)) < 4, voice
