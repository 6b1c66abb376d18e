"""``livedub measure``: how well any dub keeps time with its original, from two files alone."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from server.evaluation.bed import FRAME, bed_gain
from server.evaluation.isochrony import PAUSE, onset_errors
from server.evaluation.speaking_rate import speaking_rate
from stages.vad import speech_in
from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Samples
from stream.intervals import duration, intersection, merge, overlap
from stream.media.soundtrack import Soundtrack, read_soundtrack
from stream.sound.activity import sharpen
from stream.sound.loudness import pooled_loudness
from stream.timeline import Interval, seconds, ticks

BREATH = ticks(0.1)
"""Silence in the dub that can come before an utterance."""

NOTHING = 0.99
"""Share of the speech that is not dubbed from which on there is no dub."""

FULL_LEVEL = 0.7
"""Gain of the original above which it was left as it was, not ducked."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured; ``None`` where there was nothing to measure.

    Attributes:
        isochrony: overlap over union of source and dub speech, 0 to 1.
        onset_error_median_ms: of the absolute onset errors of utterances.
        onset_error_p95_ms: their 95th percentile.
        onsets_matched: share of source utterances for which the dub has an onset within 2 s.
        not_dubbed: share of source speech that is the original at its own level.
        speaking_rate_ratio: syllable nuclei a second, dub over original.
        loudness_original_lufs: of its speech, BS.1770.
        loudness_dub_lufs: of the dub's speech.
        loudness_difference_lu: dub minus original.
        audio_duration_difference_s: dubbed minus original audio track.
        video_duration_difference_s: the same of the picture.
        first_picture_difference_s: dubbed minus original.
    """

    isochrony: float
    onset_error_median_ms: float | None
    onset_error_p95_ms: float | None
    onsets_matched: float | None
    not_dubbed: float
    speaking_rate_ratio: float | None
    loudness_original_lufs: float | None
    loudness_dub_lufs: float | None
    loudness_difference_lu: float | None
    audio_duration_difference_s: float
    video_duration_difference_s: float | None
    first_picture_difference_s: float | None


@dataclass(frozen=True, slots=True)
class SpeechPair:
    """An original and its dub, and where speech is in both.

    Attributes:
        original: as decoded.
        dubbed: as decoded.
        source: speech of the original.
        dub: speech of the dub that is not the original's.
        untouched: where the dub is the original at its own level.
    """

    original: Soundtrack
    dubbed: Soundtrack
    source: list[Interval]
    dub: list[Interval]
    untouched: list[Interval]

    @property
    def picture_shift(self) -> float | None:
        """Largest change of a picture's time less the first one's, ms; ``None`` if any is lost."""
        ours, theirs = self.original.pictures, self.dubbed.pictures
        if not len(ours) or len(ours) != len(theirs):
            return None
        shift = (theirs - theirs[0]) - (ours - ours[0])
        return 1000 * seconds(int(np.abs(shift).max()))


def detect_speech(
    original: Path,
    dubbed: Path,
    original_track: int | None = None,
    dubbed_track: int | None = None,
) -> SpeechPair:
    """Find the speech in a dub and in its original.

    Args:
        original: media file with the source speech.
        dubbed: media file with the dub.
        original_track: audio track, counted from 0; by default the file's default.
        dubbed_track: the same.

    Raises:
        SoundtrackError: if either has no sound to measure.
    """
    ours = read_soundtrack(original, original_track)
    theirs = read_soundtrack(dubbed, dubbed_track)
    gain = bed_gain(theirs.samples, ours.samples)
    dub = _speech(_without(theirs.samples, ~np.isnan(gain)))
    return SpeechPair(ours, theirs, _speech(ours.samples), dub, _runs(gain > FULL_LEVEL))


def run_measure(
    original: Path,
    dubbed: Path,
    console: Console,
    *,
    as_json: bool = False,
    original_track: int | None = None,
    dubbed_track: int | None = None,
) -> int:
    """Measure and print; exit status 0."""
    measured = measure_files(original, dubbed, original_track, dubbed_track)
    if as_json:
        console.print_json(json.dumps(asdict(measured)))
    else:
        console.print(_table(measured))
        if measured.not_dubbed > NOTHING:
            console.print("Note: what is said there is the original throughout: nothing is dubbed.")
    return 0


def measure_files(
    original: Path,
    dubbed: Path,
    original_track: int | None = None,
    dubbed_track: int | None = None,
) -> Measurement:
    """Measure a dub against its original.

    Args:
        original: media file with the source speech.
        dubbed: media file with the dub.
        original_track: audio track, counted from 0; by default the file's default.
        dubbed_track: the same.

    Raises:
        SoundtrackError: if either has no sound to measure.
    """
    pair = detect_speech(original, dubbed, original_track, dubbed_track)
    ours, theirs, source, dub = pair.original, pair.dubbed, pair.source, pair.dub
    # A dub may fill the pause before the next utterance, so its own pauses can be shorter.
    errors = onset_errors(merge(source, PAUSE), merge(dub, BREATH))
    matched = np.abs([error for error in errors if error is not None])
    rates = speaking_rate(ours.samples, source), speaking_rate(theirs.samples, dub)
    loud = loudness(ours.samples, source), loudness(theirs.samples, dub)
    both = ours.video_end is not None and theirs.video_end is not None
    return Measurement(
        isochrony=round(overlap(source, dub), 4),
        onset_error_median_ms=round(float(np.median(matched)), 1) if len(matched) else None,
        onset_error_p95_ms=round(float(np.percentile(matched, 95)), 1) if len(matched) else None,
        onsets_matched=round(len(matched) / len(errors), 4) if errors else None,
        not_dubbed=round(
            duration(intersection(source, pair.untouched)) / max(duration(source), 1), 4
        ),
        speaking_rate_ratio=round(rates[1] / rates[0], 3) if rates[0] and rates[1] else None,
        loudness_original_lufs=loud[0],
        loudness_dub_lufs=loud[1],
        loudness_difference_lu=(
            round(loud[1] - loud[0], 2) if loud[0] is not None and loud[1] is not None else None
        ),
        audio_duration_difference_s=round(seconds(theirs.audio_end - ours.audio_end), 4),
        video_duration_difference_s=(
            round(seconds((theirs.video_end or 0) - (ours.video_end or 0)), 4) if both else None
        ),
        first_picture_difference_s=(
            round(seconds(int(theirs.pictures[0] - ours.pictures[0])), 4)
            if both and len(ours.pictures) and len(theirs.pictures)
            else None
        ),
    )


def _speech(audio: Samples) -> list[Interval]:
    return sharpen(asyncio.run(speech_in(audio)), audio)


def _without(audio: Samples, frames: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Samples:
    keep = np.repeat(~frames, FRAME)[: len(audio)]
    return np.where(keep, audio, 0).astype(np.float32)


def _runs(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Interval]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    step = FRAME * TICKS_PER_SAMPLE
    pairs = edges.reshape(-1, 2).tolist()
    return [Interval(first * step, last * step) for first, last in pairs]


def loudness(audio: Samples, speech: list[Interval]) -> float | None:
    """Loudness of speech alone, LUFS, or ``None`` where there is none to be pair."""
    pieces = (audio[i.start // TICKS_PER_SAMPLE : i.end // TICKS_PER_SAMPLE] for i in speech)
    lufs = pooled_loudness(pieces, SPEECH_RATE)
    return round(lufs, 2) if math.isfinite(lufs) else None


def _table(measured: Measurement) -> Table:
    rows = (
        ("isochrony", measured.isochrony, "", "1: speech at the same times"),
        ("onset error, median", measured.onset_error_median_ms, "ms", "0"),
        ("onset error, p95", measured.onset_error_p95_ms, "ms", "0"),
        ("onsets matched", measured.onsets_matched, "", "1"),
        ("speech not dubbed", measured.not_dubbed, "", "0"),
        ("speaking rate, dub / original", measured.speaking_rate_ratio, "", "1"),
        ("speech loudness, original", measured.loudness_original_lufs, "LUFS", ""),
        ("speech loudness, dub", measured.loudness_dub_lufs, "LUFS", ""),
        ("loudness difference", measured.loudness_difference_lu, "LU", "0"),
        ("audio duration difference", measured.audio_duration_difference_s, "s", "0"),
        ("video duration difference", measured.video_duration_difference_s, "s", "0"),
        ("first picture difference", measured.first_picture_difference_s, "s", "0"),
    )
    table = Table(title="Dub against original")
    for heading in ("figure", "value", "unit", "ideal"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for name, value, unit, ideal in rows:
        table.add_row(name, "-" if value is None else str(value), unit, ideal)
    return table
