"""What a command needs and is not installed is one sentence, with the command that installs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from server.cli import main


@pytest.mark.parametrize(
    ("absent", "command", "sentence"),
    [
        ("rapidfuzz", ["eval", "set.yaml", "--out", "out"], "pip install 'livedub[eval]'"),
        ("websockets", ["listen", "ws://here/sessions/a/listen"], "pip install 'livedub[listen]'"),
        ("aiortc", ["serve"], "this needs aiortc: pip install 'livedub[serve]'"),
        (
            "matplotlib",
            ["dataset", "build", "a.wav", "--speaker", "a.wav", "--out", "new"],
            "dataset build needs matplotlib: pip install 'livedub[plot]'",
        ),
        ("matplotlib", ["file", "a.wav", "b.wav", "--plot", "c.png"], "pip install 'livedub[plot]"),
    ],
)
def test_it_is_one_sentence(
    absent: str,
    command: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, absent, None)
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.startswith("livedub: ") and sentence in said and len(said.splitlines()) == 1
