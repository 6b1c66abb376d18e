"""Files dubbed by subtitles: no recogniser, and for a translation no translator either."""

import json
from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from server.config import load
from server.sessions.scripted import language_of
from stages.registry import missing
from stream.errors import UserError

SAID = "1\n00:00:00,800 --> 00:00:03,800\n{}\n\n2\n00:00:04,400 --> 00:00:06,300\n{}\n\n"
LATER = "3\n00:01:00,000 --> 00:01:02,000\n{}\n"
RUSSIAN = ("Доброе утро на пароме.", "Не оставляйте вещи.", "Никто.")
ENGLISH = ("Good morning on the ferry.", "Keep your bags.", "Nobody.")
ESPEAK = ["--set", "tts.engine=espeak"]

espeak = pytest.mark.skipif(bool(missing("tts", "espeak")), reason="needs eSpeak NG")


def subtitles(path: Path, texts: tuple[str, ...]) -> Path:
    path.write_text((SAID + LATER).format(*texts), "utf-8")
    return path


@espeak
def test_a_translation_is_spoken_without_any_model(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr("stages.asr.whisper_model.Whisper", None)  # cannot be loaded
    given = subtitles(tmp_path / "ferry.ru.srt", RUSSIAN)
    report, folder = tmp_path / "report.json", tmp_path / "subs"
    out = tmp_path / "out.mp4"
    command = ["file", str(clip.path), str(out), "--target-lang", "ru", "--report", str(report)]
    beside = ["--subtitles-in", str(given), "--subtitles", str(folder)]
    assert main([*command, *beside, *ESPEAK]) == 0
    found = json.loads(report.read_text())
    assert found["engines"] == {"asr": "subtitles", "mt": "subtitles", "tts": "espeak"}
    assert (found["source_language"], found["target_language"]) == ("en", "ru")
    spoken = [row for row in found["utterances"] if row["fate"] != "empty"]
    assert " ".join(row["translation"] for row in spoken) == " ".join(RUSSIAN[:2])
    assert spoken[0]["translation"] == RUSSIAN[0] and spoken[0]["slot"][1] < 4.4
    assert all(row["text"] == "" and row["fate"] == "on_time" for row in spoken)
    assert any("00:01:00.000, 'Никто.'" in note for note in found["notes"])
    assert [path.name for path in sorted(folder.iterdir())] == ["out.ru.srt", "out.ru.vtt"]
    assert RUSSIAN[0] in (folder / "out.ru.srt").read_text("utf-8")


@espeak
def test_a_transcript_takes_the_place_of_recognition(clip: Clip, tmp_path: Path) -> None:
    given = subtitles(tmp_path / "ferry.srt", ENGLISH)
    report, out = tmp_path / "report.json", tmp_path / "ferry.mp4"
    command = ["file", str(clip.path), str(out), "--report", str(report), *ESPEAK]
    scripted = ["--set", "mt.engine=none", "--subtitles-in", str(given), "--subtitles-lang", "en"]
    assert main([*command, *scripted]) == 0
    rows = json.loads(report.read_text())["utterances"]
    assert " ".join(row["text"] for row in rows).strip() == " ".join(ENGLISH[:2])


def test_subtitles_are_not_overwritten(
    clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = subtitles(tmp_path / "ferry.en.srt", ENGLISH)
    command = ["file", str(clip.path), str(tmp_path / "ferry.mp4"), "--subtitles", str(tmp_path)]
    assert main([*command, "--subtitles-in", str(given), *ESPEAK]) == 2
    assert "ferry.en.srt would be overwritten" in capsys.readouterr().err
    assert main([*command, "--subtitles-lang", "en"]) == 2
    assert "--subtitles-in: name that file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("talk.ru.srt", None, ("ru", True)),
        ("talk.en-GB.vtt", None, ("en-GB", False)),
        ("talk.ru.srt", "English", ("en", False)),
        ("talk.final.srt", "rus", ("ru", True)),
    ],
)
def test_the_language_is_told_by_name_or_option(
    name: str, given: str | None, expected: tuple[str, bool]
) -> None:
    config = load(assignments=["languages.target=ru"], environment={})
    assert language_of(Path(name), given, config) == expected
    several = load(assignments=["languages.source=auto", "languages.target=ru"], environment={})
    assert language_of(Path(name), given, several) == expected


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("talk.srt", None, "do not tell their language"),
        ("talk.final.srt", None, "do not tell their language"),
        ("talk.de.srt", None, "are in German"),
    ],
)
def test_another_language_is_refused(name: str, given: str | None, said: str) -> None:
    config = load(assignments=["languages.target=ru"], environment={})
    with pytest.raises(UserError, match=f"{said}: with --subtitles-lang say en for .* or ru for"):
        language_of(Path(name), given, config)
