"""What every translator must keep to, and how checkpoints become translators."""

import asyncio
import importlib.util
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.base import (
    AlternativeTranslator,
    ContinuingTranslator,
    EngineError,
    Rendering,
    Translator,
)
from stages.mt.tokens import tokens_of
from stages.mt.untranslated import Untranslated
from stages.registry import create, missing

HOSTILE = [
    "x",
    "1234567890 !?",
    "Привет, мир.",
    "你好，世界。",
    "مرحبا بالعالم",
    "नमस्ते दुनिया।",
    "😀🎉",
    "a\x00b\ud83d\u202e",
    "</s> <unk> >>por<< __pt__ por_Latn",
    "z\u0300\u0301\u0302algo " * 30,
    "a" * 2_000,
    "word " * 400,
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Tiny checkpoints by name, and a cache folder for what they become."""
    for module in ("torch", "transformers", "sentencepiece"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("checkpoints")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers and PyTorch
        patch.setenv("LIVEDUB_CACHE", str(folder / "cache"))
        from tests.helpers import tiny_checkpoints as tiny

        yield {
            "marian": tiny.marian(folder / "opus-mt-en-pt"),
            "marian-many": tiny.marian(folder / "opus-mt-en-ROMANCE", ("por", "spa", "pt_br")),
            "m2m": tiny.m2m(folder / "m2m"),
            "nllb": tiny.nllb(folder / "nllb"),
        }


@pytest.fixture(scope="module", params=["none", "bergamot", "marian", "marian-many", "m2m", "nllb"])
def translator(request: pytest.FixtureRequest) -> Iterator[Translator]:
    if request.param == "none":
        yield create("mt", "none", source="en", target="en")
    elif request.param == "bergamot":
        if missing("mt", "bergamot"):
            pytest.skip("its weights are not installed")
        yield create("mt", "bergamot", source="en", target="pt")
    else:
        folder = request.getfixturevalue("checkpoints")[request.param]
        yield convert(folder)


def convert(folder: Path, **options: Any) -> Translator:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: Translator = create(
            "mt", "ctranslate2", model=str(folder), source="en", target="pt", **options
        )
    return made


def translate(translator: Translator, *texts: str) -> list[str]:
    async def run() -> list[str]:
        try:
            return [await translator.translate(text) for text in texts]
        finally:
            await translator.aclose()

    return asyncio.run(run())


def test_the_same_text_gives_the_same_translation(translator: Translator) -> None:
    text = "The boy went to the park. Tomorrow it will rain!"
    first, _, again = translate(translator, text, "Something else.", text)
    assert first == again
    assert isinstance(first, str)


def test_nothing_stays_nothing(translator: Translator) -> None:
    assert [text.strip() for text in translate(translator, "", "  ", "\n")] == ["", "", ""]


def test_hostile_text_is_survived(translator: Translator) -> None:
    for text in translate(translator, *HOSTILE):
        assert isinstance(text, str)


async def test_cancelling_leaves_the_translator_usable(translator: Translator) -> None:
    text = "The boy went to the park."
    expected = await translator.translate(text)
    doomed = asyncio.create_task(translator.translate("One sentence after another. " * 30))
    await asyncio.sleep(0.005)
    doomed.cancel()
    await asyncio.gather(doomed, return_exceptions=True)
    assert await translator.translate(text) == expected
    await translator.aclose()


async def test_alternatives_differ_and_the_best_comes_first(translator: Translator) -> None:
    if not isinstance(translator, AlternativeTranslator):
        assert isinstance(translator, Untranslated)  # the only one that knows no other
        return
    known: AlternativeTranslator = translator
    text = "I have been here. We are trying to learn that for twenty years."

    async def run() -> tuple[list[Rendering], list[Rendering], str]:
        many = await known.alternatives(text, 4)
        nothing = await known.alternatives(" ", 4)
        first = await translator.translate(text)
        await translator.aclose()
        return many, nothing, first

    many, nothing, first = await run()
    texts = [rendering.text for rendering in many]
    assert 1 <= len(texts) <= 4 and len(set(texts)) == len(texts)
    assert [r.score for r in many] == sorted((r.score for r in many), reverse=True)
    assert all(rendering.score <= 0 for rendering in many)
    assert nothing == [] and isinstance(first, str)


async def test_a_translation_goes_on_from_what_was_spoken(translator: Translator) -> None:
    if not isinstance(translator, ContinuingTranslator):
        assert isinstance(translator, Untranslated)
        return
    known: ContinuingTranslator = translator
    text = "The boy went to the park. Tomorrow it will rain!"
    rests = await known.continuations(text, "O menino", 3)
    nothing = await known.continuations(" ", "O menino", 3)
    whole = await known.continuations(text, "", 1)
    first = await translator.translate(text)
    await translator.aclose()
    assert nothing == [] and len(rests) <= 3
    assert [rest.score for rest in rests] == sorted((r.score for r in rests), reverse=True)
    for rendering in (*rests, *whole):
        assert "".join(word.text for word in rendering.words).split() == rendering.text.split()
        assert all(0 <= word.source < len(text) for word in rendering.words)
    assert whole[0].text == first


def test_closing_leaves_no_thread(translator: Translator) -> None:
    translate(translator, "One.")
    for thread in threading.enumerate():
        if thread.name == "livedub-mt":
            thread.join(20)
            assert not thread.is_alive()


def test_conversion_is_done_once(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(checkpoints["marian"])
    find = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name in ("torch", "transformers") else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    convert(checkpoints["marian"])


def test_a_missing_converter_names_the_extra(
    checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path))
    find = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name in ("torch", "transformers") else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(EngineError, match=r"pip install 'livedub\[convert\]'"):
        convert(checkpoints["marian"])


def test_a_failed_conversion_leaves_nothing(tmp_path: Path, checkpoints: dict[str, Path]) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "marian"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
        with pytest.raises(EngineError, match="cannot be converted"):
            convert(broken)
    left = [path for path in (tmp_path / "cache" / "converted").iterdir() if path.is_dir()]
    assert left == []


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="neither a CTranslate2 model"):
        create("mt", "ctranslate2", model=str(tmp_path), source="en", target="pt")


def test_a_model_named_for_another_pair_is_refused() -> None:
    with pytest.raises(EngineError, match="turns 'en' into 'ru', not 'en' into 'pt'"):
        create("mt", "ctranslate2", model="Helsinki-NLP/opus-mt-en-ru", source="en", target="pt")


@pytest.mark.parametrize(("target", "marker"), [("pt", ">>por<<"), ("pt-BR", ">>pt_br<<")])
def test_marian_is_told_the_target(checkpoints: dict[str, Path], target: str, marker: str) -> None:
    tokens = tokens_of(_converted(checkpoints["marian-many"]), "en", target)
    assert tokens.encode("The boy")[0] == marker
    assert tokens.encode("The boy")[-1] == "</s>"
    with pytest.raises(EngineError, match="only into por, pt_br, spa"):
        tokens_of(_converted(checkpoints["marian-many"]), "en", "de")


def test_m2m_is_told_both_languages(checkpoints: dict[str, Path]) -> None:
    tokens = tokens_of(_converted(checkpoints["m2m"]), "en", "pt")
    encoded = tokens.encode("The boy")
    assert (encoded[0], encoded[-1], tokens.prefix) == ("__en__", "</s>", ["__pt__"])
    assert tokens.decode(["__pt__", *encoded[1:-1], "</s>"]) == "The boy"
    with pytest.raises(EngineError, match="does not know the language 'tlh'"):
        tokens_of(_converted(checkpoints["m2m"]), "en", "tlh")


@pytest.mark.parametrize(
    ("language", "code"), [("pt", "por_Latn"), ("zh", "zho_Hans"), ("ar", "arb_Arab")]
)
def test_nllb_codes_follow_from_iso_codes(
    checkpoints: dict[str, Path], language: str, code: str
) -> None:
    tokens = tokens_of(_converted(checkpoints["nllb"]), "en", language)
    assert tokens.prefix == [code]
    encoded = tokens.encode("The boy")
    assert (encoded[0], encoded[-1]) == ("eng_Latn", "</s>")
    assert tokens.decode([code, *encoded[1:-1], "</s>"]) == "The boy"
    with pytest.raises(EngineError, match="does not know the language 'xx'"):
        tokens_of(_converted(checkpoints["nllb"]), "en", "xx")


def _converted(folder: Path) -> Path:
    from stages.mt.convert import converted

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return converted(folder, folder.name)
