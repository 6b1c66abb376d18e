"""Incremental recognition, and recognition afterwards: ``python benchmarks/recognition.py``.

Plays a clip of several minutes with a known transcript and a translation made by hand through
voice activity, segmentation, Whisper and translation, on a virtual clock: media time passes
window by window, each call of the recogniser takes ``--decode`` seconds of it, and calls wait for
each other. So latencies do not depend on what else the machine is doing. Prints for each mode:

    WER         of the recognised text, %
    BLEU, chrF  of the translation against the one made by hand; ``alone`` if each unit is
                translated by itself, which ``mt.context: false`` does
    unit        median length of what goes to translation, s
    known       from the end of its speech to its translation being known, median, s
    first dub   from the beginning of its speech to its dub, median, s, with a synthesiser that
                takes ``--pace`` seconds per second of speech
    on time     share of units whose dub would be there within a delay of 3, 4 and 6 s
    calls, CPU  of the recogniser for each second of media

Needs ``sacrebleu`` and ``jiwer``. ``--clip-only OUT.mp4`` writes the clip, for ``livedub file``.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import math
import pickle
import random
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import jiwer
import numpy as np
import sacrebleu
from demo_clip import Line, make_clip, soundtrack
from recognition_text import PARAGRAPHS
from rich.console import Console
from rich.table import Table
from scipy.signal import resample_poly

from server.config import Config, load
from server.sessions.assembly import increments, segmenter
from stages.asr.sentence_case import SentenceCase
from stages.asr.whisper import FasterWhisper
from stages.base import SpeechTranslator, Translator
from stages.mt.bergamot.engine import Bergamot
from stages.mt.stage import translation
from stages.options import MtConfig
from stages.text.sentences import sentences
from stages.vad import SileroDetector
from stream.dub.job import Heard
from stream.frames import Samples, Transcript, Utterance, Word
from stream.speech.account import of_draft, of_utterance
from stream.speech.hearing import Hearing
from stream.speech.incremental import Found
from stream.timeline import TICK_RATE, Interval, ticks

RATE = 16_000
WINDOW = 512
APART = 2.0
"""Seconds between paragraphs: longer than any pause that is waited through."""
DELAYS = (3.0, 4.0, 6.0)
PADDING = 0.15
"""Seconds of sound around a unit."""
REWORDED = 0.5
"""Seconds before its time up to which a dub can still be made once more."""


def script() -> list[Line]:
    """The paragraphs as lines of a clip; pauses vary as those of speakers do."""
    random_ = random.Random(1)
    lines = []
    for text, _ in PARAGRAPHS:
        spoken = sentences(text)
        for sentence in spoken:
            pause = APART if sentence is spoken[-1] else random_.uniform(0.25, 0.7)
            parts = sentence.split("|")
            lines += [Line(part.strip(), random_.uniform(0.35, 0.6)) for part in parts[:-1]]
            lines.append(Line(parts[-1].strip(), pause))
    return lines


@dataclass(frozen=True)
class Unit:
    """What went to translation; times in media seconds, ``known`` on the virtual clock.

    ``cut`` says that the speaker goes on; ``words`` are as they were recognised.
    """

    start: float
    end: float
    known: float
    text: str
    cut: bool = False
    words: tuple[Word, ...] = ()


class Ear:
    """The recogniser on the virtual clock; what was heard once is remembered."""

    def __init__(self, whisper: FasterWhisper, cost: float, memory: Path | None) -> None:
        self._whisper, self._cost, self._file = whisper, cost, memory
        self._memory: dict[bytes, tuple[Transcript, float]] = {}
        if memory is not None and memory.exists():
            self._memory = pickle.loads(memory.read_bytes())
        self.free = 0.0
        self.calls, self.cpu = 0, 0.0

    def remember(self) -> None:
        """Keep what was heard for the next run, if there is a file for it."""
        if self._file is not None:
            self._file.write_bytes(pickle.dumps(self._memory))

    def restart(self) -> None:
        """For another mode."""
        self.free, self.calls, self.cpu = 0.0, 0, 0.0

    def at(self, now: float) -> Callable[[Samples], Awaitable[Transcript]]:
        """The recogniser as of a virtual time; its answers are there when it is ``free``."""

        async def recognise(audio: Samples) -> Transcript:
            key = hashlib.sha256(audio.tobytes() + b"\1").digest()
            if key not in self._memory:
                began = time.process_time()
                heard = await self._whisper.recognise(audio, words=True)
                self._memory[key] = heard, time.process_time() - began
            transcript, cpu = self._memory[key]
            self.calls, self.cpu = self.calls + 1, self.cpu + cpu
            self.free = max(self.free, now) + self._cost
            return transcript

        return recognise


async def play(audio: Samples, speech: Samples, config: Config, ear: Ear, delay: float | None,
               pace: float, cost: float = 0.0) -> list[Unit]:  # fmt: skip
    """All units of the sound; live behind by ``delay``, or offline."""
    live = delay is not None
    cutter = segmenter(config, WINDOW, delay=delay, pace=pace, cost=cost)
    incremental = increments(config, cutter, live=live, pace=pace)
    run = _Run(ear, Hearing(cutter, incremental, inline=not live))
    for index, probability in enumerate(speech):
        window = audio[index * WINDOW :][:WINDOW]
        await run.push(window, probability, (index + 1) * WINDOW / RATE)
    await run.finish(len(audio) / RATE)
    case, units = SentenceCase(), sorted(run.units, key=lambda unit: unit.start)
    slots = [Interval(ticks(unit.start), ticks(unit.end)) for unit in units]
    texts = [case.of(unit.text, slot) for unit, slot in zip(units, slots, strict=True)]
    return [replace(unit, text=text) for unit, text in zip(units, texts, strict=True)]


class _Run:
    """Drives the hearing as the pipeline does, on the virtual clock."""

    def __init__(self, ear: Ear, hearing: Hearing) -> None:
        self._ear, self._hearing = ear, hearing
        self._answer: tuple[float, float, Transcript] | None = None
        self.units: list[Unit] = []

    async def push(self, window: Samples, probability: float, now: float) -> None:
        """One window."""
        hearing = self._hearing
        await self._note(hearing.push(window, np.float32([probability])), now)
        if self._answer is not None and self._answer[0] <= now:
            await self._answered(now)
        while self._answer is None and (draft := hearing.due()) is not None:
            heard = await of_draft(draft, self._ear.at(now), math.inf)
            took = 0.0 if hearing.inline else self._ear.free - now
            self._answer = self._ear.free, took, heard
            if hearing.inline:
                await self._answered(now)

    async def finish(self, now: float) -> None:
        """The sound is over."""
        await self._note(self._hearing.finish(), now)

    async def _answered(self, now: float) -> None:
        assert self._answer is not None
        (_, took, transcript), self._answer = self._answer, None
        await self._note(self._hearing.answer(transcript, took), now)

    async def _note(self, found: Sequence[Found], now: float) -> None:
        for each in found:
            slot, transcript, known = each.utterance.slot, each.transcript, now
            if transcript is None and each.awaited and self._answer is not None:
                known, _, transcript = self._answer
            if transcript is None:
                transcript = await of_utterance(each.utterance, self._ear.at(now))
                known = self._ear.free
            if transcript.text:
                start, end = slot.start / TICK_RATE, slot.end / TICK_RATE
                cut = each.utterance.ended_by == "cut"
                self.units.append(Unit(start, end, known, transcript.text, cut, transcript.words))


def paragraphs(texts: Sequence[tuple[float, str]], ends: Sequence[float]) -> list[str]:
    """Texts, with the times of their middles, joined by the paragraph that they fall into."""
    joined: list[list[str]] = [[] for _ in ends]
    for middle, text in texts:
        joined[next(i for i, end in enumerate(ends) if middle <= end)].append(text)
    return [" ".join(parts) for parts in joined]


def plain(text: str) -> str:
    """Text as word error rates are counted: the numbers of the script are spelt out."""
    for digits, word in NUMBERS.items():
        text = re.sub(rf"\b{digits}\b", word, text)
    return " ".join(re.findall(r"[\w']+", text.lower()))


NUMBERS = {"30": "thirty", "60": "sixty", "18": "eighteen", "20": "twenty", "9": "nine",
           "2": "two"}  # fmt: skip


async def measure(options: argparse.Namespace) -> None:
    """Every mode in turn."""
    lines = script()
    sound, spoken = soundtrack(lines)
    audio = resample_poly(sound, 1, 3).astype(np.float32)
    audio = np.pad(audio, (0, -len(audio) % 512))
    ends = [s.end + 0.5 for s, line in zip(spoken, lines, strict=True) if line.pause == APART]
    ends[-1] = math.inf
    truth = [plain(text) for text, _ in PARAGRAPHS]
    references = [reference for _, reference in PARAGRAPHS]
    detector, whisper, mt = SileroDetector(), FasterWhisper(), Bergamot()
    speech = await detector.probabilities(audio)
    ear = Ear(whisper, options.decode, options.memory)
    media = len(audio) / RATE
    table = Table(title=f"{media:.0f} s, decode {options.decode} s, pace {options.pace}")
    heads = ("mode", "WER", "alone", "BLEU", "chrF", "units", "unit, s", "known, s", "first dub, s",
             *(f"{d:.0f} s" for d in DELAYS), "calls / s", "CPU / s")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head == "mode" else "right")
    perfect = [await mt.translate(text.replace("| ", "")) for text, _ in PARAGRAPHS]
    bleu, chrf = scores(perfect, references)
    table.add_row("the true text", "0.0", "", f"{bleu:.1f}", f"{chrf:.1f}")
    modes: list[tuple[str, float | None, list[str]]] = []
    for delay in (None, *options.delays):
        where = "offline" if delay is None else f"{delay:g} s"
        modes.append((f"{where}, utterance", delay, ["asr.mode=utterance"]))
        for agreement in options.agreement if delay is not None else (2,):
            for step in options.step if delay is not None else (1.0,):
                name = f"{where}, incremental"
                name += f" {agreement}, {step:g} s" if delay is not None else ""
                sets = ["asr.mode=incremental", f"asr.agreement={agreement}", f"asr.step={step}"]
                modes.append((name, delay, sets))
    for name, delay, sets in modes:
        ear.restart()
        config = load(assignments=[*sets, *options.set], environment={})
        units = await play(audio, speech, config, ear, delay, options.pace)
        if options.verbose:
            for unit in units:
                print(f"{unit.start:7.2f} {unit.end:7.2f} {unit.known - unit.end:5.2f} {unit.text}")
        middles = [(unit.start + unit.end) / 2 for unit in units]
        heard = paragraphs(list(zip(middles, (u.text for u in units), strict=True)), ends)
        alone = [await mt.translate(unit.text) for unit in units]
        apart = paragraphs(list(zip(middles, alone, strict=True)), ends)
        translated = await in_context(units, mt, delay)
        ours = paragraphs(list(zip(middles, translated, strict=True)), ends)
        bleu, chrf = scores(ours, references)
        wer = 100 * jiwer.wer(truth, [plain(text) for text in heard])
        lengths = [unit.end - unit.start for unit in units]
        first = [u.known + 0.03 + options.pace * (u.end - u.start) - u.start for u in units]
        by_itself = scores(apart, references)[0]
        figures = (wer, by_itself, bleu, chrf)
        row = [name, *(f"{figure:.1f}" for figure in figures), str(len(units)),
               f"{statistics.median(lengths):.2f}"]  # fmt: skip
        if delay is not None:
            row.append(f"{statistics.median(u.known + 0.03 - u.end for u in units):.2f}")
            row.append(f"{statistics.median(first):.2f}")
            row += [f"{sum(f <= d for f in first) / len(first):.3f}" for d in DELAYS]
        else:
            row += ["-"] * 5
        ear.remember()
        row += [f"{ear.calls / media:.2f}", f"{ear.cpu / media:.3f}"]
        table.add_row(*row)
        print("; ".join(row), flush=True)
    await whisper.aclose()
    await detector.aclose()
    Console(width=160).print(table)


async def in_context(units: Sequence[Unit], mt: Translator | SpeechTranslator,
                     delay: float | None = None, language: str = "en",
                     sound: Samples | None = None) -> list[str]:  # fmt: skip
    """Translations as the pipeline makes them: a sentence that goes on as it goes on.

    Live, what nobody will have heard by then is said in better words.
    """
    heard = np.zeros(0, np.float32) if sound is None else sound
    translations: list[str] = []

    async def reword(before: int, text: str, following: Heard) -> bool:
        if delay is None or units[before].start + delay - units[following.id].known <= REWORDED:
            return False
        translations[before] = text
        return True

    options = MtConfig(alternatives=1)
    translate = translation(mt, options, language, lambda text: TICK_RATE, reword)
    for number, unit in enumerate(units):
        slot = Interval(ticks(unit.start), ticks(unit.end))
        ended_by: Literal["pause", "cut"] = "cut" if unit.cut else "pause"
        first, last = (round(at * RATE) for at in (unit.start - PADDING, unit.end + PADDING))
        first = max(first, 0)
        utterance = Utterance(number, slot, heard[first:last], ticks(first / RATE), ended_by)
        async with asyncio.timeout(None) as limit:
            said = await translate(
                Heard(utterance, Transcript(unit.text, language, unit.words)), limit
            )
        translations.append(said.text)
    return translations


def scores(ours: list[str], references: list[str]) -> tuple[float, float]:
    """Corpus BLEU and chrF, paragraph by paragraph."""
    return (
        sacrebleu.corpus_bleu(ours, [references], lowercase=True).score,
        sacrebleu.corpus_chrf(ours, [references]).score,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decode", type=float, default=0.2, help="s of each call, virtual")
    parser.add_argument("--pace", type=float, default=0.35, help="s for a second of dub")
    parser.add_argument("--delays", type=float, nargs="*", default=DELAYS)
    parser.add_argument("--agreement", type=int, nargs="*", default=(1, 2))
    parser.add_argument("--step", type=float, nargs="*", default=(1.0,))
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    parser.add_argument("--verbose", action="store_true", help="print every unit")
    parser.add_argument("--memory", type=Path, help="keeps what was heard for the next run")
    parser.add_argument("--clip-only", type=Path, metavar="OUT.mp4")
    options = parser.parse_args()
    if options.clip_only is not None:
        make_clip(options.clip_only, script=script())
        return
    asyncio.run(measure(options))


if __name__ == "__main__":
    main()
