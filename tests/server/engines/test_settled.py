"""Engines chosen by the languages, from what is here."""

from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from server.config import Config, load
from server.engines import settled as settling
from server.engines.options import options_of
from server.engines.settled import choice, settled, wanted
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
        named = {candidate.model, candidate.engine} & {*models, "tiny.en", "base"}
        return bool(named)

    for module in (chooser, settling):
        monkeypatch.setattr(module, "is_installed", is_installed)


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
        f"en -> ru: recognition by tiny.en (on a CPU); translation by ctranslate2 {small}; "
        "voice by espeak (piper ru_RU-irina-medium is not installed)"
    )


def test_portuguese_is_spoken_by_the_embedded_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "bergamot", "kokoro", "espeak")
    taken = settled(config())
    assert (taken.mt.engine, taken.tts.engine) == ("bergamot", "kokoro")
    assert settled(taken) is taken and choice(taken) is None
    assert "kokoro (piper pt_BR-faber-medium is not installed)" in (choice(config()) or "")


def test_a_voice_that_is_too_slow_for_the_delay_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here(monkeypatch, "bergamot", "kokoro", "espeak")
    live = load(preset="live", environment={})
    for cores, engine in ((1, "espeak"), (2, "espeak"), (4, "kokoro")):
        monkeypatch.setattr(settling, "usable_cores", lambda cores=cores: cores)
        assert settled(live).tts.engine == engine
    monkeypatch.setattr(settling, "usable_cores", lambda: 1)
    assert "kokoro is too slow for a delay of 4 s here" in (choice(live) or "")
    assert settled(config()).tts.engine == "kokoro"
    here(monkeypatch, "bergamot", "kokoro")
    assert settled(live).tts.engine == "kokoro", "slow is better than none"


def test_whisper_is_chosen_by_language_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def recognition(**languages: str) -> tuple[str, int]:
        asr = settled(config(**languages), "asr").asr
        return asr.model, asr.threads

    def takes(seconds: float) -> None:
        monkeypatch.setattr("stages.asr.whisper_model.encoding_s", lambda *_: seconds)

    monkeypatch.setattr(settling, "usable_cores", lambda: 8)
    here(monkeypatch)
    assert recognition() == ("tiny.en", 1) and recognition(source="de") == ("base", 1)
    here(monkeypatch, "small", "large-v3-turbo", "large-v3")
    takes(0.39)
    assert recognition() == ("large-v3", 4), "the largest that keeps up, on half of the cores"
    takes(0.41)
    assert recognition(source="de") == ("base", 1)
    here(monkeypatch, "small", "ctranslate2", "piper")
    said = choice(config(source="de", target="en"))
    assert said and "base (the encoder of small takes 0.41 s here, 0.4 s is the most)" in said
    monkeypatch.setattr(settling, "has_cuda", lambda: True)
    here(monkeypatch, "small", "large-v3-turbo", "large-v3")
    assert recognition()[0] == "large-v3-turbo"
    assert wanted(config(source="de")).asr.model == "large-v3-turbo"


def test_an_engine_from_outside_gets_no_model_of_ours() -> None:
    named = load(assignments=["asr.engine=mine:Ear"], environment={})
    assert settled(named, "asr") is named and options_of("asr", named)[1]["model"] == "default"


def test_default_models_are_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "ctranslate2", "piper")
    named = ["mt.engine=ctranslate2", "tts.engine=piper"]
    taken = settled(load(assignments=[*named, "languages.target=pl"], environment={}))
    assert (taken.mt.model, taken.tts.voice) == (
        translators("en", "pl")[0].model,
        voices("pl")[0].model,
    )
    english = settled(load(assignments=[*named, "languages.source=ru", "languages.target=en"]))
    assert english.tts.voice == "match", "joe, which comes in a package"
    with pytest.raises(EngineError, match=r"No voice for Japanese of tts\.engine 'piper' is known"):
        settled(load(assignments=[*named, "languages.target=ja"], environment={}))


def test_what_somebody_named_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "espeak")
    named = load(assignments=["mt.engine=none", "tts.voice=f2"], environment={})
    taken = settled(named)
    assert (taken.mt.engine, taken.tts.engine, taken.tts.voice) == ("none", "espeak", "f2")


PLAN = (
    "tiny.en: installed",
    "ctranslate2 Helsinki-NLP/opus-mt-en-ru: about 300 MB",
    "piper ru_RU-irina-medium: about 63 MB",
    "About 363 MB to download",
)


@pytest.mark.parametrize("command", ["file IN OUT", "serve", "doctor", "file IN OUT --preset live"])
def test_without_models_the_plan_fits_a_screen(
    command: str, clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command.replace("IN", str(clip.path)).replace("OUT", str(tmp_path / "out.mp4")).split()
    status = main([*words, "--target-lang", "Russian"])
    found = capsys.readouterr()
    said = (found.out + found.err).partition("To dub")[2].partition("For others")[0]
    assert status == (1 if command == "doctor" else 2)
    assert len(said.splitlines()) < 12 and max(map(len, said.splitlines())) < 100
    preset = "--preset live --target-lang Russian"
    pull = preset if "live" in command else "--source-lang en --target-lang ru"
    for part in (*PLAN, f"livedub models pull {pull}\n"):
        assert part in said


def test_a_preset_offline_is_told_exactly_what_is_missing(
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LIVEDUB_OFFLINE", "1")
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
    studio = ["file", str(clip.path), str(tmp_path / "out.mp4"), "--preset", "studio-en-ru"]
    assert main([*studio, "--target-lang", "uk"]) == 2
    assert "'xtts' does not speak Ukrainian: set it to espeak or piper" in capsys.readouterr().err
    assert main(studio) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) < 12
    for part in (
        "large-v3-turbo: about 1620 MB",
        "opus-mt-en-ru: about 300 MB",
        "xtts: about 1870 MB, CPML",
        "livedub is offline",
        "livedub models pull --preset studio-en-ru --accept-licence",
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
