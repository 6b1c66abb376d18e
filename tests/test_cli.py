"""The command line as scripts see it: exit status, one sentence, files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from server.config import Config, load

FAST = ["--set", "tts.engine=espeak"]


def test_a_file_is_dubbed_with_report_and_subtitles(clip: Clip, tmp_path: Path) -> None:
    out, report = tmp_path / "out.mp4", tmp_path / "report.json"
    command = ["file", str(clip.path), str(out), "--report", str(report), *FAST]
    assert main([*command, "--subtitles", str(tmp_path / "subs")]) == 0
    summary = json.loads(report.read_text())["summary"]
    assert summary["on_time_rate"] == 1.0
    assert abs(summary["lufs_dub"] - summary["lufs_original"]) < 1
    english = (tmp_path / "subs" / "out.en.vtt").read_text()
    portuguese = (tmp_path / "subs" / "out.pt.vtt").read_text()
    assert "keep your bags" in english and "Obrigado" in portuguese
    assert portuguese.startswith("WEBVTT")


def test_the_shipped_configuration_is_the_default() -> None:
    assert load(Path(__file__).parent.parent / "config.yaml", environment={}) == Config()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("asr: {modle: x}", "unknown key 'asr.modle'; known are engine, model"),
        ("tts: {engine: festival}", "tts.engine is 'festival', but must be one of kokoro, piper"),
        ("playout: {delay: soon}", "playout.delay is 'soon', but should be a valid number"),
        ("playout: {bed: loud}", "playout.bed is 'loud', but should be duck, mute or keep"),
        ("asr: tiny", "asr must be a section with keys, not a text"),
        ("- a", "must hold sections"),
        ("a: [", "is not valid YAML at line 1"),
        ("languages: {target: xx}", "bergamot"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(
    clip: Clip, tmp_path: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    out = tmp_path / "out.mp4"
    assert main(["file", str(clip.path), str(out), "--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["file", "none.mp4", "out.mp4"], "none.mp4 does not exist"),
        (["file", "none.mp4", "no/out.mp4"], "make the folder first"),
        (["file", "none.mp4", "out.mp4", "--set", "tts"], "--set takes section.key=value"),
        (["measure", "none.mp4", "none.mp4"], "none.mp4 cannot be read"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("livedub: ") and sentence in error and error.count("\n") == 1


def test_ctrl_c_leaves_a_playable_file(clip: Clip, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "server.cli", "file", str(clip.path), str(out), *FAST]
    process = subprocess.Popen(
        [*command, "--realtime", "--delay", "3"], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    part = tmp_path / ".out.part.mp4"
    while not part.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(6)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in error, error
    with av.open(str(out)) as media:
        frames = list(media.decode(audio=0))
    assert 1 < float(frames[-1].pts * frames[-1].time_base) < clip.duration - 0.5
    assert not part.exists()
