"""Speed of each engine alone: ``python benchmarks/engines.py [--runs N]``.

Prints, for every engine of the embedded profile that can run here, wall and CPU seconds per
second of sound (translation: milliseconds per sentence), as medians over the runs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

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


def add(table: Table, engine: str, unit: str, figures: tuple[float, float]) -> None:
    """A row of the table."""
    table.add_row(engine, unit, *(f"{figure:.3f}" for figure in figures))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    Console().print(asyncio.run(measure(parser.parse_args().runs)))


if __name__ == "__main__":
    main()
