"""The examples as somebody runs them: scripts beside a daemon with real engines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from tests.helpers.daemon_process import DaemonProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
FILTERS = subprocess.run(["ffmpeg", "-filters"], capture_output=True, text=True).stdout

pytestmark = pytest.mark.skipif(" flite " not in FILTERS, reason="FFmpeg has no flite filter")


def test_published_and_listened_to_with_a_voice_of_ones_own(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(EXAMPLES), str(EXAMPLES.parent))))
    daemon = DaemonProcess(
        "tts.engine=engine:Flite",
        'serve.sessions=[{"id": "live", "key": "publishers-key", "targets": ["en"], "hls": false}]',
    )
    socket = daemon.url.replace("http", "ws") + "sessions/live"
    out = tmp_path / "dub.wav"
    try:
        daemon.loaded("live")
        listening = subprocess.Popen(
            [sys.executable, "-u", EXAMPLES / "listen.py", f"{socket}/listen", out],
            stdout=subprocess.PIPE,
            text=True,
        )
        published = subprocess.run(
            [
                *(sys.executable, EXAMPLES / "publish.py"),
                *(f"{socket}/publish", "publishers-key", clip.path),
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        taken = re.search(r'"type":"end","position":(\d+)', published.stdout.replace(" ", ""))
        assert taken is not None
        assert int(taken[1]) / 48_000 == pytest.approx(clip.duration, abs=0.1)
        assert daemon.http.delete("sessions/live", timeout=60).status_code == 204
        captions, _ = listening.communicate(timeout=60)
        assert listening.returncode == 0
    finally:
        daemon.end()
    assert len(captions.split()) > 10
    with wave.open(str(out)) as file:
        assert file.getframerate() == 24_000 and file.getnchannels() == 1
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(sound) / 24_000 > clip.duration - 1
    assert np.abs(sound.astype(float)).mean() > 100


def test_a_file_is_dubbed_with_a_voice_of_ones_own(
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    command = ["file", str(clip.path), str(tmp_path / "dubbed.mp4"), "--target-lang", "en"]
    command += ["--set", "mt.engine=none", "--set"]
    assert main([*command, "tts.engine=engine:Festival"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "tts.engine 'engine:Festival' cannot be imported" in said
    assert main([*command, "tts.engine=engine:Flite"]) == 0
    assert (tmp_path / "dubbed.mp4").stat().st_size > 0
