"""Weights that are named with a commit are those of that commit; known holes are not installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from server.commands.models import references
from server.config import load
from stages.weights.hub import download, is_hub_reference
from stages.weights.known import KNOWN
from stages.weights.licences import VARIABLE, licence_of
from stages.weights.resolve import on_the_hub
from tests.helpers.fake_hub import COMMIT, FakeHub, serving

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", ["", ":a.bin"])
def test_the_commit_is_asked_for_and_no_branch(file: str, tmp_path: Path) -> None:
    with serving(FakeHub("someone/tiny", {"a.bin": b"weights"})) as hub:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        environment = {**kept, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
        reference = f"someone/tiny@{COMMIT}{file}"
        code = f"from stages.weights.hub import download; print(download({reference!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        path = Path(done.stdout.strip().splitlines()[-1])
        assert (path if file else path / "a.bin").read_bytes() == b"weights"
        asked = [path for _, path, _ in hub.requests if "someone/tiny" in path]
        assert asked and all(COMMIT in one and "main" not in one for one in asked)


def test_what_is_no_commit_is_no_pin() -> None:
    assert is_hub_reference(f"a/b@{COMMIT}:c.onnx")
    for wrong in ("a/b@main", f"a/b@{COMMIT[:12]}", f"a/b@{COMMIT}x"):
        assert not is_hub_reference(wrong)
    assert licence_of(f"coqui/XTTS-v2@{COMMIT}") == licence_of("coqui/XTTS-v2")
    assert licence_of("coqui/XTTS-v2") is not None


HOLES = {
    "cryptography": "49",  # CVE-2026-69247; CVE-2026-26007
    "fastapi": "0.131",  # took any page's JSON
    "filelock": "3.20.2",  # CVE-2026-22701
    "onnx": "1.21",  # CVE-2024-5187 again; CVE-2026-27489
    "pillow": "12.1.1",  # CVE-2026-40192
    "sentencepiece": "0.2.0",  # CVE-2026-1260
    "starlette": "1.3.0",  # CVE-2026-54283; CVE-2025-62727
    "torch": "2.12",  # CVE-2026-24747, CVE-2026-4538 and others in checkpoints
    "transformers": "4.57.6",  # CVE-2026-1839
}
"""The newest versions with a hole that is known."""


def _required() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(one) for names in (project["dependencies"], *extras) for one in names]


def test_versions_with_known_holes_are_excluded() -> None:
    required = _required()
    assert set(HOLES) <= {one.name for one in required}
    for one in required:
        assert one.name not in HOLES or not one.specifier.contains(HOLES[one.name]), str(one)


def test_what_is_locked_has_hashes_and_is_what_is_asked_for() -> None:
    text = (ROOT / "packaging" / "locked.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text.strip())
    locked: dict[str, list[str]] = {}
    for block in blocks:
        head, *hashes = block.replace("\\\n", "").split("--hash=")
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", one) for one in hashes), head
        name, version = head.partition(";")[0].strip().split("==")
        locked.setdefault(name, []).append(version)
    apart = {"torch", "torchaudio", "torchcodec", "livedub"}  # chosen by machine, and we ourselves
    for one in _required():
        if one.name not in apart:
            versions = locked[canonicalize_name(one.name)]
            assert all(map(one.specifier.contains, versions)), f"{one}: make lock"


@pytest.mark.parametrize("file", ["", ":config.json"])
def test_what_presets_name_on_the_hub_is_a_commit(
    file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    for name in ("LIVEDUB_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    asked: list[str] = []

    def fetch(*_: object, revision: str, **__: object) -> str:
        asked.append(revision)
        return str(tmp_path)

    for function in ("hf_hub_download", "snapshot_download"):
        monkeypatch.setattr(huggingface_hub, function, fetch)
    monkeypatch.setenv(VARIABLE, "all")
    named = [model.hub for model in KNOWN.values() if model.hub]
    named += [on_the_hub(name) for name in references(load(preset="studio-en-ru", environment={}))]
    assert len(named) == 5
    for name in named:
        download(name + file)
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in asked) and len(asked) == 5


def test_it_is_told_which_commit_was_fetched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub

    path = f"/hub/models--someone--tiny/snapshots/{COMMIT}"
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: path)
    for name in ("LIVEDUB_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with caplog.at_level("INFO", "stages.weights.hub"):
        download(f"someone/tiny@{COMMIT}")
        assert caplog.text == ""
        download("someone/tiny")
    assert f"write someone/tiny@{COMMIT}" in caplog.text
