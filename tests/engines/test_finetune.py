"""XTTSv2's own trainer, for a few steps on the CPU, on a data set of synthesised speech."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from server.cli import main
from stages.base import EngineError
from stages.finetune import FinetuneOptions, finetune
from stages.tts.espeak_library import speak
from stages.voices import write_clip

TEXTS = (
    "the trip takes eleven minutes.",
    "please keep your bags with you.",
    "look up at the bridge.",
    "thank you for travelling with us.",
    "we hope to see you again soon.",
)
QUICK = FinetuneOptions("en", epochs=2, batch=2, accumulate=1, learning_rate=1e-3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips in the form that ``livedub dataset build`` leaves."""
    folder = tmp_path_factory.mktemp("set")
    (folder / "wavs").mkdir()
    for index, text in enumerate(TEXTS):
        write_clip(folder / "wavs" / f"{index}.wav", speak(text, "en-us", 170))
    lines = [f"{index}|{text}|{text}\n" for index, text in enumerate(TEXTS)]
    (folder / "metadata_train.csv").write_text("".join(lines[:3]))
    (folder / "metadata_eval.csv").write_text("".join(lines[3:]))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("torch")
    pytest.importorskip("TTS.tts.models.xtts")
    from tiny_training_base import training_base
    from tiny_xtts import narrow_vocoder

    with narrow_vocoder():
        yield training_base(tmp_path_factory.mktemp("base") / "xtts")


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")
def test_training_lowers_the_loss_resumes_and_leaves_a_loadable_checkpoint(
    dataset: Path, base: Path, tmp_path: Path
) -> None:
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    out = tmp_path / "voice"
    seen: list[tuple[int, float]] = []
    first = finetune(dataset, base, out, QUICK, lambda *epoch: seen.append(epoch))
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert first.losses[1] < first.losses[0] and first.best == 1

    more = FinetuneOptions("en", epochs=3, batch=2, accumulate=1, learning_rate=1e-3)
    second = finetune(dataset, base, out, more)
    assert second.losses[:2] == first.losses and len(second.losses) == 3
    assert second.losses[2] < first.losses[0]  # it went on from what it had learnt
    assert len(list((out / "training").glob("voice-*"))) == 1

    config = XttsConfig()
    config.load_json(str(out / "config.json"))
    model = Xtts.init_from_config(config)
    model.load_checkpoint(config, checkpoint_dir=str(out), eval=True)
    name = "gpt.h.0.attn.c_attn.weight"
    trained = model.gpt.state_dict()[name]
    origin = torch.load(base / "model.pth", weights_only=True)["model"][f"gpt.{name}"]
    assert not torch.equal(trained, origin)

    # Nothing is left to do, so nothing is trained.
    assert finetune(dataset, base, out, more).losses == second.losses


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")
def test_it_ends_when_the_loss_no_longer_falls(dataset: Path, base: Path, tmp_path: Path) -> None:
    idle = FinetuneOptions("en", epochs=9, patience=1, batch=2, accumulate=1, learning_rate=1e-12)
    done = finetune(dataset, base, tmp_path / "voice", idle)
    assert len(done.losses) == 2 and done.best == 0


def test_what_is_missing_is_said(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("TTS")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "model.pth").touch()
    with pytest.raises(EngineError, match=r"lacks config\.json, vocab\.json, dvae\.pth"):
        finetune(dataset, empty, tmp_path / "out", QUICK)
    for name in ("config.json", "vocab.json", "dvae.pth", "mel_stats.pth"):
        (empty / name).touch()
    with pytest.raises(EngineError, match="livedub dataset build"):
        finetune(tmp_path, empty, tmp_path / "out", QUICK)
    with pytest.raises(EngineError, match="is no configuration of XTTS"):
        finetune(dataset, empty, tmp_path / "out", QUICK)
    arguments = ["finetune", str(dataset), "--model", str(empty), "--out", str(tmp_path / "o")]
    assert main([*arguments, "--epochs", "0"]) == 2
    assert "--epochs must be above 0" in capsys.readouterr().err


def test_an_interrupted_record_of_losses_is_no_obstacle(tmp_path: Path) -> None:
    from stages.finetune import _is_over, _losses

    (tmp_path / "losses.json").write_text("[1.0, 2")
    assert _losses(tmp_path) == []
    (tmp_path / "losses.json").write_text(json.dumps([3.0, 2.0]))
    assert _losses(tmp_path) == [3.0, 2.0]
    patient = FinetuneOptions("en", epochs=10, patience=2)
    assert not _is_over([3.0, 2.0, 2.5], patient)
    assert _is_over([3.0, 2.0, 2.5, 2.4], patient)
    assert _is_over(list(np.linspace(3, 1, 10)), patient)
