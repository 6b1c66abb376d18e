"""``livedub voices compare``: two voices or checkpoints side by side, in figures."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from server.commands.voices import take
from server.config import Config, amend, load
from server.engines.options import options_of, own_options
from server.evaluation.plot import require_matplotlib
from server.evaluation.speaking_rate import syllable_nuclei
from stages.base import Recogniser, SpeakerEncoder, Synthesiser
from stages.registry import create, names
from stages.speakers.reference import RATE, read_clip
from stages.speakers.voice_store import usable
from stages.weights.hub import is_hub_reference
from stream.errors import UserError
from stream.frames import SPEECH_RATE, Embedding, Manner, Samples
from stream.sound.resample import resample

_NEEDED = ("rapidfuzz", "whisper_normalizer")


@dataclass(frozen=True, slots=True)
class VoiceFigures:
    """What was measured of one voice.

    Attributes:
        name: as it was given.
        similarity: mean cosine of its takes' embeddings and the reference's.
        word_error_rate: of the configured recogniser on its takes.
        characters_per_second: mean over takes.
        syllables_per_second: the same; nuclei found in the sound.
        duration_spread: mean over texts of the standard deviation of a text's duration from take
            to take, as part of its mean.
        timbre_spread: 1 minus the mean cosine between takes of one text.
    """

    name: str
    similarity: float
    word_error_rate: float
    characters_per_second: float
    syllables_per_second: float
    duration_spread: float
    timbre_spread: float


def run_compare(options: argparse.Namespace, console: Console) -> int:
    """Measure both and print; exit status 0."""
    config = load(options.config, preset=options.preset, assignments=options.set)
    texts = _texts(options.texts)
    if absent := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise UserError(f"voices compare needs {', '.join(absent)}: pip install 'livedub[eval]'")
    if options.takes < 1:
        raise UserError("--takes must be 1 or more")
    for specification in (options.base, options.other):
        _check(specification)
    if options.plot is not None:
        require_matplotlib()
    reference = resample(read_clip(options.reference), RATE, SPEECH_RATE)
    both = asyncio.run(_compare(config, (options.base, options.other), texts, reference, options))
    if options.json:
        console.print_json(json.dumps([asdict(figures) for figures in both]))
    else:
        console.print(_table(both))
    if options.plot is not None:
        _draw(options.plot, both)
    return 0


async def _compare(
    config: Config,
    specifications: tuple[str, str],
    texts: Sequence[str],
    reference: Samples,
    options: argparse.Namespace,
) -> list[VoiceFigures]:
    _, arguments = options_of("asr", amend(config, {"languages.source": config.target}))
    encoder: SpeakerEncoder = create("speakers", "ge2e", model=config.speakers.model)
    recogniser: Recogniser = create("asr", config.asr.engine, **arguments)
    try:
        known = await encoder.embed(reference)
        measured = []
        for specification in specifications:
            synthesiser, manner = _open(config, specification, options.reference)
            try:
                takes = [
                    [
                        resample(
                            await take(synthesiser, text, replace(manner, take=number)),
                            synthesiser.sample_rate,
                            SPEECH_RATE,
                        )
                        for number in range(options.takes)
                    ]
                    for text in texts
                ]
            finally:
                await synthesiser.aclose()
            figures = await _measure(
                specification, texts, takes, known, encoder, recogniser, config.target
            )
            measured.append(figures)
        return measured
    finally:
        await encoder.aclose()
        await recogniser.aclose()


def _check(specification: str) -> None:
    engine = specification.partition(":")[0]
    if engine not in names("tts") and not _is_checkpoint(specification):
        raise UserError(
            f"'{specification}' is neither a checkpoint (its folder or hub id) nor ENGINE or "
            f"ENGINE:VOICE with an engine of {', '.join(names('tts'))}"
        )


def _is_checkpoint(specification: str) -> bool:
    return Path(specification).expanduser().is_dir() or is_hub_reference(specification)


def _open(config: Config, specification: str, reference: Path) -> tuple[Synthesiser, Manner]:
    """``ENGINE``, ``ENGINE:VOICE``, or an XTTS checkpoint, which clones the clip."""
    engine, _, voice = specification.partition(":")
    common: dict[str, Any] = {"language": config.target, "threads": config.tts.threads}
    if _is_checkpoint(specification):
        cloning = {"model": specification, "voice": str(reference)}
        return _create("xtts", config, common | cloning), Manner()
    synthesiser = _create(engine, config, common | {"voice": "default"})
    return synthesiser, Manner(voice=usable(voice or "default", synthesiser))


def _create(engine: str, config: Config, options: dict[str, Any]) -> Synthesiser:
    synthesiser: Synthesiser = create(
        "tts", engine, **options, **own_options("tts", engine, config)
    )
    return synthesiser


async def _measure(
    name: str,
    texts: Sequence[str],
    takes: Sequence[Sequence[Samples]],
    reference: Embedding,
    encoder: SpeakerEncoder,
    recogniser: Recogniser,
    language: str,
) -> VoiceFigures:
    from server.evaluation.words import word_edits

    errors = said = 0
    similarities, rates, syllables, durations, timbres = [], [], [], [], []
    for text, readings in zip(texts, takes, strict=True):
        voices = np.stack([await encoder.embed(reading) for reading in readings])
        seconds = np.array([max(len(reading) / SPEECH_RATE, 0.1) for reading in readings])
        similarities += list(voices @ reference)
        rates += list(len(text) / seconds)
        durations.append(seconds.std() / seconds.mean())
        among = voices @ voices.T
        pairs = len(readings) * (len(readings) - 1)
        timbres.append(1 - (among.sum() - np.trace(among)) / pairs if pairs else 0.0)
        for reading, length in zip(readings, seconds, strict=True):
            syllables.append(len(syllable_nuclei(reading)) / length)
            heard = (await recogniser.recognise(reading)).text
            edits, length_ = word_edits(text, heard, language)
            errors, said = errors + edits, said + length_
    return VoiceFigures(
        name,
        *(
            round(float(value), 4)
            for value in (
                np.mean(similarities),
                errors / max(said, 1),
                np.mean(rates),
                np.mean(syllables),
                np.mean(durations),
                max(float(np.mean(timbres)), 0.0),
            )
        ),
    )


def _texts(given: Sequence[str]) -> list[str]:
    """Sentences; an argument that is a file stands for its lines."""
    texts: list[str] = []
    for argument in given:
        path = Path(argument)
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [argument]
        texts += [line.strip() for line in lines if line.strip()]
    if not texts:
        raise UserError("--texts holds nothing to say")
    return texts


ROWS = (
    ("similarity", "similarity to the reference", "1"),
    ("word_error_rate", "word error rate of the recogniser", "0"),
    ("characters_per_second", "characters a second", ""),
    ("syllables_per_second", "syllables a second", ""),
    ("duration_spread", "duration, take to take", "0"),
    ("timbre_spread", "timbre, take to take", "0"),
)


def _table(both: Sequence[VoiceFigures]) -> Table:
    table = Table(title="Two voices")
    table.add_column("figure")
    for figures in both:
        table.add_column(figures.name, justify="right")
    table.add_column("ideal")
    for field, label, ideal in ROWS:
        table.add_row(label, *(f"{getattr(figures, field):.3f}" for figures in both), ideal)
    return table


def _draw(path: Path, both: Sequence[VoiceFigures]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (field, label, ideal) in zip(figure.subplots(2, 3).ravel(), ROWS, strict=True):
        values = [getattr(figures, field) for figures in both]
        bars = axis.bar([Path(f.name).name for f in both], values, color=["#0072B2", "#E69F00"])
        axis.bar_label(bars, fmt="%.3f")
        axis.set_title(label + (f" (ideal {ideal})" if ideal else ""), fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(y=0.15)
    figure.savefig(path, dpi=110)
