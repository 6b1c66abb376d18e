import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.base import EngineError
from stages.registry import ENGINES, create, default_weights, missing, names
from stages.weights.known import KNOWN


@pytest.mark.parametrize("kind", ENGINES)
def test_every_engine_is_described_and_its_weights_known(kind: str) -> None:
    for name in names(kind):
        engine = ENGINES[kind][name]
        assert engine.summary and engine.languages and engine.code_licence
        assert set(engine.weights) <= set(KNOWN)
        assert bool(engine.weights) <= bool(engine.weights_licence)


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(EngineError, match="must be one of bergamot, ctranslate2, whisper, none"):
        create("mt", "google")
    with pytest.raises(EngineError, match="only sound, asr, mt, tts, speakers"):
        create("vad", "silero")


EXTERNAL = """
class Whole:
    def __init__(self, *, model, source, target, threads, beam_size): pass
    async def translate(self, text): return text
    async def aclose(self): pass

class Fixed:
    def __init__(self, source): pass

class Half:
    def __init__(self, **options): pass
    async def translate(self, text): return text

class Picky(Half):
    def __init__(self, **options):
        from stages.base import EngineError
        raise EngineError("It wants tea first.")
"""


@pytest.fixture
def external(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "engines_of_mine.py").write_text(EXTERNAL)
    (tmp_path / "engines_broken.py").write_text("1 +")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("engines_of_mine", None)


def test_an_engine_from_outside_is_named_by_module_and_class(external: None) -> None:
    options = dict(model="default", source="en", target="pt", threads=1, beam_size=1)
    made = create("mt", "engines_of_mine:Whole", **options)
    assert type(made).__name__ == "Whole"
    assert missing("mt", "engines_of_mine:Whole") == ()
    assert default_weights("mt", "engines_of_mine:Whole") == ()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no_such_module:Engine", "cannot be imported: No module named 'no_such_module'"),
        ("engines_of_mine:Nothing", "cannot be imported: .* has no attribute 'Nothing'"),
        ("engines_broken:Engine", "cannot be imported: invalid syntax"),
        ("engines_of_mine:Fixed", "must take model, source, target as keyword arguments"),
        ("engines_of_mine:Half", r"lacks aclose: see Translator in stages\.base"),
        ("engines_of_mine:Picky", "It wants tea first"),
        (
            "engines_of_mine",
            r"must be one of bergamot, ctranslate2, whisper, none, or module:Class",
        ),
    ],
)
def test_one_that_cannot_be_used_gets_a_sentence(external: None, name: str, complaint: str) -> None:
    with pytest.raises(EngineError, match=complaint):
        create("mt", name, model="default", source="en", target="pt")


def test_what_is_not_installed_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name in ("piper", "espeakng_loader") else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(EngineError, match=r"needs pip install 'piper-tts>=1\.8,<2'\."):
        create("tts", "piper")
    assert missing("tts", "espeak") == ("espeakng-loader==0.2.4",)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: "libespeak-ng.so.1")
    assert missing("tts", "espeak") == ()


def test_none_only_keeps_a_language() -> None:
    with pytest.raises(EngineError, match="cannot turn 'en' into 'pt'"):
        create("mt", "none", source="en", target="pt")
    create("mt", "none", source="pt", target="pt-br")
