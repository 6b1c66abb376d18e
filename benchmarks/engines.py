"""Speed of each engine alone: ``python benchmarks/engines.py [--runs N] [--json FILE]``.

``--json`` writes how long each call took instead, of one engine of each kind with one thread, for
``benchmarks/cluster_plan.py``: CPU seconds for a second of speech, and for a character. Otherwise
it prints, for every engine of the embedded profile that can run here, wall and CPU seconds per
second of sound (translation: milliseconds per sentence), as medians over the runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from demo_clip import SCRIPT, soundtrack
from rich.console import Console
from rich.table import Table

from stages.registry import create, missing
from stages.vad import SileroDetector
from stream.frames import SPEECH_RATE
from stream.sound.resample import resample
from stream.timeline import TICK_RATE

PORTUGUESE = (
    "Bom dia e bem-vindos à balsa do rio.",
    "À sua esquerda, você pode ver o velho mercado.",
    "No verão, a cidade abre uma pequena praia do outro lado.",
    "Mais de nove mil pessoas atravessam a ponte todos os dias.",
)
ENGLISH = tuple(line.text.replace("|", "") for line in SCRIPT)[:4]


async def timed(work: Callable[[], Awaitable[float]], runs: int) -> tuple[float, float]:
    """Medians of wall and CPU seconds per unit, where ``work`` returns how many units it did."""
    await work()
    wall, cpu = [], []
    for _ in range(runs):
        began, spent = time.perf_counter(), time.process_time()
        units = await work()
        wall.append((time.perf_counter() - began) / units)
        cpu.append((time.process_time() - spent) / units)
    return statistics.median(wall), statistics.median(cpu)


async def measure(runs: int) -> Table:
    """Time everything that is installed."""
    sound, sentences = soundtrack()
    speech = resample(sound.reshape(len(sound), -1)[:, 0].copy(), TICK_RATE, SPEECH_RATE)
    table = Table(title=f"Engines alone, medians of {runs} runs")
    for heading in ("engine", "unit", "wall", "CPU"):
        table.add_column(heading, justify="left" if heading in ("engine", "unit") else "right")

    detector = SileroDetector()

    async def detect() -> float:
        whole = len(speech) // detector.window * detector.window
        await detector.probabilities(speech[:whole])
        return whole / SPEECH_RATE

    add(table, "vad silero", "s / s of sound", await timed(detect, runs))
    await detector.aclose()

    recogniser = create("asr", "faster-whisper", model="tiny.en", language="en")

    async def recognise() -> float:
        total = 0.0
        for sentence in sentences:
            piece = speech[round(sentence.start * SPEECH_RATE) : round(sentence.end * SPEECH_RATE)]
            await recogniser.recognise(piece)
            total += len(piece) / SPEECH_RATE
        return total

    add(table, "asr faster-whisper tiny.en", "s / s of speech", await timed(recognise, runs))
    await recogniser.aclose()

    translator = create("mt", "bergamot", source="en", target="pt")

    async def translate() -> float:
        # The engine keeps its last sentence: a new number each time defeats that.
        for text in ENGLISH:
            await translator.translate(f"{text} {np.random.randint(10**6)}")
        return len(ENGLISH)

    add(table, "mt bergamot en -> pt", "s / sentence", await timed(translate, runs))
    await translator.aclose()

    for name, language in (("kokoro", "pt"), ("piper", "en"), ("espeak", "pt")):
        if missing("tts", name):
            continue
        voice = create("tts", name, language=language)
        texts = ENGLISH if language == "en" else PORTUGUESE

        async def speak(voice: object = voice, texts: tuple[str, ...] = texts) -> float:
            spoken = 0
            for text in texts:
                async for piece in voice.synthesise(text):  # type: ignore[attr-defined]
                    spoken += len(piece)
            return spoken / voice.sample_rate  # type: ignore[attr-defined]

        add(table, f"tts {name} {language}", "s / s of speech", await timed(speak, runs))
        await voice.aclose()
    return table


async def service_times(voice: str, runs: int) -> dict[str, dict[str, object]]:
    """Of every call, by kind: the engine, the unit, and CPU seconds that a unit took.

    With one thread these are what it takes on a core of its own, whatever else the machine does.
    """
    sound, sentences = soundtrack()
    speech = resample(sound.reshape(len(sound), -1)[:, 0].copy(), TICK_RATE, SPEECH_RATE)
    pieces = [speech[round(s.start * SPEECH_RATE) : round(s.end * SPEECH_RATE)] for s in sentences]
    recogniser = create("asr", "faster-whisper", model="tiny.en", language="en", threads=1)
    translator = create("mt", "bergamot", source="en", target="pt", threads=1)
    synthesiser = create("tts", voice, language="pt", threads=1)

    async def recognise(number: int) -> float:
        await recogniser.recognise(pieces[number % len(pieces)])
        return len(pieces[number % len(pieces)]) / SPEECH_RATE

    async def translate(number: int) -> float:
        text = f"{ENGLISH[number % len(ENGLISH)]} {number}"
        await translator.translate(text)
        return len(text)

    async def speak(number: int) -> float:
        spoken = 0
        async for piece in synthesiser.synthesise(PORTUGUESE[number % len(PORTUGUESE)]):
            spoken += len(piece)
        return float(spoken / synthesiser.sample_rate)

    found: dict[str, dict[str, object]] = {}
    for kind, name, unit, work in (
        ("asr", "faster-whisper tiny.en", "speech", recognise),
        ("mt", "bergamot en -> pt", "text", translate),
        ("tts", voice, "speech", speak),
    ):
        await work(-1)
        samples = []
        for number in range(runs * len(PORTUGUESE)):
            began = time.process_time()
            units = await work(number)
            samples.append(round((time.process_time() - began) / units, 6))
        found[kind] = {"engine": name, "unit": unit, "seconds_per_unit": sorted(samples)}
    for engine in (recogniser, translator, synthesiser):
        await engine.aclose()
    return found


def add(table: Table, engine: str, unit: str, figures: tuple[float, float]) -> None:
    """A row of the table."""
    table.add_row(engine, unit, *(f"{figure:.3f}" for figure in figures))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times of calls")
    parser.add_argument("--voice", default="kokoro", help="whose calls are timed, with --json")
    options = parser.parse_args()
    if options.json is None:
        Console().print(asyncio.run(measure(options.runs)))
        return
    services = asyncio.run(service_times(options.voice, options.runs))
    written = {"cores": os.cpu_count(), "machine": platform.processor(), "services": services}
    options.json.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
