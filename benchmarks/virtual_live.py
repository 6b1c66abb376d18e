"""Dubs of a set at live pace on a virtual clock: ``python -m benchmarks.virtual_live SET OUT``.

The whole pipeline runs as ``livedub file --realtime`` does, but its clock moves only while nothing
is being computed, and every call of a model takes the time that is said here. So what comes out,
lateness included, depends on code and settings alone, and not on what else the machine does; ten
minutes of speech take about five. Writes the dubs and their reports to OUT, prints the figures of
``livedub eval``, and what the onset delays of the dubs on time and of the late ones consist of.
What the recogniser heard is kept in OUT for the next run. No substitute for a run at real pace,
where models compete for the processor.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import pickle
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from server.config import Config, load
from server.engines.pool import EnginePool, LaneEngines, SourceEngines
from server.engines.settled import settled
from server.evaluation import waterfall
from server.evaluation.command import evaluate
from server.evaluation.manifest import Clip, read_manifest
from server.evaluation.metrics import METRICS, shown
from server.evaluation.record import Run
from server.evaluation.systems import System
from server.evaluation.translations import Translations
from server.sessions.file import FileSession
from stages.base import Recogniser, SpeechTranslator, Synthesiser
from stream.frames import PLAIN, Manner, Samples, Transcript
from stream.media.sink import FileSink
from stream.media.source import MediaSource
from tests.helpers.virtual_time import run_virtual

FIGURES = ("wer", "bleu", "chrf", "on_time", "lost", "first_dub", "speed_up", "isochrony",
           "pauses", "start_offset", "misheard", "mispunctuated", "cut", "unheard")  # fmt: skip

PATIENCE_S = 600.0
"""Real seconds that one call of a model may take."""


class Memory:
    """What was heard, by its sound."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.known: dict[bytes, Transcript] = {}
        if file.exists():
            self.known = pickle.loads(file.read_bytes())

    def keep(self) -> None:
        """For the next run."""
        self._file.write_bytes(pickle.dumps(self.known))


class Ear:
    """A recogniser of which each call takes some time; calls wait for each other."""

    def __init__(self, engine: Recogniser, cost: float, memory: Memory) -> None:
        self._engine, self._cost, self._memory = engine, cost, memory.known
        self._turn = asyncio.Lock()

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """As the engine does."""
        async with self._turn:
            key = hashlib.sha256(audio.tobytes() + bytes([words])).digest()
            if key not in self._memory:
                self._memory[key] = await self._engine.recognise(audio, words=words)
            await asyncio.sleep(self._cost)
            return self._memory[key]

    async def aclose(self) -> None:
        """The engine stays."""


class Interpreter:
    """A translator of which each call takes some time, whatever the call."""

    def __init__(self, engine: Any, cost: float) -> None:
        self._engine, self._spent = engine, cost
        self.cost = cost if isinstance(engine, SpeechTranslator) else 0.0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._engine, name)

        async def slowly(*args: Any) -> Any:
            answer = await call(*args)
            await asyncio.sleep(self._spent)
            return answer

        return slowly


class Mouth:
    """A voice that takes some time for a second of speech."""

    def __init__(self, engine: Synthesiser, pace: float) -> None:
        self._engine, self._pace = engine, pace
        self.sample_rate, self.rate_range = engine.sample_rate, engine.rate_range
        self.characters_per_second = engine.characters_per_second
        self.clones, self.check_voice = engine.clones, engine.check_voice

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """As the engine does."""
        async for piece in self._engine.synthesise(text, manner):
            await asyncio.sleep(self._pace * len(piece) / self.sample_rate)
            yield piece

    async def aclose(self) -> None:
        """The engine stays."""


def dub(options: argparse.Namespace, config: Config, clip: Clip, memory: Memory) -> None:
    """One clip, and its report beside it."""

    async def run() -> None:
        pool = EnginePool()
        engines = await pool.source(config, "clip")
        lane = await pool.lane(config, "clip")
        ears: SourceEngines = replace(
            engines, recogniser=Ear(engines.recogniser, options.decode, memory)
        )
        voice: LaneEngines = replace(
            lane,
            translator=Interpreter(lane.translator, options.translate),
            synthesiser=Mouth(lane.synthesiser, options.pace),
            pace=options.pace,
        )
        source = MediaSource(clip.media, choice=config.input, language=config.languages.one)
        out = options.out / f"{clip.name}.mkv"
        sink = FileSink(out, source.info, language=config.target, source_language=config.source)
        outcome = await FileSession(config, ears, voice, source, sink, realtime=True).run()
        out.with_suffix(".json").write_text(outcome.report.model_dump_json(indent=1), "utf-8")
        await pool.aclose()

    run_virtual(run(), patience_s=PATIENCE_S)


def figures(run: Run) -> str:
    """Those of a run in a line."""
    values = run.values()
    return ", ".join(
        f"{METRICS[name].title} {shown(values[name])}"
        for name in FIGURES
        if values.get(name) is not None
    )


def main() -> None:
    """Dub, score and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, metavar="SET")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--only", nargs="*", metavar="CLIP")
    parser.add_argument("--delay", type=float, default=4.0, help="s that the viewer is behind")
    parser.add_argument("--decode", type=float, default=0.3, help="s of a call of the recogniser")
    parser.add_argument("--translate", type=float, default=0.05, help="s of one of the translator")
    parser.add_argument("--pace", type=float, default=0.03, help="s for a second of dub")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    parser.add_argument("--score-only", action="store_true", help="what was dubbed before")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    manifest = read_manifest(options.manifest, options.only)
    pair = [f"languages.source={manifest.source}", f"languages.target={manifest.target}"]
    delay = f"playout.delay={options.delay}"
    config = settled(load(assignments=[*pair, delay, *options.set], environment={}))
    memory = Memory(options.out.parent / f"{config.asr.model}.heard")
    for clip in () if options.score_only else manifest.clips:
        dub(options, config, clip, memory)
        memory.keep()
    system = System("virtual", "files", folder=options.out)
    options.rescore = options.listener = None
    translations = Translations((manifest.source, manifest.target))
    found = evaluate(manifest, [system], options, None, translations, Console(stderr=True))
    translations.close()
    print(figures(found.runs[0]), flush=True)
    if (times := waterfall.table(found)) is not None:
        Console(width=100).print(times)


if __name__ == "__main__":
    main()
