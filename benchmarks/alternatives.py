"""What choosing shorter translations costs in quality: ``python benchmarks/alternatives.py``.

Translates the talk and the demo clip from their text, fits each sentence to the time it takes
in English, and chooses with several weights. BLEU and chrF, which need ``pip install sacrebleu``,
are measured against translations made by hand for this purpose (`talk.pt.txt`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

import numpy as np
from demo_clip import SCRIPT, make_clip
from rich.console import Console
from rich.table import Table
from talk import TALK

from stages.base import Rendering
from stages.mt.choose import choose, misfit
from stages.registry import create
from stream.dub.duration import DurationModel
from stream.timeline import ticks

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)


async def renderings(texts: list[str], count: int) -> list[list[Rendering]]:
    """What there is to choose from."""
    translator = create("mt", "bergamot", source="en", target="pt")
    return [await translator.alternatives(text, count) for text in texts]


def compare(clips: Path, count: int, characters_per_second: float) -> Table:
    """A row for each weight."""
    sentences = []
    for name, script in (("talk", TALK), ("demo", SCRIPT)):
        if not (path := clips / f"{name}.json").exists():
            make_clip(clips / f"{name}.mp4", script=script)
        sentences += json.loads(path.read_text())["sentences"]
    references = (Path(__file__).parent / "talk.pt.txt").read_text().splitlines()
    found = asyncio.run(renderings([sentence["text"] for sentence in sentences], count))
    slots = [ticks(sentence["end"] - sentence["start"]) for sentence in sentences]
    model = DurationModel(characters_per_second)
    several = sum(len(one) > 1 for one in found)
    table = Table(title=f"{several} of {len(found)} have alternatives")
    rates = ("rate > 1.1", "rate > 1.25", "mean misfit")
    for heading in ("weight", "changed", *rates, "characters", "BLEU", "chrF"):
        table.add_column(heading)
    for weight in WEIGHTS:
        chosen = []
        for options, slot in zip(found, slots, strict=True):
            lengths = [model.expected(option.text) for option in options]
            best = 0 if misfit(lengths[0], slot) == 0 else None
            if best is None:
                best = choose([option.score for option in options], lengths, slot, weight)
            chosen.append(best)
        texts = [options[one].text for options, one in zip(found, chosen, strict=True)]
        needed = [model.expected(text) / slot for text, slot in zip(texts, slots, strict=True)]
        misfits = [misfit(model.expected(t), slot) for t, slot in zip(texts, slots, strict=True)]
        table.add_row(
            f"{weight:g}",
            str(sum(map(bool, chosen))),
            f"{np.mean(np.array(needed) > 1.1):.0%}",
            f"{np.mean(np.array(needed) > 1.25):.0%}",
            f"{np.mean(misfits):.4f}",
            str(sum(map(len, texts))),
            *_quality(texts, references),
        )
    return table


def _quality(texts: list[str], references: list[str]) -> tuple[str, str]:
    try:
        import sacrebleu
    except ImportError:
        return "-", "-"
    bleu, chrf = (
        f(texts, [references]).score for f in (sacrebleu.corpus_bleu, sacrebleu.corpus_chrf)
    )
    return f"{bleu:.1f}", f"{chrf:.1f}"


def main() -> None:
    """Command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, help="folder for the clips, kept between runs")
    parser.add_argument("--count", type=int, default=4, help="alternatives of each sentence")
    parser.add_argument(
        "--speed", type=float, default=15.0, help="characters a second, of the voice"
    )
    given = parser.parse_args()
    Console(width=120).print(compare(given.clips, given.count, given.speed))


if __name__ == "__main__":
    main()
