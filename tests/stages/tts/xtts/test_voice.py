"""Voices to clone: conditioning kept, blends, what cannot be a voice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.base import EngineError
from stages.registry import missing
from stream.frames import Manner, Samples
from tests.helpers.xtts_speech import TEXT, make, speak

if missing("tts", "xtts"):
    pytest.skip("needs livedub[xtts]", allow_module_level=True)


@pytest.fixture(scope="module")
def clips(speech: Samples, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from scipy.io import wavfile

    folder = tmp_path_factory.mktemp("clips")
    rate = 16_000
    seconds = np.arange(5 * rate) / rate
    chord = sum(np.sin(2 * np.pi * f * seconds) for f in (220, 277, 330)) * 0.1
    long = np.tile(np.concatenate([speech, np.zeros(rate // 4, np.float32)]), 3)
    sounds = {
        "good": long,
        "other": long[::-1].copy(),
        "stereo": np.stack([long, 0.5 * long], axis=1),
        "silent": np.zeros(5 * rate, np.float32),
        "music": chord.astype(np.float32),
        "short": speech[: rate // 5],
    }
    for name, sound in sounds.items():
        wavfile.write(folder / f"{name}.wav", rate, sound)
    (folder / "text.wav").write_text("no sound at all")
    return {path.stem: path for path in folder.iterdir()}


def test_conditioning_is_computed_once_and_kept(
    model: Path, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    engine = make(model, f"{clips['good']}, {clips['stereo']}")
    expected = engine._voice
    kept = list((model.parent / "cache" / "latents").glob("*.npz"))
    assert len(kept) == 1 and not list(kept[0].parent.glob(".*.npz*"))
    with monkeypatch.context() as patch:
        patch.setattr("stages.tts.xtts.voice.Voices._compute", None)
        again = make(model, f"{clips['good']}, {clips['stereo']}")._voice
    assert torch.equal(again.conditioning, expected.conditioning)
    assert torch.equal(again.speaker, expected.speaker)
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # a disk that was full once
    healed = make(model, f"{clips['good']}, {clips['stereo']}")._voice
    assert torch.allclose(healed.speaker, expected.speaker, atol=1e-5)
    assert speak(engine)


def test_nothing_of_a_voice_from_the_stream_is_kept(
    model: Path, engine: Any, clips: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "livedub-voices-abc"
    folder.mkdir()
    theirs = folder / "S1.wav"
    theirs.write_bytes(clips["other"].read_bytes())
    cache = model.parent / "cache" / "latents"
    before = set(cache.glob("*"))
    assert not np.array_equal(
        np.concatenate(speak(engine, TEXT, Manner(voice=str(theirs)))),
        np.concatenate(speak(engine)),
    )
    assert set(cache.glob("*")) == before


def test_each_sentence_may_have_its_own_voice(model: Path, engine: Any) -> None:
    own, boris = speak(engine), speak(engine, TEXT, Manner(voice="Boris"))
    assert not np.allclose(np.concatenate(own)[:8000], np.concatenate(boris)[:8000])
    assert np.array_equal(np.concatenate(own), np.concatenate(speak(engine)))
    assert engine.clones


def test_blends_lie_between_their_voices(model: Path) -> None:
    import torch

    ana, boris, both = (
        make(model, voice)._voice.speaker for voice in ("Ana", "Boris", "Ana*3 + Boris")
    )
    assert torch.allclose(both, 0.75 * ana + 0.25 * boris)


@pytest.mark.parametrize(
    ("voice", "sentence"),
    [
        ("silent", "silent"),
        ("music", "speech"),
        ("short", "speech"),
        ("text", "cannot be read"),
        ("nobody", "There is no voice 'nobody'.*Ana, Boris"),
        ("/no/where.wav", "no reference clip /no/where.wav"),
        ("Ana*0", "must be above 0"),
        ("Ana*1.2.3", "no weight like"),
    ],
)
def test_a_voice_that_cannot_be_is_one_sentence(
    model: Path, clips: dict[str, Path], voice: str, sentence: str
) -> None:
    with pytest.raises(EngineError, match=sentence) as caught:
        make(model, str(clips.get(voice, voice)))
    assert "\n" not in str(caught.value)
