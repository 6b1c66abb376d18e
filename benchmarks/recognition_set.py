"""A test set on the virtual clock of recognition.py: ``python benchmarks/recognition_set.py SET``.

``SET`` is the manifest of a set, such as ``benchmarks/demo_set.py`` makes. What is recognised in
each clip and how it is translated depends only on code and settings, so this is the tool for
comparing settings of recognition; ten minutes of speech take about three. ``--memory`` keeps
transcripts, so that settings which cut in the same places take seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from pathlib import Path

import jiwer
import numpy as np
import sacrebleu
from recognition import Ear, Unit, in_context, plain, play

from server.config import Config, load
from server.evaluation.manifest import read_manifest
from stages.asr.whisper import FasterWhisper
from stages.mt.bergamot.engine import Bergamot
from stages.vad import SileroDetector
from stream.media.soundtrack import read_soundtrack

REST = 0.1
"""Seconds from a text to the first sound of a voice that takes no time."""


async def measure(options: argparse.Namespace) -> None:
    """All clips, and a line of figures."""
    config = load(assignments=options.set, environment={})
    manifest = read_manifest(options.manifest, options.only)
    whisper, mt = FasterWhisper(), Bergamot()
    ear = Ear(whisper, options.decode, options.memory)
    heard, said, ours, references = [], [], [], []
    lengths, first = [], []
    for clip in manifest.clips:
        units, translations = await _dub(clip.media, config, ear, mt, options)
        heard.append(plain(" ".join(unit.text for unit in units)))
        said.append(plain(" ".join(segment.text for segment in clip.segments)))
        ours.append(" ".join(translations))
        references.append(" ".join(segment.translation for segment in clip.segments))
        lengths += [unit.end - unit.start for unit in units]
        first += [u.known + REST + options.pace * (u.end - u.start) - u.start for u in units]
        print(clip.name, flush=True)
    await whisper.aclose()
    ear.remember()
    print(
        f"WER {100 * jiwer.wer(said, heard):.1f} %, "
        f"BLEU {sacrebleu.corpus_bleu(ours, [references]).score:.1f}, "
        f"chrF {sacrebleu.corpus_chrf(ours, [references]).score:.1f}, "
        f"{len(lengths)} units of {statistics.median(lengths):.2f} s"
    )
    if options.delay is not None:
        late = sum(each > options.delay for each in first)
        print(f"first dub after {statistics.median(first):.2f} s, {late} after {options.delay:g} s")


async def _dub(
    media: Path, config: Config, ear: Ear, mt: Bergamot, options: argparse.Namespace
) -> tuple[list[Unit], list[str]]:
    sound = read_soundtrack(media).samples
    sound = np.pad(sound, (0, -len(sound) % 512))
    detector = SileroDetector()
    speech = await detector.probabilities(sound)
    await detector.aclose()
    ear.restart()
    units = await play(sound, speech, config, ear, options.delay, options.pace)
    return units, await in_context(units, mt, options.delay)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, metavar="SET")
    parser.add_argument("--only", nargs="*", metavar="CLIP")
    parser.add_argument("--delay", type=float, help="s; without it, as a file")
    parser.add_argument("--decode", type=float, default=0.2, help="s of each call, virtual")
    parser.add_argument("--pace", type=float, default=0.03, help="s for a second of dub")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    parser.add_argument("--memory", type=Path, help="keeps what was heard for the next run")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
