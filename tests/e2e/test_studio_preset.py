"""The studio preset end to end, on checkpoints of its architectures that the test makes."""

import json
import warnings
from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from stages.registry import missing
from tests.helpers.tiny_xtts import narrow_xtts, tiny_xtts

if missing("tts", "xtts") or missing("asr", "faster-whisper"):
    pytest.skip("needs livedub[xtts]", allow_module_level=True)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    from tests.helpers import tiny_checkpoints

    folder = tmp_path_factory.mktemp("studio")
    with warnings.catch_warnings(), narrow_xtts():
        warnings.simplefilter("ignore")  # of transformers and PyTorch
        values = {
            "asr.model": "tiny.en",
            "asr.beam_size": 1,
            "mt.model": tiny_checkpoints.marian(folder / "opus-mt-en-ru"),
            "tts.model": tiny_xtts(folder / "xtts", codes=40),
            "tts.threads": 1,
        }
    return [f"--set={key}={value}" for key, value in values.items()]


@pytest.mark.filterwarnings("ignore")  # of transformers and PyTorch, while Marian is converted
def test_speech_streams_into_the_jitter_buffer(
    clip: Clip, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIVEDUB_OFFLINE", "")  # --offline sets it; so it is put back
    out, report = tmp_path / "out.mp4", tmp_path / "report.json"
    # A delay below what an utterance takes: its time has come when its first piece is there.
    live = ["--realtime", "--delay", "1.5", "--set", "playout.max_late=30"]
    command = ["file", str(clip.path), str(out), "--preset", "studio-en-ru", "--offline"]
    with narrow_xtts():
        assert main([*command, *settings, *live, "--report", str(report)]) == 0
    found = json.loads(report.read_text())
    assert found["engines"] == {"asr": "faster-whisper", "mt": "ctranslate2", "tts": "xtts"}
    dubbed = [row for row in found["utterances"] if row["dub"] is not None]
    assert len(dubbed) >= 2 and not found["summary"]["failed"]
    # One that the end of the film cuts off may have come to its first piece only.
    streamed = [row for row in dubbed if row["streamed"]]
    assert all(0 < row["first_piece_s"] <= row["last_piece_s"] for row in streamed)
    assert any(row["first_piece_s"] < row["last_piece_s"] for row in streamed), (
        "playout of no dub began before its sentence was made"
    )
