"""Engines chosen by the languages, from what is here."""

from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from server.config import Config, load
from server.engines.settled import choice, settled
from stages.base import EngineError
from stages.languages import choice as chooser
from stages.languages.table import Candidate, translators, voices


@pytest.fixture(autouse=True)
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub in which nothing is."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(chooser, "fetched_path", lambda name: None)
    monkeypatch.setattr("stages.weights.resolve.fetched_path", lambda name: None)
    return tmp_path


def config(**languages: str) -> Config:
    given = [f"languages.{name}={value}" for name, value in languages.items()]
    return load(assignments=given, environment={})


def here(monkeypatch: pytest.MonkeyPatch, *models: str) -> None:
    def is_installed(candidate: Candidate) -> bool:
        return candidate.model in models or candidate.engine in models

    monkeypatch.setattr(chooser, "is_installed", is_installed)


def test_the_best_that_is_here_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large, *_ = (one.model for one in translators("en", "ru"))
    voice = voices("ru")[0].model
    here(monkeypatch, large, voice, "espeak")
    taken = settled(config(target="ru"))
    assert (taken.mt.engine, taken.mt.model) == ("ctranslate2", large)
    assert (taken.tts.engine, taken.tts.voice) == ("piper", voice)
    here(monkeypatch, small, "espeak")
    taken = settled(config(target="ru"))
    assert (taken.mt.model, taken.tts.engine) == (small, "espeak")
    assert choice(config(target="ru")) == (
        f"en -> ru: translation by ctranslate2 {small}; voice by espeak "
        "(piper ru_RU-irina-medium is not installed)"
    )


def test_portuguese_is_spoken_by_the_embedded_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "bergamot", "kokoro", "espeak")
    taken = settled(config())
    assert (taken.mt.engine, taken.tts.engine) == ("bergamot", "kokoro")
    assert settled(taken) is taken and choice(taken) is None


def test_what_somebody_named_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "espeak")
    named = load(assignments=["mt.engine=none", "tts.voice=f2"], environment={})
    taken = settled(named)
    assert (taken.mt.engine, taken.tts.engine, taken.tts.voice) == ("none", "espeak", "f2")


def test_without_models_the_plan_fits_a_screen(
    clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["file", str(clip.path), str(tmp_path / "out.mp4")]
    assert main([*arguments, "--target-lang", "Russian"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) < 12
    for part in (
        "ctranslate2 Helsinki-NLP/opus-mt-en-ru: 300 MB",
        "piper ru_RU-irina-medium: 63 MB",
        "363 MB to download",
        "livedub models pull --source-lang en --target-lang ru",
    ):
        assert part in said


def test_a_pair_that_nothing_translates_is_said_to_be_one() -> None:
    with pytest.raises(EngineError, match="No translator from English to Klingon is known"):
        settled(config(target="tlh"))


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["languages", "--source", "ger", "--target", "English"]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert "de->en" in said and "joe" in said
    assert main(["languages", "--source", "xx"]) == 2
