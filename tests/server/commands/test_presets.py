"""Checkpoints of the true kinds under their real ids, from a hub on this machine."""

import asyncio
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from server.config import load
from server.engines.options import options_of
from server.engines.settled import choice, settled
from stages.asr.whisper_model import encoding_s
from stages.languages.table import translators, voices
from stages.registry import create, missing
from tests.helpers.fake_hub import FakeHub, serving
from tests.helpers.tiny_piper import tiny_piper

if missing("tts", "piper") or missing("mt", "ctranslate2"):
    pytest.skip("needs livedub[embedded]", allow_module_level=True)
# Not imported: only the process that runs these tests needs it.
if find_spec("transformers") is None:
    pytest.skip("needs transformers", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers and PyTorch

MARIAN = translators("en", "ru")[0].model
VOICE = voices("ru")[0].model


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """On this machine, with nothing in it yet; and an empty cache."""
    from huggingface_hub import constants

    made = FakeHub("nobody/nothing", {})
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    with serving(made):
        monkeypatch.setattr(constants, "ENDPOINT", made.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.url + template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("LIVEDUB_OFFLINE", "")
        yield made


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_preset_is_pulled_and_then_dubs_offline(
    hub: FakeHub,
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.helpers.tiny_checkpoints import marian

    repository, _, path = VOICE.partition(":")
    hub.repositories[MARIAN] = files(marian(tmp_path / "marian"))
    hub.repositories[repository] = {
        path.removesuffix(".onnx") + suffix: content for suffix, content in tiny_piper("ru").items()
    }
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


def test_a_larger_whisper_is_taken_once_it_is_here(
    hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.helpers.tiny_checkpoints import whisper

    german = load(assignments=["languages.source=de", "languages.target=en"], environment={})
    assert settled(german, "asr").asr.model == "base"
    hub.repositories["Systran/faster-whisper-small"] = files(whisper(tmp_path / "whisper"))
    assert main(["models", "pull", "small"]) == 0
    assert main(["models", "verify", "small"]) == 0
    assert "Systran/faster-whisper-small: ok" in capsys.readouterr().out
    encoding_s.cache_clear()
    assert settled(german, "asr").asr.model == "small"
    assert "recognition by small (its encoder takes 0." in (choice(german) or "")
    name, options = options_of("asr", german)
    recogniser = create("asr", name, **options)
    heard = asyncio.run(recogniser.recognise(np.zeros(16_000, np.float32)))
    assert (options["language"], heard.language) == ("de", "de")
    encoding_s.cache_clear()
    asyncio.run(recogniser.aclose())
