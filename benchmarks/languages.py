r"""Languages told apart and translated: ``python benchmarks/languages.py SET``.

Dubs every clip of a set as a file and prints a row: word error rate of recognition, BLEU and chrF
of all that is said in the dub's track (what is left as it is included), the share of the speech in
utterances over 2 s whose language was told right, by its length, and the seconds of each language
that were dubbed and left. ``--spoken`` says which language is spoken when, where a clip has
several; otherwise it is the set's. A row for Spanish and English into English:

    python benchmarks/languages.py mixed.yaml --source-lang es,en --target-lang en \
        --spoken mixed 'es 0.3 7.1, en 7.1 11.8, es 11.8 19.3, en 19.3 24'
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path

import sacrebleu

from server.config import Config, load
from server.engines.pool import EnginePool
from server.engines.settled import settled
from server.evaluation.manifest import Clip, read_manifest
from server.evaluation.report import Report, UtteranceReport
from server.evaluation.words import word_edits
from server.sessions.file import FileSession
from stream.frames import Fate
from stream.languages import same_language
from stream.media.sink import FileSink
from stream.media.source import MediaSource

LONG_S = 2.0
UNHURRIED = ("asr.deadline=600", "mt.deadline=600", "tts.deadline=600")
"""A busy machine shall cost time, not dubs."""

Spoken = list[tuple[str, float, float]]
"""Language, start and end of a stretch, seconds."""


async def dubbed(clip: Clip, config: Config, pool: EnginePool, out: Path) -> Report:
    """What became of a clip."""
    source = MediaSource(clip.media, choice=config.input, language=config.languages.one)
    engines = await pool.source(config, clip.name)
    lane = await pool.lane(config, clip.name)
    sink = FileSink(out, source.info, language=config.target, source_language=config.source)
    outcome = await FileSession(config, engines, lane, source, sink).run()
    pool.release(clip.name)
    return outcome.report


def told(utterance: UtteranceReport, spoken: Spoken) -> bool:
    """Whether an utterance has the language that is spoken in most of it."""
    start, end = utterance.slot
    shares: dict[str, float] = defaultdict(float)
    for language, first, last in spoken:
        shares[language] += max(min(end, last) - max(start, first), 0.0)
    return same_language(utterance.language, max(shares, key=shares.__getitem__))


async def measure(options: argparse.Namespace) -> None:
    """A row of the table, with a line for each utterance before it."""
    given = [f"languages.source={options.source_lang}", f"languages.target={options.target_lang}"]
    config = load(assignments=[*given, *UNHURRIED, *options.set], environment={})
    config, manifest = settled(config), read_manifest(options.manifest, options.only)
    parts = {name: _spoken(text) for name, text in options.spoken}
    wrong = words = 0
    right = long_ = 0.0
    ours, references = [], []
    seconds: dict[str, float] = defaultdict(float)
    pool = EnginePool()
    with tempfile.TemporaryDirectory() as folder:
        for clip in manifest.clips:
            report = await dubbed(clip, config, pool, Path(folder) / f"{clip.name}.mp4")
            for each in report.utterances:
                if each.fate is Fate.EMPTY:
                    continue
                length = each.slot[1] - each.slot[0]
                print(*each.slot, each.language, each.fate, each.text, "|", each.translation)
                what = "left" if each.fate is Fate.LEFT else "dubbed"
                seconds[f"{each.language} {what}"] += length
                if length > LONG_S:
                    spoken = parts.get(clip.name, [(manifest.source, 0.0, 1e9)])
                    right, long_ = right + length * told(each, spoken), long_ + length
            heard = " ".join(each.text for each in report.utterances)
            said = " ".join(segment.text for segment in clip.segments)
            edits = word_edits(said, heard, manifest.source)
            wrong, words = wrong + edits[0], words + edits[1]
            ours.append(" ".join(each.translation for each in report.utterances))
            references.append(" ".join(segment.translation for segment in clip.segments))
    await pool.aclose()
    row = [
        f"{config.languages.written} -> {config.target}",
        f"WER {wrong / words:.3f}",
        f"language right {right / long_:.3f} of {long_:.0f} s",
        *(f"{what} {length:.1f} s" for what, length in seconds.items()),
    ]
    if same_language(manifest.target, config.target):
        row += [
            f"BLEU {sacrebleu.corpus_bleu(ours, [references]).score:.1f}",
            f"chrF {sacrebleu.corpus_chrf(ours, [references]).score:.1f}",
        ]
    print(", ".join(row), flush=True)


def _spoken(text: str) -> Spoken:
    stretches = (part.split() for part in text.split(","))
    return [(language, float(start), float(end)) for language, start, end in stretches]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, metavar="SET")
    parser.add_argument("--only", nargs="*", metavar="CLIP")
    parser.add_argument("--source-lang", default="auto", help="one, several, or auto")
    parser.add_argument("--target-lang", default="en")
    parser.add_argument("--spoken", nargs=2, action="append", default=[], metavar=("CLIP", "WHEN"))
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
