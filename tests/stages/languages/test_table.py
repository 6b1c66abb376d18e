"""What the table promises holds where it can be checked without the hub."""

import re
from pathlib import Path

import pytest

from server.commands.languages import markdown
from stages.languages.table import (
    COVERED,
    KOKORO_LANGUAGES,
    M2M_LANGUAGES,
    NLLB_LANGUAGES,
    WHISPER_LANGUAGES,
    XTTS_LANGUAGES,
    recognisers,
    translators,
    voices,
)
from stages.mt.seq2seq import _PAIR
from stages.mt.tokens import _marian_marker
from stages.registry import ENGINES
from stages.tts.xtts.text import LIMITS
from stages.weights.hub import is_hub_reference
from stages.weights.known import KNOWN
from stages.weights.resolve import on_the_hub

PAIRS = [(one, "en") for one in COVERED] + [("en", one) for one in COVERED]


def test_the_page_is_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "languages.md"
    assert page.read_text("utf-8") == markdown(), "livedub languages --markdown > docs/languages.md"


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_every_pair_has_a_translator_and_a_voice(pair: tuple[str, str]) -> None:
    found = [*translators(*pair), *voices(pair[1])]
    assert {one.kind for one in found} == {"mt", "tts"}
    for one in found:
        assert one.engine in ENGINES[one.kind]
        known = one.model == "default" or one.model in KNOWN
        assert known or is_hub_reference(on_the_hub(one.model))
        assert (one.megabytes > 0) == (not known or one.engine == "xtts")
        named = _PAIR.search(one.model)
        assert named is None or named.groups() == pair or one.model.endswith("-jap")
    assert found[-1].engine == "espeak"


def test_engines_speak_what_the_table_says() -> None:
    engine = pytest.importorskip("stages.tts.kokoro.engine")
    assert set(engine.LANGUAGES) == set(KOKORO_LANGUAGES)
    tokens = pytest.importorskip("faster_whisper.tokenizer")
    assert set(tokens._LANGUAGE_CODES) == WHISPER_LANGUAGES
    assert set(LIMITS) == set(XTTS_LANGUAGES)
    codes = pytest.importorskip("transformers.models.m2m_100.tokenization_m2m_100")
    assert set(codes.FAIRSEQ_LANGUAGE_CODES["m2m100"]) == M2M_LANGUAGES > NLLB_LANGUAGES


def test_espeak_reads_every_language_covered() -> None:
    library = pytest.importorskip("stages.tts.espeak.library")
    for code in COVERED:
        assert library.phonemes("1", code)


def test_a_region_has_its_own_voice_first() -> None:
    assert "pt_PT" in voices("pt-PT")[0].model and "pt_BR" in voices("pt-BR")[0].model
    assert "es_MX" in voices("es-MX")[0].model and "es_ES" in voices("es-AR")[0].model
    assert voices("en")[0].engine == "piper" and voices("tlh")[0].engine == "espeak"


def test_same_language_is_spoken_again_and_others_are_pivoted_by_nobody() -> None:
    assert [one.engine for one in translators("pt-BR", "pt")] == ["none"]
    assert translators("de", "ja")[0].model == "facebook/m2m100_418M"
    assert translators("en", "ja")[0].model == "facebook/m2m100_418M"
    assert translators("en", "tlh") == []


def test_recognisers_are_models_that_resolve() -> None:
    assert recognisers("en")[0].model == "tiny.en" and recognisers("de")[0].model == "base"
    for one in recognisers("en"):
        assert (one.megabytes == 0) == (one.model in KNOWN)
        assert one.model in KNOWN or is_hub_reference(on_the_hub(one.model))


@pytest.mark.parametrize(
    ("target", "markers", "expected"),
    [
        ("uk", "rus ukr bel", "ukr"),
        ("pl", "ces pol", "pol"),
        ("pt", "por pob", "pob"),
        ("pt-PT", "por pob", "por"),
        ("zh", "cmn_Hant cmn_Hans yue", "cmn_Hans"),
        ("zh-TW", "cmn_Hant cmn_Hans yue", "cmn_Hant"),
        ("ar", "ara arz", "ara"),
    ],
)
def test_models_of_families_are_told_the_language(target: str, markers: str, expected: str) -> None:
    vocabulary = frozenset(f">>{one}<<" for one in markers.split())
    assert _marian_marker(target, vocabulary) == [f">>{expected}<<"]


def test_names_of_families_are_no_pairs() -> None:
    for name in ("opus-mt-en-zlw", "opus-mt-tc-big-en-zle", "opus-mt-ROMANCE-en"):
        assert _PAIR.search(name) is None
    assert re.search(_PAIR, "opus-mt-en-ru-ctranslate2")
