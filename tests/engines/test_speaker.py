import asyncio
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from stages.base import EngineError
from stages.models import resolve
from stages.tts.espeak_library import speak
from stream.frames import SPEECH_RATE, Samples
from stream.resample import resample

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
    from stages.speaker import Ge2e

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


def test_a_click_and_silence_are_survived(encoder) -> None:
    async def run() -> None:
        assert (await encoder.embed(voice("m3", "Go."))).shape == (256,)
        assert not np.isnan(await encoder.embed(np.zeros(0, np.float32))).any()
        assert not np.isnan(await encoder.embed(np.zeros(SPEECH_RATE, np.float32))).any()
        await encoder.aclose()

    asyncio.run(run())


def test_it_agrees_with_resemblyzer(encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    # webrtcvad asks it for its own version; newer setuptools do not have it any more.
    distribution = types.SimpleNamespace(version="0")
    stub = types.SimpleNamespace(get_distribution=lambda name: distribution)
    monkeypatch.setitem(sys.modules, "pkg_resources", stub)
    pytest.importorskip("webrtcvad")
    resemblyzer = pytest.importorskip("resemblyzer")
    theirs = resemblyzer.VoiceEncoder("cpu", verbose=False)
    sound = voice("f2", " ".join(TEXTS))
    for length in (0.7, 1.6, 4.0, 6.1):
        part = sound[: round(length * SPEECH_RATE)]
        level = resemblyzer.normalize_volume(part, -30, increase_only=True)
        assert encoder.embedding(part) @ theirs.embed_utterance(level) > 0.9999


def test_other_files_are_refused(tmp_path: Path) -> None:
    from stages.speaker import Ge2e

    evil = tmp_path / "evil.pt"
    evil.write_bytes(b"".join(pickle.dumps(x) for x in (1, 2, {})) + pickle.dumps(Path))
    with pytest.raises(EngineError, match=r"evil\.pt is no checkpoint"):
        Ge2e(str(evil))
    evil.write_bytes(b"nothing of the kind")
    with pytest.raises(EngineError, match="is no checkpoint"):
        Ge2e(str(evil))
