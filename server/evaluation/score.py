"""Scoring one dubbed clip: the rows that it adds to each metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from server.evaluation.fragments import are_fragments
from server.evaluation.isochrony import offset_errors, onset_errors
from server.evaluation.lag import segment_lags, stream_lags
from server.evaluation.listener import Listener
from server.evaluation.manifest import Clip
from server.evaluation.measure import BREATH, SpeechPair, detect_speech, loudness
from server.evaluation.metrics import METRICS, Unit
from server.evaluation.performance import Performance, Spoken
from server.evaluation.report import FAST
from server.evaluation.sound import Ear, heard
from server.evaluation.speaking_rate import speaking_rate
from server.evaluation.translation_scores import bleu_counts, chrf_counts
from server.evaluation.words import character_edits, parted, punctuated, word_edits
from stream.frames import UNDUBBED, Fate
from stream.intervals import duration, intersection, merge, pauses
from stream.timeline import TICK_RATE, Interval, ticks

LOSSES = ("mistranslated", "misheard", "mispunctuated", "cut", "unheard")
"""Metrics of what translation loses, in the order in which it is lost."""

Rows = dict[str, list[list[float]]]
"""For each metric one row per unit, empty where the unit adds nothing."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One clip's rows, and the texts and figures for its plots.

    Attributes:
        rows: by metric.
        sources: reference transcript of each segment.
        hypotheses: what was pair of each segment's translation.
        references: reference translation of each segment.
        tempos: tempo of each dub, for the plot.
        onsets: onset errors, ms, for the plot.
    """

    rows: Rows
    sources: list[str] = field(default_factory=list)
    hypotheses: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)


def score_clip(
    clip: Clip,
    dubbed: Path,
    performance: Performance,
    languages: tuple[str, str],
    listener: Listener | None,
    translate: Callable[[str], str] | None = None,
    ear: Ear | None = None,
) -> Scored:
    """Score one clip.

    Args:
        clip: with its references.
        dubbed: the media file that a system made.
        performance: the system's own record of it.
        languages: of the source and of the dub.
        listener: transcribes the dub; ``None`` if there is no recogniser for its language.
        translate: as the system does; ``None`` if nothing is to be translated anew to tell where
            quality is lost.
        ear: hears how it sounds; ``None`` if that is not asked.
    """
    pair = detect_speech(clip.media, dubbed)
    windows = _windows(clip, max(pair.original.audio_end, pair.dubbed.audio_end))
    rows: Rows = {
        name: [[] for _ in windows] if metric.per is Unit.SEGMENT else [[]]
        for name, metric in METRICS.items()
    }
    utterances = sorted(performance.utterances, key=lambda u: u.slot)
    _score_fates(rows, utterances, windows)
    fragments = are_fragments([u.text for u in utterances], languages[0])
    for utterance, is_one in zip(utterances, fragments, strict=True):
        if utterance.text.strip():
            _add(rows["fragments"], _unit_of(utterance, windows), (float(is_one), 1.0))
    _score_timing(rows, clip, pair, windows)
    _score_cost(rows, pair, performance)
    if listener is not None:
        for unit, edits in listener.edits(pair.dubbed.samples, utterances):
            _add(rows["dub_wer"], _unit_of(unit, windows), edits)
    if ear is not None:
        sound = heard(pair.original.samples, pair.dubbed.samples, pair.source, dubbed)
        rows |= ear.rows(sound, utterances, _speakers(clip, utterances, windows))
    scored = score_texts(rows, clip, utterances, languages, translate)
    if performance.delay is not None and clip.timed:
        segments = _timed(clip)
        rows |= segment_lags(utterances, segments, windows, performance.delay)
        if scored.references:
            rows["stream_laal"] = stream_lags(
                utterances, segments, scored.references, performance.delay
            )
    return scored


def _timed(clip: Clip) -> list[Interval]:
    if not clip.timed:
        return []
    return [Interval(ticks(s.start or 0.0), ticks(s.end or 0.0)) for s in clip.segments]


def _windows(clip: Clip, end: int) -> list[Interval]:
    """The clip's time divided among its segments: each lasts until the next begins."""
    starts = [0, *(i.start for i in _timed(clip)[1:])]
    return [Interval(a, max(a, b)) for a, b in pairwise([*starts, max(end, starts[-1] + 1)])]


def _unit_of(utterance: Spoken, windows: Sequence[Interval]) -> int:
    """The window that holds most of an utterance."""
    slot = Interval(ticks(utterance.slot[0]), ticks(utterance.slot[1]))
    return int(np.argmax([slot.overlap(window) for window in windows]))


def _speakers(clip: Clip, utterances: Sequence[Spoken], windows: Sequence[Interval]) -> list[str]:
    """Who says each utterance: by the reference, if it tells, else as the system labelled them."""
    if clip.timed and all(segment.speaker for segment in clip.segments):
        return [clip.segments[_unit_of(u, windows)].speaker for u in utterances]
    return [u.speaker for u in utterances]


def _add(rows: list[list[float]], unit: int, pair: Sequence[float]) -> None:
    """Add a fraction's two parts to a unit's row."""
    rows[unit] = [a + b for a, b in zip(rows[unit] or [0.0] * len(pair), pair, strict=True)]


def _score_fates(rows: Rows, utterances: Sequence[Spoken], windows: Sequence[Interval]) -> None:
    for utterance in utterances:
        unit = _unit_of(utterance, windows)
        if utterance.fate is not None and utterance.fate not in UNDUBBED:
            lost = utterance.fate in (Fate.DROPPED, Fate.FAILED)
            _add(rows["on_time"], unit, (float(utterance.fate is Fate.ON_TIME), 1.0))
            _add(rows["lost"], unit, (float(lost), 1.0))
        if utterance.tempo is not None:
            _add(rows["fast"], unit, (float(utterance.tempo > FAST + 1e-6), 1.0))
        if utterance.speed is not None:
            rows["speed_up"][unit].append(utterance.speed)
        if utterance.ready is not None:
            rows["first_dub"][unit].append(utterance.ready)


def _score_timing(rows: Rows, clip: Clip, pair: SpeechPair, windows: Sequence[Interval]) -> None:
    silences = pauses(pair.source)
    for unit, window in enumerate(windows):
        source, dub = intersection(pair.source, [window]), intersection(pair.dub, [window])
        both = duration(intersection(source, dub))
        rows["isochrony"][unit] = [float(both), float(duration(source) + duration(dub) - both)]
        quiet = intersection(silences, [window])
        kept = duration(quiet) - duration(intersection(quiet, dub))
        rows["pauses"][unit] = [float(kept), float(duration(quiet))]
        rates = (
            speaking_rate(pair.original.samples, source),
            speaking_rate(pair.dubbed.samples, dub),
        )
        if rates[0] and rates[1]:
            rows["rate_ratio"][unit] = [rates[1] / rates[0]]
            rows["rate_variation"][unit] = [rates[1]]
    # Reference times are better than those of a voice activity detector.
    said = _timed(clip) or merge(pair.source, TICK_RATE // 2)
    dub = merge(pair.dub, BREATH)
    for names, errors in (
        (("onset_error", "onset_error_p95"), onset_errors(said, dub)),
        (("offset_error",), offset_errors(said, dub)),
    ):
        for index, error in enumerate(errors):
            if error is not None:
                for name in names:
                    rows[name][index if clip.timed else 0].append(error)


def _score_cost(rows: Rows, pair: SpeechPair, performance: Performance) -> None:
    ours, theirs = pair.original, pair.dubbed
    loud = loudness(ours.samples, pair.source), loudness(theirs.samples, pair.dub)
    if loud[0] is not None and loud[1] is not None:
        rows["loudness"] = [[loud[1] - loud[0]]]
    if (shift := pair.picture_shift) is not None:
        rows["picture_shift"] = [[shift]]
    if performance.media_s and performance.cpu_s is not None:
        rows["cpu"] = [[performance.cpu_s, performance.media_s]]
    if performance.media_s and performance.wall_s:
        rows["speed"] = [[performance.media_s, performance.wall_s]]
    if performance.peak_rss_mb is not None:
        rows["memory"] = [[performance.peak_rss_mb]]


def score_texts(
    rows: Rows,
    clip: Clip,
    utterances: Sequence[Spoken],
    languages: tuple[str, str],
    translate: Callable[[str], str] | None = None,
) -> Scored:
    """Texts are cut by the references' segments, whatever the system's own are.

    Args:
        rows: get what is found; see ``score_clip`` for the rest.
        clip: with its references.
        utterances: in the order of time.
        languages: of the source and of the dub.
        translate: as the system does.
    """
    scored = Scored(rows)
    texts = [segment.text for segment in clip.segments]
    units = range(len(clip.segments)) if clip.timed else [0] * len(clip.segments)
    if all(texts) and texts:
        heard = parted((u.text for u in utterances), texts)
        for unit, text, mine in zip(units, texts, heard, strict=True):
            _add(rows["wer"], unit, word_edits(text, mine, languages[0]))
            _add(rows["cer"], unit, character_edits(text, mine, languages[0]))
    wanted = [segment.translation for segment in clip.segments]
    if all(wanted) and wanted:
        dubbed = parted((u.translation for u in utterances if u.dub is not None), wanted)
        for unit, text, mine in zip(units, wanted, dubbed, strict=True):
            _add(rows["bleu"], unit, bleu_counts(mine, text))
            _add(rows["chrf"], unit, chrf_counts(mine, text))
            scored.hypotheses.append(mine)
            scored.references.append(text)
        scored.sources.extend(texts)
        if translate is not None and all(texts):
            _score_losses(scored, clip, utterances, translate)
    return scored


def _score_losses(
    scored: Scored, clip: Clip, utterances: Sequence[Spoken], translate: Callable[[str], str]
) -> None:
    """Each step from the references to what was heard, and what is lost by it."""
    said, wanted = scored.sources, scored.references
    heard = parted((u.text for u in utterances), said)
    spoken = parted((u.translation for u in utterances), wanted)
    steps = (
        wanted,
        [translate(text) for text in said],
        [translate(punctuated(*pair)) for pair in zip(heard, said, strict=True)],
        [translate(text) for text in heard],
        spoken,
        scored.hypotheses,
    )
    units = range(len(clip.segments)) if clip.timed else [0] * len(clip.segments)
    for name, (before, after) in zip(LOSSES, pairwise(steps), strict=True):
        for unit, reference, *texts in zip(units, wanted, before, after, strict=True):
            counts = [count for text in texts for count in bleu_counts(text, reference)]
            _add(scored.rows[name], unit, counts)
