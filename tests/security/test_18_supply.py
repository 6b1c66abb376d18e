"""Weights that are named with a commit are those of that commit; known holes are not installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stages.weights.hub import is_hub_reference
from stages.weights.licences import licence_of
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


def test_versions_with_known_holes_are_excluded() -> None:
    """FastAPI took any page's JSON before 0.132; Starlette had CVE-2025-62727 before 0.49.1."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    serve = project["optional-dependencies"]["serve"]
    assert "fastapi>=0.132" in serve and "starlette>=0.49.1" in serve
