"""``livedub voices``: manage voices to clone, and preview them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from server.config import Config, load
from server.engines.options import options_of
from stages.base import Synthesiser
from stages.languages.choice import command, is_installed
from stages.languages.table import Candidate
from stages.registry import create, find, missing
from stages.speakers.alone import others_s
from stages.speakers.consent import check_consent
from stages.speakers.ge2e import Ge2e
from stages.speakers.reference import RATE, read_clip
from stages.speakers.voice_store import (
    StoredVoice,
    add,
    remove,
    stored,
    usable,
    voices_dir,
    write_clip,
)
from stages.weights.known import KNOWN
from stages.weights.resolve import is_here
from stream.errors import UserError
from stream.frames import SPEECH_RATE, Manner, Samples
from stream.languages import base
from stream.sound.resample import resample

SAMPLE = {
    "de": "Guten Morgen, und willkommen an Bord. So klingt diese Stimme.",
    "en": "Good morning, and welcome aboard. This is what the voice sounds like.",
    "es": "Buenos días, y bienvenidos a bordo. Así suena esta voz.",
    "fr": "Bonjour, et bienvenue à bord. Voici cette voix.",
    "it": "Buongiorno, e benvenuti a bordo. Questa è la voce.",
    "pt": "Bom dia, e sejam bem-vindos a bordo. É assim que esta voz soa.",
    "ru": "Доброе утро, добро пожаловать на борт. Так звучит этот голос.",
}
"""What a preview says if nothing else is asked for, by language."""


def run_voices(options: argparse.Namespace, console: Console) -> int:
    """Add, list, preview or remove; exit status 0."""
    if options.action == "add":
        voice = add(options.name, options.clips, consent=options.consent)
        _print([voice], console)
        for sentence in _remarks(voice, options.clips):
            console.print(sentence, highlight=False, soft_wrap=True)
        if not options.consent:
            console.print(
                f"Nobody has said that {options.name} has agreed to be cloned: to speak in this "
                "voice takes tts.consent, or --consent here.",
                highlight=False,
            )
        for sentence in _next(voice.name):
            console.print(sentence, highlight=False, soft_wrap=True)
    elif options.action == "list":
        _print(stored(), console)
    elif options.action == "remove":
        remove(options.name)
    else:
        path = preview(options)
        console.print(f"{path}: {options.name}", highlight=False)
    return 0


def _remarks(voice: StoredVoice, given: Sequence[Path]) -> Iterator[str]:
    """What to know of the recordings, a sentence each."""
    for path, quality in zip(given, voice.quality, strict=True):
        if quality.advice is not None:
            yield f"{path} {quality.advice}."
    if missing("speakers", "ge2e") or not is_here("ge2e"):
        yield (
            "Whether one person alone speaks was not checked, which takes pip install onnx, and "
            f"{KNOWN['ge2e'].install}."
        )
        return
    encoder: Ge2e = create("speakers", "ge2e", model="default")
    clips = [resample(read_clip(path), RATE, SPEECH_RATE) for path in voice.clips]
    found = asyncio.run(others_s(clips, encoder))
    asyncio.run(encoder.aclose())
    for path, length in zip(given, found, strict=True):
        if length:
            yield (
                f"{path}: somebody else seems to speak for about {length:.0f} s of it, and a clone "
                "of two is nobody's voice. If so, remove the voice and add it without that part."
            )


def _next(name: str) -> Iterator[str]:
    """How to go on, a sentence each."""
    engine = Candidate("tts", "xtts")
    if not is_installed(engine):
        yield f"To speak in it, XTTSv2 is needed: {command([engine])}"
    yield f"Hear it: livedub voices preview {name} --set tts.engine=xtts"
    yield f"Dub in it: livedub file talk.mp4 --set tts.engine=xtts --set tts.voice={name}"


def preview(options: argparse.Namespace) -> Path:
    """Speak a text in a voice and write it.

    Returns:
        The WAV file that was written.

    Raises:
        EngineError: if the configured engine cannot speak in the voice.
        UserError: if there is no text for the language or nowhere to write.
    """
    config = load(options.config, preset=options.preset, assignments=options.set)
    text = options.text or SAMPLE.get(base(config.target))
    if not text:
        raise UserError(f"there is no sample text in '{config.target}': give one with --text")
    path: Path = options.out or Path(f"{Path(options.name).stem}.wav")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path.parent} does not exist: make the folder first")
    sound, rate = asyncio.run(_speak(config, options.name, text))
    write_clip(path, sound, rate)
    return path


async def _speak(config: Config, name: str, text: str) -> tuple[Samples, int]:
    engine, arguments = options_of("tts", config)
    if find("tts", engine).clones and not config.tts.consent:
        check_consent(name)
    synthesiser: Synthesiser = create("tts", engine, **arguments)
    try:
        sound = await take(synthesiser, text, Manner(voice=usable(name, synthesiser)))
        return sound, synthesiser.sample_rate
    finally:
        await synthesiser.aclose()


async def take(synthesiser: Synthesiser, text: str, manner: Manner) -> Samples:
    """One whole take of a text, mono at the synthesiser's rate."""
    pieces = [piece async for piece in synthesiser.synthesise(text, manner)]
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def _print(found: list[StoredVoice], console: Console) -> None:
    table = Table(title=str(voices_dir()))
    for heading in ("voice", "consent", "clip", "s", "speech", "SNR, dB", "LUFS"):
        named = heading in ("voice", "consent", "clip")
        table.add_column(heading, justify="left" if named else "right")
    for voice in found:
        for path, quality in zip(voice.clips, voice.quality, strict=True):
            table.add_row(
                voice.name,
                voice.consent or "none",
                path.name,
                f"{quality.duration:.1f}",
                f"{quality.speech_share:.0%}",
                f"{quality.snr:.0f}",
                f"{quality.loudness:.1f}",
            )
    console.print(table)
