"""How a dub sounds: the rows of ``livedub eval --sound``, from the mix and what it is made of."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server.evaluation.dnsmos import Dnsmos
from server.evaluation.levels import bed_kept_db, speech_left_db
from server.evaluation.likeness import consistency, suits
from server.evaluation.performance import Spoken
from stages.base import EngineError
from stages.speakers.ge2e import Ge2e
from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Embedding, Samples
from stream.intervals import difference, intersection
from stream.media.soundtrack import read_soundtrack
from stream.sound.pitch import register_of
from stream.timeline import Interval, ticks

SCALES = ("signal", "background", "overall")
OF = ("dub", "mix", "source")

_SHORTEST_S = 1.0
"""Seconds of a dub whose voice is compared with others'."""
_MARGIN = ticks(0.4)
"""Around dubs, in which the bed fades."""

log = logging.getLogger(__name__)

Rows = dict[str, list[list[float]]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What there is to hear of one dubbed clip, mono at ``SPEECH_RATE`` on one timeline.

    Attributes:
        source: the original.
        mix: the dubbed track.
        dub: the dub's voice alone; ``None`` where the system does not part it.
        bed: what is under it, likewise.
        speech: where the original speaks.
    """

    source: Samples
    mix: Samples
    dub: Samples | None
    bed: Samples | None
    speech: Sequence[Interval]


def stems_of(dubbed: Path) -> tuple[Path, Path]:
    """Where a run with ``--stems`` beside its output leaves the voice and the bed."""
    return dubbed.with_suffix(".dub.flac"), dubbed.with_suffix(".bed.flac")


def heard(source: Samples, mix: Samples, speech: Sequence[Interval], dubbed: Path) -> Heard:
    """A clip, with its stems if they are there."""
    voice, bed = (
        read_soundtrack(path).samples if path.exists() else None for path in stems_of(dubbed)
    )
    return Heard(source, mix, voice, bed, speech)


class Ear:
    """The models that listen. The speaker encoder is done without where it is not installed.

    Raises:
        EngineError: if DNSMOS is not installed.
    """

    def __init__(self) -> None:
        self._mos = Dnsmos()
        self._encoder: Ge2e | None = None
        try:
            self._encoder = Ge2e()
        except EngineError as error:
            log.warning("voices are not compared: %s", error)

    def rows(self, sound: Heard, utterances: Sequence[Spoken], speakers: Sequence[str]) -> Rows:
        """What a clip adds to each metric, one row each.

        Args:
            sound: of the clip.
            utterances: in the order of time.
            speakers: who says each of them.
        """
        rows: Rows = {}
        dubs = [(u, who) for u, who in zip(utterances, speakers, strict=True) if u.dub is not None]
        if not dubs:
            return rows
        spans = [_interval(u.dub) for u, _ in dubs if u.dub is not None]
        slots = [_interval(u.slot) for u, _ in dubs]
        for of, audio, stretches in (
            ("dub", sound.dub, spans),
            ("mix", sound.mix, spans),
            ("source", sound.source, slots),
        ):
            if audio is not None and (mos := self._mos.rate(_joined(audio, stretches))) is not None:
                for scale in SCALES:
                    rows[f"mos_{of}_{scale}"] = [[getattr(mos, scale)]]
        if sound.dub is not None:
            self._add_voices(rows, sound, sound.dub, dubs)
        if sound.bed is not None:
            for name, db in _levels(sound, sound.bed, spans):
                rows[name] = [[db]]
        return rows

    def _add_voices(
        self, rows: Rows, sound: Heard, dub: Samples, dubs: Sequence[tuple[Spoken, str]]
    ) -> None:
        voices: list[Embedding] = []
        speakers: list[str] = []
        match: list[float] = []
        for utterance, who in dubs:
            assert utterance.dub is not None
            said, mine = _cut(sound.source, utterance.slot), _cut(dub, utterance.dub)
            if (suited := suits(register_of(said), register_of(mine))) is not None:
                match.append(float(suited))
            if self._encoder is not None and len(mine) >= _SHORTEST_S * SPEECH_RATE:
                voices.append(self._encoder.embedding(mine))
                speakers.append(who)
        own, others = consistency(voices, speakers)
        if match:
            rows["register_match"] = [[sum(match), float(len(match))]]
        for name, value in (("own_voice", own), ("others_voice", others)):
            if value is not None:
                rows[name] = [[value]]


def _levels(sound: Heard, bed: Samples, spans: Sequence[Interval]) -> Iterator[tuple[str, float]]:
    covered = [Interval(max(0, s.start - _MARGIN), s.end + _MARGIN) for s in spans]
    whole = Interval(0, len(bed) * TICKS_PER_SAMPLE)
    between = difference([whole], [*covered, *sound.speech])
    kept = bed_kept_db(bed, spans, between)
    left = speech_left_db(sound.source, bed, intersection(list(sound.speech), spans))
    if kept is not None:
        yield "bed_kept", kept
    if left is not None:
        yield "speech_left", left


def _interval(span: tuple[float, float]) -> Interval:
    return Interval(ticks(span[0]), ticks(span[1]))


def _cut(audio: Samples, span: tuple[float, float]) -> Samples:
    return audio[round(span[0] * SPEECH_RATE) : round(span[1] * SPEECH_RATE)]


def _joined(audio: Samples, stretches: Sequence[Interval]) -> Samples:
    step = TICKS_PER_SAMPLE
    pieces = [audio[s.start // step : s.end // step] for s in stretches]
    return np.concatenate([np.zeros(0, np.float32), *pieces])
