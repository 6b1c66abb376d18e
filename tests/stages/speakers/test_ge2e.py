import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from stages.base import EngineError
from stages.tts.espeak.library import speak
from stages.weights.resolve import resolve
from stream.frames import SPEECH_RATE, Samples
from stream.sound.resample import resample

TEXTS = (
    "The trip itself takes about eleven minutes. Please keep your bags with you.",
    "In the summer, the city opens a small beach on the other side.",
)


def voice(variant: str, text: str) -> Samples:
    return resample(speak(text, f"en-us+{variant}", 165), 22_050, SPEECH_RATE)


@pytest.fixture(scope="module")
def encoder():
    try:
        resolve("ge2e")
    except EngineError as error:
        pytest.skip(str(error))
    from stages.speakers.ge2e import Ge2e

    return Ge2e()


def test_a_voice_is_nearer_to_itself_than_to_another(encoder) -> None:
    joe, ann = ([encoder.embedding(voice(v, text)) for text in TEXTS] for v in ("m3", "f2"))
    assert all(np.linalg.norm(e) == pytest.approx(1, abs=1e-5) for e in (*joe, *ann))
    same = min(joe[0] @ joe[1], ann[0] @ ann[1])
    other = max(a @ b for a in joe for b in ann)
    assert same > other + 0.1


def test_level_does_not_matter_much(encoder) -> None:
    sound = voice("m3", TEXTS[0])
    assert encoder.embedding(sound) @ encoder.embedding(sound * 0.02) > 0.9


async def test_a_click_and_silence_are_survived(encoder) -> None:
    assert (await encoder.embed(voice("m3", "Go."))).shape == (256,)
    assert not np.isnan(await encoder.embed(np.zeros(0, np.float32))).any()
    assert not np.isnan(await encoder.embed(np.zeros(SPEECH_RATE, np.float32))).any()
    await encoder.aclose()


def hum(length: float) -> Samples:
    """A gliding vowel-like sound, ``length`` seconds of it."""
    time = np.arange(round(length * SPEECH_RATE)) / SPEECH_RATE
    phase = 2 * np.pi * np.cumsum(120 + 15 * np.sin(2 * np.pi * 3 * time)) / SPEECH_RATE
    slope = 1 + 0.5 * np.sin(2 * np.pi * 0.7 * time)
    tone = sum(np.sin(n * phase) / n**slope for n in range(1, 20))
    return (0.05 * tone * (1 + np.sin(2 * np.pi * 4 * time))).astype(np.float32)


def test_it_agrees_with_resemblyzer(encoder) -> None:
    # What resemblyzer 0.1.4's VoiceEncoder makes of the same sound, after its normalize_volume.
    recorded = json.loads((Path(__file__).parents[2] / "data" / "resemblyzer.json").read_text())
    assert set(recorded) == {"0.7", "1.6", "4.0", "6.1"}
    for length, theirs in recorded.items():
        assert encoder.embedding(hum(float(length))) @ np.array(theirs) > 0.9999


def test_other_files_are_refused(tmp_path: Path) -> None:
    from stages.speakers.ge2e import Ge2e

    evil = tmp_path / "evil.pt"
    evil.write_bytes(b"".join(pickle.dumps(x) for x in (1, 2, {})) + pickle.dumps(Path))
    with pytest.raises(EngineError, match=r"evil\.pt is no checkpoint"):
        Ge2e(str(evil))
    evil.write_bytes(b"nothing of the kind")
    with pytest.raises(EngineError, match="is no checkpoint"):
        Ge2e(str(evil))
