"""``livedub models`` against a hub on this machine: resumed, offline, verified, licensed."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cli import main
from server.commands.models import references
from server.config import Config, ConfigError, load
from stages.base import EngineError
from stages.weights import licences
from stages.weights.hub import is_offline
from tests.helpers.fake_hub import FakeHub, serving

WEIGHTS = bytes(range(256)) * 96_000
"""Broken off in the middle, it has one of the hub client's blocks of 10 MB."""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    files = {"model.bin": WEIGHTS, "config.json": b"{}", "tf_model.h5": b"unwanted"}
    with serving(FakeHub("someone/tiny", files)) as served:
        yield served


@pytest.fixture
def environment(tmp_path: Path, hub: FakeHub) -> dict[str, str]:
    """Of a process whose hub is this machine's: addresses are read when it starts."""
    ours = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "LIVEDUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return {**os.environ, **ours}


EACH = (
    "import json, sys; from server.cli import main; print([main(c) for c in json.load(sys.stdin)])"
)


def livedub(environment: dict[str, str], *commands: list[str]) -> tuple[list[int], str]:
    """Statuses of the commands, one after another in a process, and what is said."""
    done = subprocess.run(
        [sys.executable, "-c", EACH],
        input=json.dumps(commands),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said, _, statuses = done.stdout.rstrip().rpartition("\n")
    return json.loads(statuses), said + "\n" + done.stderr


def test_a_model_is_fetched_resumed_verified_and_used_offline(
    hub: FakeHub, environment: dict[str, str], tmp_path: Path
) -> None:
    hub.breaks.add("model.bin")
    status, output = livedub(environment, ["models", "pull", "someone/tiny"])
    assert status == [0], output
    asked = [r for method, path, r in hub.requests if method == "GET" and "model.bin" in path]
    assert asked[0] is None
    assert asked[-1] is not None and asked[-1] != "bytes=0-", asked
    assert not any("tf_model" in path for _, path, _ in hub.requests)

    hub.requests.clear()
    pull = ["models", "pull", "--offline"]
    status, output = livedub(environment, [*pull, "someone/tiny"], [*pull, "someone/other"])
    assert status == [0, 2] and "24.6 MB" in output
    assert output.count("livedub: ") == 1 and "livedub is offline" in output
    verify = ["models", "verify"]
    status, output = livedub(environment, [*verify, "someone/tiny"])
    assert status == [0] and "someone/tiny: ok" in output
    (blob,) = [p for p in (tmp_path / "hf").rglob("blobs/*") if p.stat().st_size > 1000]
    blob.write_bytes(b"x" + WEIGHTS[1:])
    status, output = livedub(environment, verify, ["models", "list"])
    assert status == [1, 0]
    assert "someone/tiny: corrupted (model.bin)" in output and output.count("someone/tiny") > 1
    assert hub.requests == []


def test_a_licence_is_shown_and_accepted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("LIVEDUB_OFFLINE", "1")
    assert main(["models", "pull", "coqui/XTTS-v2"]) == 2
    error = capsys.readouterr().err
    assert "Coqui Public Model License" in error and "https://coqui.ai/cpml" in error
    assert "--accept-licence" in error and error.count("\n") == 1
    assert main(["models", "pull", "coqui/XTTS-v2", "--accept-licence"]) == 2
    assert "is offline" in capsys.readouterr().err  # accepted, but not there
    licences.require("coqui/XTTS-v2:config.json")
    with pytest.raises(EngineError, match="CC-BY-NC-4.0"):
        licences.require("facebook/nllb-200-distilled-600M")
    monkeypatch.setenv("LIVEDUB_ACCEPT_LICENCE", "CPML, cc-by-nc-4.0")
    licences.require("facebook/nllb-200-distilled-600M")
    licences.require("Helsinki-NLP/opus-mt-en-ru")


def test_offline_nothing_leaves_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    monkeypatch.setenv("LIVEDUB_OFFLINE", "")
    assert not is_offline()
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert main(["models", "pull", "someone/tiny", "--offline"]) == 2
    assert "livedub is offline" in capsys.readouterr().err
    assert is_offline()


def test_a_preset_is_below_the_file_and_the_settings(tmp_path: Path) -> None:
    studio = load(preset="studio-en-ru", environment={})
    assert (studio.tts.engine, studio.mt.engine, studio.target) == ("xtts", "ctranslate2", "ru")
    assert references(studio) == [
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "Helsinki-NLP/opus-mt-en-ru",
        "coqui/XTTS-v2",
    ]
    file = tmp_path / "mine.yaml"
    file.write_text("tts: {voice: me.wav, consent: true}\nxtts: {seed: 3}")
    mine = load(file, preset="studio-en-ru", assignments=["mt.beam_size=1"], environment={})
    assert (mine.tts.engine, mine.tts.voice, mine.xtts.seed) == ("xtts", "me.wav", 3)
    assert mine.mt.beam_size == 1
    with pytest.raises(
        ConfigError, match="no preset 'cinema', only live and studio, or with a pair"
    ):
        load(preset="cinema")
    german = load(preset="live-en-ru", assignments=["languages.target=de"], environment={})
    assert (german.languages.source, german.target, german.playout.delay) == ("en", "de", 4.0)
    assert references(load(preset="studio-de-fr", environment={}))[1] == "facebook/m2m100_418M"
    assert references(Config())[0] == "tiny.en"


def test_packaged_weights_are_listed_and_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "tiny.en"]) == 0
    assert "tiny.en: ok" in capsys.readouterr().out
    assert main(["models", "verify", "no-such-model"]) == 1
