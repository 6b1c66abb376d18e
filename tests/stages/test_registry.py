import importlib.util
from typing import Any

import pytest

from stages.base import EngineError
from stages.registry import ENGINES, create, missing, names
from stages.weights.known import KNOWN


@pytest.mark.parametrize("kind", ENGINES)
def test_every_engine_is_described_and_its_weights_known(kind: str) -> None:
    for name in names(kind):
        engine = ENGINES[kind][name]
        assert engine.summary and engine.languages and engine.code_licence
        assert set(engine.weights) <= set(KNOWN)
        assert bool(engine.weights) <= bool(engine.weights_licence)


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(EngineError, match="must be one of bergamot, ctranslate2, none"):
        create("mt", "google")
    with pytest.raises(EngineError, match="only asr, mt, tts, speakers"):
        create("vad", "silero")


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
