"""A worker that dies costs one file; a batch that is killed leaves no process, and goes on."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from benchmarks.demo_clip import Clip
from benchmarks.sleeping import Synthesiser
from server.batch.batch import Batch, Wanted
from server.batch.results import NAME, Results
from server.config import load
from server.engines.warm_up import PHRASE
from server.sessions.journal import journal_of
from stream.frames import Manner
from tests.helpers.crew import Here

ENGINES = [
    "asr.engine=benchmarks.sleeping:Recogniser",
    "asr.model=none",
    "asr.mode=utterance",
    "mt.engine=benchmarks.sleeping:Translator",
    "tts.engine=tests.helpers.stuck:Stuck",
    "sound.enhance=none",
]


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def stuck(note: Path) -> int:
    """The process that is stuck by now."""
    wait(note.exists)
    process = int(note.read_text())
    note.unlink()
    return process


def ended(process: int) -> bool:
    """Whether it is gone, or waits for somebody to collect its status."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def states(folder: Path) -> dict[str, str]:
    read = json.loads((folder / NAME).read_text())
    return {Path(one["input"]).stem: one["state"] for one in read["files"]}


def test_a_killed_batch_goes_on(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films, folder, note = tmp_path / "films", tmp_path / "dubs", tmp_path / "note"
    films.mkdir()
    for name in "abcd":
        shutil.copy(clip.path, films / f"{name}.mp4")
    command = [sys.executable, "-m", "server.cli", "batch", films, "--out", folder, "--jobs", "1"]
    for setting in ENGINES:
        command += ["--set", setting]
    # A file has three sentences: in the second file the voice gets stuck at the second one.
    variables = {"STUCK_AFTER": "4", "STUCK_NOTE": str(note)}
    batch = subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.PIPE)
    try:
        os.kill(stuck(note), signal.SIGKILL)
        worker = stuck(note)  # the next, in the fourth file
        meant = {"a": "finished", "b": "failed", "c": "finished", "d": "dubbing"}
        wait(lambda: states(folder) == meant)
    finally:
        batch.kill()
        said = batch.communicate()[1].decode()
    assert "b.pt.mp4 failed: its process died (signal 9)" in said
    wait(lambda: ended(worker))
    assert journal_of(folder / "d.pt.mp4").exists()
    spoken = []

    async def speak(self: Synthesiser, text: str, manner: Manner):  # type: ignore[no-untyped-def]
        if text not in ("1.", PHRASE):
            spoken.append(text)
        async for piece in real(self, text, manner):
            yield piece

    real = Synthesiser.synthesise
    monkeypatch.setattr(Synthesiser, "synthesise", speak)
    monkeypatch.setenv("STUCK_AFTER", "100")
    config = load(assignments=ENGINES, environment={})
    inputs = [(films / f"{name}.mp4", Path(f"{name}.pt.mp4")) for name in "abcd"]
    crew = Here()
    again = Batch(inputs, Wanted(config, resume=True), Results(folder), crew)
    asyncio.run(crew.run(again))
    assert [item.skipped for item in again.items] == [True, False, True, False]
    assert set(states(folder).values()) == {"finished"}
    assert len(spoken) == 4  # the last two of two files: what was said before is known
    left = {path.name for path in folder.iterdir()}
    assert left == {f"{name}.pt.mp4" for name in "abcd"} | {NAME, ".batch.lock"}
    for name in "abcd":
        with av.open(str(folder / f"{name}.pt.mp4")) as made:
            assert made.duration == pytest.approx(clip.duration * 1e6, abs=1e5)
