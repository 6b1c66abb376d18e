"""A test set on the virtual clock of recognition.py: ``python benchmarks/recognition_set.py SET``.

``SET`` is the manifest of a set, of recordings or such as ``benchmarks/demo_set.py`` makes. What is
recognised in each clip and how it is translated depends only on code and settings, so this is the
tool for comparing settings of recognition; ten minutes of speech take about three. ``--memory``
keeps the transcripts of one model, so that settings which cut in the same places take seconds.
``--plain`` measures a plain run of faster-whisper over each whole file, with the same weights.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from pathlib import Path

import numpy as np
import sacrebleu
from recognition import Ear, Unit, in_context, play

from server.config import Config, load
from server.engines.options import options_of
from server.engines.settled import settled
from server.evaluation.fragments import are_fragments
from server.evaluation.manifest import Clip, read_manifest
from server.evaluation.metrics import METRICS, pooled, shown
from server.evaluation.performance import Spoken
from server.evaluation.score import LOSSES, Rows, score_texts
from server.evaluation.words import word_edits
from stages.asr.whisper import FasterWhisper
from stages.base import SpeechTranslator, Translator
from stages.registry import create
from stages.vad import SileroDetector
from stages.weights.resolve import resolve
from stream.frames import SPEECH_RATE, Samples
from stream.media.soundtrack import read_soundtrack

REST = 0.1
"""Seconds from a text to the first sound of a voice that takes no time."""


class Edits:
    """Word edits of the clips, as ``livedub eval`` counts them."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._wrong = self._words = 0

    def count(self, clip: Clip, heard: str) -> None:
        """Add a clip, and print its line."""
        said = " ".join(segment.text for segment in clip.segments)
        wrong, words = word_edits(said, heard, self._language)
        self._wrong, self._words = self._wrong + wrong, self._words + words
        print(f"{clip.name:12} WER {wrong / words:.3f}, {wrong:3d} of {words:3d}", flush=True)

    @property
    def rate(self) -> float:
        """Of all clips."""
        return self._wrong / self._words


Dubbed = tuple[Clip, list[Spoken]]


async def measure(options: argparse.Namespace, mt: Translator | SpeechTranslator) -> list[Dubbed]:
    """All clips, and a line of figures; returns what would be spoken."""
    config = _configured(options)
    manifest = read_manifest(options.manifest, options.only)
    edits = Edits(manifest.source)
    whisper = FasterWhisper(config.asr.model, manifest.source, config.asr.threads)
    ear = Ear(whisper, options.decode, options.memory)
    ours, references = [], []
    dubbed: list[Dubbed] = []
    lengths, first, torn = [], [], []
    media = cpu = 0.0
    for clip in manifest.clips:
        length, units, translations = await _dub(clip.media, config, ear, mt, options)
        if options.verbose:
            for unit in units:
                print(f"{unit.start:7.2f} {unit.end:7.2f} {unit.known - unit.end:5.2f} {unit.text}")
        edits.count(clip, " ".join(unit.text for unit in units))
        ours.append(" ".join(translations))
        slots = [(unit.start, unit.end) for unit in units]
        said = [
            Spoken(slot=slot, text=unit.text, translation=words, dub=slot)
            for slot, unit, words in zip(slots, units, translations, strict=True)
        ]
        dubbed.append((clip, said))
        references.append(" ".join(segment.translation for segment in clip.segments))
        media, cpu = media + length, cpu + ear.cpu
        lengths += [unit.end - unit.start for unit in units]
        torn += are_fragments([unit.text for unit in units], manifest.source)
        first += [
            u.known + options.translate + REST + options.pace * (u.end - u.start) - u.start
            for u in units
        ]
        ear.remember()
    await whisper.aclose()
    print(
        f"WER {edits.rate:.3f}, "
        f"BLEU {sacrebleu.corpus_bleu(ours, [references]).score:.1f}, "
        f"chrF {sacrebleu.corpus_chrf(ours, [references]).score:.1f}, "
        f"{len(lengths)} units of {statistics.median(lengths):.2f} s, "
        f"{sum(torn) / max(len(torn), 1):.3f} of them fragments, "
        f"recognition takes {cpu / media:.3f} CPU s a second"
    )
    if options.delay is not None:
        on_time = sum(each <= options.delay for each in first) / len(first)
        print(f"first dub after {statistics.median(first):.2f} s, on time {on_time:.3f}")
    return dubbed


def losses(dubbed: list[Dubbed], mt: Translator, pair: tuple[str, str]) -> None:
    """Where BLEU is lost, sentence by sentence; see docs/use/evaluation.md."""
    rows: Rows = {name: [] for name in METRICS}

    def translate(text: str) -> str:
        return asyncio.run(mt.translate(text)) if text else ""

    for clip, said in dubbed:
        mine: Rows = {name: [[] for _ in clip.segments] for name in METRICS}
        score_texts(mine, clip, said, pair, translate)
        for name, more in mine.items():
            rows[name] += more
    names = ("bleu", *LOSSES)
    figures = [
        f"{METRICS[name].title} {shown(pooled(METRICS[name].pool, rows[name]))}" for name in names
    ]
    print(f"by sentences {', '.join(figures)}")


def _configured(options: argparse.Namespace) -> Config:
    """The settings, for the languages of the set."""
    manifest = read_manifest(options.manifest, options.only)
    pair = [f"languages.source={manifest.source}", f"languages.target={manifest.target}"]
    return settled(load(assignments=[*pair, *options.set], environment={}), "asr", "mt")


def _mt(config: Config) -> Translator | SpeechTranslator:
    engine, options = options_of("mt", config)
    made: Translator | SpeechTranslator = create("mt", engine, **options)
    return made


def plain(options: argparse.Namespace) -> None:
    """The same clips by faster-whisper alone, each file at once."""
    from faster_whisper import WhisperModel

    asr = settled(load(assignments=options.set, environment={}), "asr").asr
    whisper = WhisperModel(str(resolve(asr.model)), device="auto", compute_type=asr.compute_type)
    manifest = read_manifest(options.manifest, options.only)
    edits = Edits(manifest.source)
    for clip in manifest.clips:
        sound = read_soundtrack(clip.media).samples
        found, _ = whisper.transcribe(sound, language=manifest.source, beam_size=asr.beam_size)
        segments = list(found)
        if options.verbose:
            for segment in segments:
                print(f"{segment.start:7.2f} {segment.end:7.2f} {segment.text.strip()}")
        edits.count(clip, " ".join(segment.text for segment in segments))
    print(f"WER {edits.rate:.3f}")


async def _dub(
    media: Path,
    config: Config,
    ear: Ear,
    mt: Translator | SpeechTranslator,
    options: argparse.Namespace,
) -> tuple[float, list[Unit], list[str]]:
    sound: Samples = read_soundtrack(media).samples
    sound = np.pad(sound, (0, -len(sound) % 512))
    detector = SileroDetector()
    speech = await detector.probabilities(sound)
    await detector.aclose()
    ear.restart()
    units = await play(sound, speech, config, ear, options.delay, options.pace, options.translate)
    translations = await in_context(units, mt, options.delay, config.source, sound)
    return len(sound) / SPEECH_RATE, units, translations


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, metavar="SET")
    parser.add_argument("--only", nargs="*", metavar="CLIP")
    parser.add_argument("--delay", type=float, help="s; without it, as a file")
    parser.add_argument("--decode", type=float, default=0.2, help="s of each call, virtual")
    parser.add_argument("--pace", type=float, default=0.03, help="s for a second of dub")
    parser.add_argument(
        "--translate", type=float, default=0.0, help="s of each translation that is no trifle"
    )
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    parser.add_argument("--memory", type=Path, help="keeps what was heard for the next run")
    parser.add_argument("--plain", action="store_true", help="faster-whisper over each whole file")
    parser.add_argument("--verbose", action="store_true", help="print every unit")
    options = parser.parse_args()
    if options.plain:
        plain(options)
    else:
        config = _configured(options)
        mt = _mt(config)
        dubbed = asyncio.run(measure(options, mt))
        if not isinstance(mt, SpeechTranslator):
            losses(dubbed, mt, (config.source, config.target))
        asyncio.run(mt.aclose())


if __name__ == "__main__":
    main()
