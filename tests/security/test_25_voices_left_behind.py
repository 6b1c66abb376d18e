"""What was said, and by whom, does not outlive its session: on disk, in logs or in caches."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from server.sessions.daemon import PREFIX
from stages.speakers import voice_store
from stages.temporary import TemporaryFolder, remove_leftovers
from tests.helpers.daemons import served

MAKER = """
import sys, time
from stages.temporary import TemporaryFolder
print(TemporaryFolder(sys.argv[1]).path, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _left_by_a_killed_process(folder: Path) -> list[Path]:
    left = []
    for prefix in (PREFIX, "livedub-voices-"):
        killed = subprocess.Popen(
            [sys.executable, "-c", MAKER, prefix],
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert killed.stdout is not None
        left.append(Path(killed.stdout.readline().strip()))
        (left[-1] / "speech.m4s").write_bytes(b"what was said")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        killed.stdout.close()
    return left


async def test_a_daemon_removes_what_a_killed_one_left(folder: Path) -> None:
    left = await asyncio.to_thread(_left_by_a_killed_process, folder)
    assert all(path.exists() for path in left)
    held = TemporaryFolder(PREFIX)
    (folder / "livedub-of-an-older-version").mkdir()
    (folder / "livedub-link").symlink_to(held.path)
    async with served():
        assert not any(path.exists() for path in left)
        assert held.path.exists() and (folder / "livedub-of-an-older-version").exists()
    held.close()
    held.close()
    assert not held.path.exists() and remove_leftovers(PREFIX) == []


def test_what_was_computed_from_a_voice_goes_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEDUB_VOICES", str(folder / "voices"))
    monkeypatch.setenv("LIVEDUB_CACHE", str(folder / "cache"))
    (folder / "voices" / "anna").mkdir(parents=True)
    (folder / "voices" / "anna" / "voice.json").write_text('{"clips": []}')
    voice_store.latents_dir().mkdir(parents=True)
    (voice_store.latents_dir() / "xtts-0123.npz").write_bytes(b"a print of her voice")
    voice_store.remove("anna")
    assert not (folder / "voices" / "anna").exists()
    assert list(voice_store.latents_dir().glob("*.npz")) == []


def test_what_is_said_is_not_logged_unless_asked_for() -> None:
    said = [
        f"{path}:{number}"
        for top in ("stages", "stream", "server")
        for path in (Path(__file__).parents[2] / top).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "log.info(" in line and ("text" in line or "recognised" in line)
    ]
    assert said == [] and logging.INFO > logging.DEBUG
