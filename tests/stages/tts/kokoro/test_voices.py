"""Voices that speakers are given: as high as is said, and all at one pace."""

import numpy as np
import pytest

from stages.base import EngineError
from stages.registry import missing
from stages.tts.kokoro.engine import REGISTERS_HZ, Kokoro
from stages.tts.kokoro.graph import PITCH
from stream.sound.pitch import semitones

pytestmark = pytest.mark.skipif(bool(missing("tts", "kokoro")), reason="Kokoro is not installed")

TEXT = "O farol fica bem no final da baía, e vá com calma."


@pytest.fixture(scope="module")
def kokoro() -> Kokoro:
    return Kokoro(threads=1)


def test_registers_are_as_said_and_paces_are_alike(kokoro: Kokoro) -> None:
    assert kokoro.registers == REGISTERS_HZ
    lengths = []
    for voice, hz in REGISTERS_HZ.items():
        kokoro.check_voice(voice)
        style, pace = kokoro._style(voice)
        prosody = kokoro._prosody(TEXT, pace, style)
        assert prosody is not None
        pitch = prosody[PITCH][0]
        assert abs(semitones(float(np.median(pitch[pitch > 50])), hz)) < 1.5, voice
        lengths.append(len(pitch))
    assert max(lengths) < 1.2 * min(lengths)


def test_a_blend_is_between_its_voices_and_of_known_ones(kokoro: Kokoro) -> None:
    (one, _), (other, _) = kokoro._style("jf_alpha"), kokoro._style("jm_kumo")
    blend, _ = kokoro._style("jf_alpha*3 + jm_kumo")
    np.testing.assert_allclose(blend, 0.75 * one + 0.25 * other, atol=1e-6)
    with pytest.raises(EngineError, match="no voice 'bob': set tts.voice to one of jf_alpha"):
        kokoro.check_voice("jf_alpha*0.5 + bob*0.5")
