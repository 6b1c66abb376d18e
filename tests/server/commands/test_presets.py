"""English to Russian by the preset, from a hub on this machine: pulled, then dubbed offline."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from stages.languages.table import translators, voices
from stages.registry import missing
from tests.helpers.fake_hub import FakeHub, serving
from tests.helpers.tiny_piper import tiny_piper

if missing("tts", "piper") or missing("mt", "ctranslate2"):
    pytest.skip("needs livedub[embedded]", allow_module_level=True)
pytest.importorskip("transformers")

pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers and PyTorch

MARIAN = translators("en", "ru")[0].model
VOICE = voices("ru")[0].model


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The real ids, with tiny checkpoints of the same kinds behind them, and an empty cache."""
    from huggingface_hub import constants

    from tests.helpers.tiny_checkpoints import marian

    folder = marian(tmp_path / "marian")
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    repository, _, path = VOICE.partition(":")
    made = FakeHub(MARIAN, files)
    made.repositories[repository] = {
        path.removesuffix(".onnx") + suffix: content for suffix, content in tiny_piper("ru").items()
    }
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    with serving(made):
        monkeypatch.setattr(constants, "ENDPOINT", made.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.url + template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("LIVEDUB_OFFLINE", "")
        yield made


def test_the_preset_is_pulled_and_then_dubs_offline(
    hub: FakeHub,
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, report = tmp_path / "out.mp4", tmp_path / "report.json"
    dub = ["file", str(clip.path), str(out), "--preset", "live-en-ru", "--report", str(report)]
    assert main(dub) == 2
    said = capsys.readouterr().err
    assert "livedub models pull --preset live-en-ru\n" in said and not hub.requests

    with monkeypatch.context() as broken:
        broken.setattr("server.commands.models.damaged", lambda repository: ["model.bin"])
        assert main(["models", "pull", VOICE]) == 2
        assert "did not come as it was sent (model.bin)" in capsys.readouterr().err
    assert main(["models", "pull", "--preset", "live-en-ru"]) == 0
    pulled = capsys.readouterr().out
    for part in (f"2 of 4: {MARIAN}", "converted, in", f"3 of 4: {VOICE}", f"4 of 4: {VOICE}.json"):
        assert part in pulled

    hub.requests.clear()
    assert main([*dub, "--offline"]) == 0
    assert not hub.requests
    found = json.loads(report.read_text())
    assert found["engines"] == {"asr": "faster-whisper", "mt": "ctranslate2", "tts": "piper"}
    dubbed = [row for row in found["utterances"] if row["dub"]]
    assert len(dubbed) >= 2 and not found["summary"]["failed"]
    assert all(row["translation"] != row["text"] for row in dubbed)
