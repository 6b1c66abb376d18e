"""Every figure that ``livedub eval`` gives: what it means, and how it is pooled over a test set.

The HTML report, docs/use/evaluation.md and the comparison all read this table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from server.evaluation.translation_scores import bleu_of, chrf_of


class Pool(StrEnum):
    """How the rows of all units are combined into one figure."""

    RATIO = "sum of the first over sum of the second"
    MEAN = "mean"
    MEDIAN = "median"
    MEDIAN_SIZE = "median of absolute values"
    P95_SIZE = "95th percentile of absolute values"
    VARIATION = "standard deviation over mean"
    BLEU = "corpus BLEU of summed counts"
    BLEU_LOST = "corpus BLEU of the first counts less that of the second"
    CHRF = "corpus chrF of summed counts"


class Unit(StrEnum):
    """What is drawn, with replacement, to estimate a confidence interval."""

    SEGMENT = "segment"
    CLIP = "clip"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure.

    Attributes:
        title: for people.
        group: heading under which it stands.
        unit: of the value; empty for a share or an index.
        best: ``higher``, ``lower``, or the ideal value.
        definition: what is measured.
        source: paper or standard that defines it.
        pool: how rows are combined.
        per: what one row belongs to.
        live: whether it is defined at live pace only.
    """

    title: str
    group: str
    unit: str
    best: str
    definition: str
    source: str
    pool: Pool
    per: Unit = Unit.SEGMENT
    live: bool = False


_PAPI = "Papi et al., AutoSimTrans 2022"
_SIMULEVAL = "Ma et al., SimulEval, EMNLP 2020"
_REDDY = "Reddy, Gopal, Cutler, ICASSP 2022 (DNSMOS P.835)"
_BRANNON = "Brannon, Virkar, Thompson, TACL 2023"

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "bleu": Metric(
            "BLEU", "translation", "", "higher",
            "Translation that was heard against the reference translation, n-grams up to 4; what "
            "was dropped counts as missing",
            "Papineni et al., ACL 2002; Post, WMT 2018 (sacreBLEU)", Pool.BLEU,
        ),
        "chrf": Metric(
            "chrF", "translation", "", "higher",
            "The same by character n-grams up to 6, recall weighted twice",
            "Popovic, WMT 2015; sacreBLEU", Pool.CHRF,
        ),
        "comet": Metric(
            "COMET", "translation", "", "higher",
            "The same as a trained model judges it; only where unbabel-comet is installed",
            "Rei et al., WMT 2022", Pool.MEAN,
        ),
        "wer": Metric(
            "WER", "recognition", "", "lower",
            "Word edits that turn the transcript into the reference, over its words; both "
            "normalised as Whisper's authors do",
            "Radford et al., ICML 2023, appendix C", Pool.RATIO,
        ),
        "cer": Metric(
            "CER", "recognition", "", "lower",
            "The same by characters", "as WER", Pool.RATIO,
        ),
        "mistranslated": Metric(
            "lost: mistranslated", "translation", "BLEU", "lower",
            "What the translator makes of the true sentences is so far from 100; other good "
            "translations count as well",
            "livedub", Pool.BLEU_LOST,
        ),
        "misheard": Metric(
            "lost: misheard", "translation", "BLEU", "lower",
            "Lost besides where it is given the words that were recognised of each sentence",
            "livedub", Pool.BLEU_LOST,
        ),
        "mispunctuated": Metric(
            "lost: mispunctuated", "translation", "BLEU", "lower",
            "Lost besides where it is given the recognised marks and capitals, too: sentences that "
            "end in their middle",
            "livedub", Pool.BLEU_LOST,
        ),
        "cut": Metric(
            "lost: cut", "translation", "BLEU", "lower",
            "Lost besides because utterances, not sentences, were translated",
            "livedub", Pool.BLEU_LOST,
        ),
        "unheard": Metric(
            "lost: not dubbed", "translation", "BLEU", "lower",
            "Lost besides because utterances were late or failed; with these five, BLEU is 100",
            "livedub", Pool.BLEU_LOST,
        ),
        "dub_wer": Metric(
            "dub WER", "speech", "", "lower",
            "WER of a recogniser that listens to the dub as it is heard, against the text that "
            "was to be spoken",
            "after Taylor, Richmond, Interspeech 2021", Pool.RATIO,
        ),
        "start_offset": Metric(
            "start offset", "latency", "s", "lower",
            "From the segment's first sound to the first of its dub, playout delay included",
            _SIMULEVAL, Pool.MEAN, live=True,
        ),
        "end_offset": Metric(
            "end offset", "latency", "s", "lower",
            "From the segment's last sound to the last of its dub, playout delay included",
            _SIMULEVAL, Pool.MEAN, live=True,
        ),
        "laal": Metric(
            "LAAL", "latency", "s", "lower",
            "Length-adaptive average lagging; a word comes when it has been heard to its end; "
            "utterances belong to segments by time",
            _PAPI, Pool.MEAN, live=True,
        ),
        "stream_laal": Metric(
            "StreamLAAL", "latency", "s", "lower",
            "LAAL where words belong to segments by their alignment with the reference "
            "translation",
            "Papi et al., StreamAtt, ACL 2024", Pool.MEAN, live=True,
        ),
        "atd": Metric(
            "ATD", "latency", "s", "lower",
            "Average token delay: from the end of each 0.3 s of source to the end of the 0.3 s "
            "of dub that answers it",
            "Kano, Sudoh, Nakamura, Interspeech 2023", Pool.MEAN, live=True,
        ),
        "first_dub": Metric(
            "first dub ready", "latency", "s", "lower",
            "From the utterance's first sound at live pace to the first sample of its dub being "
            "ready: the delay that it needed",
            "livedub", Pool.MEDIAN, live=True,
        ),
        "on_time": Metric(
            "on time", "timing", "", "higher",
            "Utterances whose dub begins within 80 ms of its slot's start, over all that hold "
            "words",
            "livedub", Pool.RATIO,
        ),
        "lost": Metric(
            "lost", "timing", "", "lower",
            "Utterances with words that were not dubbed: too late, or a stage failed",
            "livedub", Pool.RATIO,
        ),
        "fragments": Metric(
            "fragments", "timing", "", "lower",
            "Utterances that are a piece of a phrase: up to four words of a sentence, or the last "
            "one leans on the next", "livedub", Pool.RATIO,
        ),
        "isochrony": Metric(
            "isochrony", "timing", "", "higher",
            "Time when source and dub both speak over time when either does, voice activity on "
            "both files",
            _BRANNON, Pool.RATIO,
        ),
        "onset_error": Metric(
            "onset error", "timing", "ms", "lower",
            "Dub onset against segment onset, matched one to one within 2 s; absolute",
            _BRANNON, Pool.MEDIAN_SIZE,
        ),
        "onset_error_p95": Metric(
            "onset error, p95", "timing", "ms", "lower",
            "The same, 95th percentile", _BRANNON, Pool.P95_SIZE,
        ),
        "offset_error": Metric(
            "offset error", "timing", "ms", "lower",
            "Dub end against segment end, matched one to one within 2 s; absolute",
            _BRANNON, Pool.MEDIAN_SIZE,
        ),
        "pauses": Metric(
            "pauses kept", "timing", "", "higher",
            "Share of the source's pauses, by time, in which the dub is silent too",
            "Virkar et al., ICASSP 2021", Pool.RATIO,
        ),
        "rate_ratio": Metric(
            "speaking rate", "speech", "", "1",
            "Syllable nuclei a second, dub over source; median over segments",
            "de Jong, Wempe, Behavior Research Methods 2009", Pool.MEDIAN,
        ),
        "rate_variation": Metric(
            "rate variation", "speech", "", "lower",
            "Spread of the dub's speaking rate over segments: speech that hurries and drags",
            _BRANNON, Pool.VARIATION,
        ),
        "speed_up": Metric(
            "speed-up", "speech", "", "1",
            "Engine rate times tempo; median over utterances",
            "livedub", Pool.MEDIAN,
        ),
        "fast": Metric(
            "tempo over 1.25", "speech", "", "lower",
            "Share of dubs that are stretched to more than 1.25 of their tempo",
            "livedub", Pool.RATIO,
        ),
        "loudness": Metric(
            "loudness", "sound", "LU", "0",
            "Speech loudness, dub less source",
            "ITU-R BS.1770-4; EBU R 128", Pool.MEAN, Unit.CLIP,
        ),
        **{
            f"mos_{of}_{scale}": Metric(
                f"{title} of {what}", "sound", "", "higher",
                f"What listeners would say of {meaning}, from 1 to 5, as a model predicts it, over "
                f"{when}; with --sound", _REDDY, Pool.MEAN, Unit.CLIP,
            )
            for of, what, when in (
                ("dub", "the dub", "dubs without the bed"),
                ("mix", "the mix", "dubs with the bed"),
                ("source", "the source", "what is dubbed"),
            )
            for scale, title, meaning in (
                ("signal", "SIG", "the speech"),
                ("background", "BAK", "the background"),
                ("overall", "OVRL", "the whole"),
            )
        },
        "own_voice": Metric(
            "one voice each", "sound", "", "higher",
            "Mean cosine of the voices (GE2E) of two dubs of one speaker; with --sound",
            "Wan et al., ICASSP 2018", Pool.MEAN, Unit.CLIP,
        ),
        "others_voice": Metric(
            "voices apart", "sound", "", "lower",
            "The same of two dubs of different speakers", "as one voice each",
            Pool.MEAN, Unit.CLIP,
        ),
        "register_match": Metric(
            "register match", "sound", "", "higher",
            "Dubs whose median pitch is on the same side of 165 Hz as that of who they dub, or "
            "within five semitones; with --sound", "livedub", Pool.RATIO, Unit.CLIP,
        ),
        "bed_kept": Metric(
            "bed kept", "sound", "dB", "0",
            "Background (the quietest fifth of 50 ms) under dubs less that between them; with "
            "--sound", "livedub", Pool.MEAN, Unit.CLIP,
        ),
        "speech_left": Metric(
            "speech left", "sound", "dB", "lower",
            "Speech of the original in the bed under dubs less its own level, both without the "
            "background's power; with --sound", "livedub", Pool.MEAN, Unit.CLIP,
        ),
        "picture_shift": Metric(
            "A/V shift", "sound", "ms", "0",
            "Largest change of a picture's presentation time, less the first picture's",
            "ITU-R BT.1359", Pool.MEAN, Unit.CLIP,
        ),
        "cpu": Metric(
            "CPU", "cost", "s/s", "lower",
            "Processor seconds for a second of media, loading left out",
            "livedub", Pool.RATIO, Unit.CLIP,
        ),
        "speed": Metric(
            "speed", "cost", "s/s", "higher",
            "Seconds of media for a second of wall time, loading left out; 1 at live pace",
            "livedub", Pool.RATIO, Unit.CLIP,
        ),
        "memory": Metric(
            "memory", "cost", "MB", "lower",
            "Peak resident memory", "livedub", Pool.MEAN, Unit.CLIP,
        ),
    }
)  # fmt: skip

Row = Sequence[float]
"""What one unit adds to one metric; the pool defines its meaning."""


def pooled(pool: Pool, rows: Sequence[Row]) -> float | None:
    """One figure from the rows of all units; ``None`` where there is nothing to pool."""
    rows = [row for row in rows if len(row)]
    if not rows:
        return None
    if pool in (Pool.BLEU, Pool.CHRF):
        sums = np.sum(np.asarray(rows, np.float64), axis=0)
        return bleu_of(sums) if pool is Pool.BLEU else chrf_of(sums)
    if pool is Pool.BLEU_LOST:
        before, after = np.split(np.sum(np.asarray(rows, np.float64), axis=0), 2)
        return bleu_of(before) - bleu_of(after)
    if pool is Pool.RATIO:
        over, under = np.sum(np.asarray(rows, np.float64), axis=0)
        return float(over / under) if under else None
    values = np.concatenate([np.asarray(row, np.float64) for row in rows])
    if pool is Pool.MEAN:
        return float(values.mean())
    if pool is Pool.MEDIAN:
        return float(np.median(values))
    if pool is Pool.MEDIAN_SIZE:
        return float(np.median(np.abs(values)))
    if pool is Pool.P95_SIZE:
        return float(np.percentile(np.abs(values), 95))
    return float(values.std() / values.mean()) if len(values) > 1 and values.mean() else None


def shown(value: float | None) -> str:
    """A figure with three significant digits or so."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def markdown() -> str:
    """The table of docs/use/evaluation.md."""
    lines = ["| figure | unit | best | what it is | after |", "|---|---|---|---|---|"]
    for metric in METRICS.values():
        live = " Live only." if metric.live else ""
        lines.append(
            f"| {metric.title} | {metric.unit} | {metric.best} | {metric.definition}.{live} "
            f"| {metric.source} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
