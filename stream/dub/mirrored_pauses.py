"""Pauses inside an utterance: where the speaker makes one, so does the dub, if it can.

A translation is spoken in phrases, and its voice pauses between them. Some of these pauses are
made to coincide with those of the source: the phrases on either side are each spoken a little
faster or slower, and silence is put between them. Of all ways to pair the pauses, the one that
has most speech at the same time is taken; it is never worse than leaving the speech as it is.

References:
    A. Oktem, M. Farrus, A. Bonafonte: Prosodic Phrase Alignment for Machine Dubbing.
    Interspeech 2019, https://doi.org/10.21437/Interspeech.2019-1621.

    Y. Virkar, M. Federico, R. Enyedi, R. Barra-Chicote: Improvements to Prosodic Alignment
    for Automatic Dubbing. ICASSP 2021, https://doi.org/10.1109/ICASSP39728.2021.9414966.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from stream.frames import Samples
from stream.intervals import merge, overlap
from stream.sound.activity import ABOVE_NOISE_DB, RANGE_DB
from stream.timeline import TICK_RATE, Interval, ticks

SOURCE_PAUSE = ticks(0.16)
"""Silence in the source that is worth mirroring, ticks."""
DUB_PAUSE = ticks(0.05)
"""Silence in the dub that can be made longer: no stop consonant at a clause's end lasts so long."""
_SWAY = 1.08
"""How much faster or slower than the utterance one of its phrases may be spoken."""
_GAIN = 0.01
"""Rise of the overlap below which speech is left as it is."""
_MOST = 4
"""Pauses of either side that are considered."""
_CLAUSE_MARKS = ",;:—–.!?…،。，、"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of the speech as synthesised, and how it is played.

    Attributes:
        cut: which stretch, ticks from the speech's start.
        start: when it is played, ticks from the dub's start.
        tempo: factor by which it is sped up.
    """

    cut: Interval
    start: int
    tempo: float

    @property
    def end(self) -> int:
        """When it has been played, ticks from the dub's start."""
        return self.start + round(self.cut.duration / self.tempo)


def sounding(audio: Samples, rate: int, pause: int) -> list[Interval]:
    """Where one utterance is loud enough to be heard, ticks from its start.

    Args:
        audio: mono, shape ``(n,)``.
        rate: of ``audio``, Hz.
        pause: ticks; shorter silences are bridged.
    """
    size = rate // 200
    frame = TICK_RATE // 200
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    if not len(frames):
        return []
    level = 10 * np.log10(np.einsum("nk,nk->n", frames, frames) / size + 1e-12)
    floor = max(np.percentile(level, 95) - RANGE_DB, np.percentile(level, 5) + ABOVE_NOISE_DB)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], level > floor, [0]]).astype(np.int8)))
    found = [Interval(a * frame, b * frame) for a, b in edges.reshape(-1, 2).tolist()]
    return merge(found, pause)


def clause_ends(text: str) -> list[int]:
    """Lengths of the beginnings of ``text`` after which its voice can pause, the whole left out."""
    return [
        index + 1
        for index, (mark, after) in enumerate(pairwise(text))
        if mark in _CLAUSE_MARKS and after.isspace()
    ]


def breaks(speech: Sequence[Interval], places: Sequence[float]) -> list[Interval]:
    """The voice's pauses that are at the end of a clause, in order.

    Args:
        speech: where the dub is heard, ticks, sorted.
        places: where clauses are expected to end, as fractions of the whole.
    """
    if not speech:
        return []
    begin, length = speech[0].start, speech[-1].end - speech[0].start
    gaps = [Interval(a.end, b.start) for a, b in pairwise(speech)]
    reach = 0.08 * length + ticks(0.2)
    found: set[Interval] = set()
    for place in places:
        at = begin + place * length
        near = [g for g in gaps if abs((g.start + g.end) / 2 - at) <= reach]
        if near:
            found.add(max(near, key=lambda gap: gap.duration))
    return sorted(found)


def mirror(
    speech: Sequence[Interval],
    gaps: Sequence[Interval],
    source: Sequence[Interval],
    *,
    length: int,
    tempo: float,
    tempos: tuple[float, float],
    end: int,
) -> list[Phrase]:
    """Phrases placed so that the dub pauses where the source does.

    Args:
        speech: where the dub is heard, ticks from its start as synthesised.
        gaps: pauses in it that may be used.
        source: where the source is heard, ticks from the dub's start.
        length: of the dub as synthesised, ticks.
        tempo: of the utterance without this.
        tempos: slowest and fastest tempo at all.
        end: ticks from the dub's start by which it must have ended.

    Returns:
        The phrases; a single one at ``tempo`` if pauses do not help.
    """
    whole = [Phrase(Interval(0, length), 0, tempo)]
    best, most = whole, overlap(source, list(_heard(speech, whole))) + _GAIN
    slowest = max(tempos[0], tempo / _SWAY)
    fastest = max(tempo, min(tempos[1], tempo * _SWAY))
    pauses = [Interval(a.end, b.start) for a, b in pairwise(source)]
    pauses = sorted(sorted(pauses, key=lambda p: p.duration)[-_MOST:])
    gaps = sorted(sorted(gaps, key=lambda g: g.duration)[-_MOST:])
    for count in range(1, min(len(pauses), len(gaps)) + 1):
        for ours in combinations(gaps, count):
            cuts = [0, *((gap.start + gap.end) // 2 for gap in ours), length]
            parts = [Interval(a, b) for a, b in pairwise(cuts)]
            for theirs in combinations(pauses, count):
                phrases = _placed(parts, ours, theirs, source[-1].end, (slowest, fastest))
                if phrases[-1].end > end:
                    continue
                reached = overlap(source, list(_heard(speech, phrases)))
                if reached > most:
                    best, most = phrases, reached
    return best


def _placed(
    parts: Sequence[Interval],
    gaps: Sequence[Interval],
    pauses: Sequence[Interval],
    last: int,
    tempos: tuple[float, float],
) -> list[Phrase]:
    """Each part where the source's phrase begins, or once the part before it is over."""
    phrases: list[Phrase] = []
    for index, part in enumerate(parts):
        before = gaps[index - 1].end - part.start if index else 0
        after = part.end - gaps[index].start if index < len(gaps) else 0
        start = max(pauses[index - 1].end - before, phrases[-1].end) if index else 0
        until = pauses[index].start if index < len(pauses) else last
        sound = part.duration - before - after
        tempo = sound / max(until - start - before, 1)
        phrases.append(Phrase(part, start, min(max(tempo, tempos[0]), tempos[1])))
    return phrases


def _heard(speech: Sequence[Interval], phrases: Sequence[Phrase]) -> Iterator[Interval]:
    for phrase in phrases:
        for sound in speech:
            start, end = max(sound.start, phrase.cut.start), min(sound.end, phrase.cut.end)
            if start < end:
                yield Interval(
                    phrase.start + round((start - phrase.cut.start) / phrase.tempo),
                    phrase.start + round((end - phrase.cut.start) / phrase.tempo),
                )
