"""The report of a run: what became of every utterance, and how good the whole was."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from stages.gpu import peak_gpu
from stream.dub.course import Cause
from stream.dub.job import DubJob, Spoken, Translated
from stream.frames import UNDUBBED, Fate
from stream.intervals import overlap
from stream.speech.doubts import Doubt
from stream.timeline import TICK_RATE, Interval, seconds

FAST = 1.25
"""Tempo above which listeners notice the speed."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Percentiles(_Record):
    """Median and 95th percentile of absolute values; null without data."""

    median: float | None
    p95: float | None


class UtteranceReport(_Record):
    """One utterance; media times in seconds."""

    id: int
    slot: tuple[float, float] = Field(description="Start and end of the source speech, s")
    ended_by: str = Field(description="pause, cut (inside long speech) or end (of the source)")
    speaker: str
    language: str = Field(default="", description="In which it was recognised, BCP 47 tag")
    text: str
    translation: str
    doubts: list[Doubt] = Field(
        description="What speaks against the words: misheard (the recogniser was unsure), "
        "few_words (too few for so much speech)"
    )
    dub: tuple[float, float] | None = Field(description="Interval in which the dub was heard, s")
    fate: Fate | None = Field(description="null if the run was stopped before its time")
    fault: str | None = Field(description="stage: reason, where there is no dub or only a part")
    rejected: str | None = Field(description="Which guard took the transcript for a hallucination")
    candidates: int = Field(description="Translations to choose from, by how they fit the slot")
    chosen: int = Field(description="Rank of the spoken one by the model's own score, from 0")
    reworded: bool = Field(
        description="Put in other words before it was heard, when more was known of its sentence"
    )
    mended: bool = Field(
        default=False, description="The translation replaces another one that was broken"
    )
    broken: str | None = Field(
        default=None,
        description="What is wrong with the translation: untranslated words, stray brackets, "
        "repeated pieces, wrong script, impossible length",
    )
    voice: str = Field(
        description="Voice asked of the engine: one of tts.voices, or the clip of the speaker that "
        "tts.voice auto made and deleted; empty for the configured one"
    )
    engine_rate: float = Field(description="Speaking rate asked of the engine, 1 is natural")
    tempo: float | None = Field(description="Time compression applied after synthesis")
    borrowed: float = Field(description="Silence after the slot that the dub used, s")
    shift: float = Field(description="Planned start after the slot's, s")
    truncated: bool
    streamed: bool = Field(description="Playout began before synthesis had finished")
    first_piece_s: float | None = Field(
        description="Wall seconds from asking for speech to its first piece"
    )
    last_piece_s: float | None = Field(description="The same, to its last piece")
    starved: float = Field(description="Silence inside the dub because a piece came late, s")
    lufs_original: float | None
    lufs_dub: float | None
    latency: dict[str, float] = Field(
        description="Wall seconds in each stage; total since the utterance was found to end"
    )
    first_dub_latency: float | None = Field(
        description="Wall seconds from speech start to first dub sample ready; live only"
    )
    onset_delay: float | None = Field(
        default=None, description="First noticeable sound of the dub after the slot's start, s"
    )
    onset_causes: dict[Cause, float] = Field(
        default={},
        description="What onset_delay consists of, s; without a dub, the time from when it was due "
        "to when it was given up",
    )


class Summary(_Record):
    """The run as a whole."""

    media_s: float = Field(description="Media time played out, s")
    wall_s: float = Field(description="Wall time from the first sample read to the file closed, s")
    load_s: float = Field(description="Loading and warming up the models before that, s")
    realtime_factor: float = Field(description="wall_s / media_s")
    speed: float = Field(description="media_s / wall_s")
    cpu_s_per_media_s: float
    live: bool
    delay_s: float
    utterances: int
    on_time: int
    late: int
    dropped: int = Field(description="Not heard because the dub was not ready in time")
    failed: int = Field(description="Not dubbed because a stage failed; the original is heard")
    empty: int = Field(description="Sound without words: the original is heard")
    mended: int = Field(default=0, description="Broken translations that others replace")
    broken: int = Field(default=0, description="Broken translations that nothing could replace")
    left: int = Field(
        default=0,
        description="In the language of the dub, or in one that nothing here translates: the "
        "original is heard",
    )
    truncated: int
    doubtful: int = Field(description="Of which the words are probably wrong, or some are missing")
    rate_changed: int = Field(description="Dubs spoken at a rate other than 1")
    borrowed: int = Field(description="Dubs that used silence after their slot")
    tempo_changed: int
    shifted: int
    streamed: int
    on_time_rate: float | None = Field(description="on_time / (utterances - empty)")
    onset_error_ms: Percentiles = Field(
        description="First noticeable sound of each dub (within 30 dB of its loudest) as it was "
        "played, against the utterance's onset"
    )
    isochrony: float | None = Field(
        description="Overlap over union of source and dub speech, VAD on both"
    )
    tempo_share_above_1_25: float | None
    stage_s: dict[str, float] = Field(
        description="Wall seconds spent in each stage, all utterances"
    )
    first_dub_latency_s: float | None = Field(description="Median; null offline")
    lufs_original: float | None = Field(description="Speech that was dubbed, BS.1770, LUFS")
    lufs_dub: float | None
    peak_rss_mb: float
    peak_gpu_mb: float | None = Field(
        description="Most GPU memory that PyTorch held; null without a GPU in use"
    )
    repaired: int = Field(description="Timestamp gaps, repeats and restarts in the source")
    corrupt: int = Field(description="Packets of the source that could not be read")
    deaf_windows: int = Field(description="VAD windows lost to a fault of the detector")


class Report(_Record):
    """``livedub file --report``."""

    source: str
    output: str
    source_language: str
    target_language: str
    engines: dict[str, str]
    notes: list[str]
    summary: Summary
    utterances: list[UtteranceReport]


def describe(job: DubJob) -> UtteranceReport:
    """One job as a row of the report."""
    spoken, translated = job.spoken or Spoken(), job.translated or Translated("")
    placement, transcript = spoken.placement, job.transcript
    theirs, ours = spoken.loudness or (-math.inf, -math.inf)
    return UtteranceReport(
        id=job.id,
        slot=_span(job.slot),
        ended_by=job.utterance.ended_by,
        speaker=job.utterance.speaker,
        language=transcript.language if transcript else "",
        text=job.text,
        translation=job.translation,
        doubts=list(job.doubts),
        dub=_span(job.dub) if job.dub else None,
        fate=job.fate,
        fault=job.fault,
        rejected=transcript.rejected if transcript else None,
        candidates=translated.candidates,
        chosen=translated.chosen,
        reworded=translated.reworded,
        mended=translated.mended,
        broken=translated.broken,
        voice=spoken.voice,
        engine_rate=round(spoken.rate, 3),
        tempo=round(placement.tempo, 3) if placement else None,
        borrowed=round(seconds(placement.borrowed), 3) if placement else 0.0,
        shift=round(seconds(placement.shift), 3) if placement else 0.0,
        truncated=spoken.truncated,
        streamed=spoken.streamed,
        first_piece_s=round(spoken.pieces[0], 3) if spoken.pieces else None,
        last_piece_s=round(spoken.pieces[1], 3) if spoken.pieces else None,
        starved=round(seconds(job.played.starved), 3) if job.played else 0.0,
        lufs_original=_finite(theirs),
        lufs_dub=_finite(ours),
        latency={stage: round(spent, 4) for stage, spent in job.latency.items()},
        first_dub_latency=None if spoken.available is None else round(spoken.available, 3),
        onset_delay=round(seconds(job.dub.start - job.slot.start), 6) if job.dub else None,
        onset_causes={cause: round(took, 6) for cause, took in job.onset_causes.items()},
    )


def summarise(
    jobs: Sequence[DubJob],
    source_speech: Sequence[Interval],
    dub_speech: Sequence[Interval],
    *,
    media: int,
    wall: float,
    load: float,
    cpu: float,
    live: bool,
    delay: float,
    repaired: int,
    corrupt: int,
    deaf: int,
) -> Summary:
    """The figures over all jobs whose fate is known.

    Args:
        jobs: in the order of the source.
        source_speech: voice activity of the source.
        dub_speech: voice activity of the dub alone.
        media: ticks played out.
        wall: seconds that took.
        load: seconds of loading before.
        cpu: processor seconds of the whole process, loading excluded.
        live: whether playout kept to the clock.
        delay: playout delay, seconds.
        repaired: see ``Summary``.
        corrupt: see ``Summary``.
        deaf: see ``Summary``.
    """
    known = [job for job in jobs if job.fate is not None]
    count = {fate: sum(job.fate is fate for job in known) for fate in Fate}
    spoken = [job for job in known if job.fate not in UNDUBBED]
    placed = [job.placement for job in known if job.placement is not None]
    heard = [job for job in known if job.dub is not None]
    dubs = [job.spoken for job in heard if job.spoken is not None]
    rates = [job.spoken.rate for job in known if job.spoken and job.spoken.placement]
    loudness = [dub.loudness or (-math.inf, -math.inf) for dub in dubs]
    errors = [(job.dub.start - job.slot.start) * 1000 / TICK_RATE for job in heard if job.dub]
    latencies = [job.available for job in heard if job.available is not None]
    weights = [job.slot.duration for job in heard]
    stages: dict[str, float] = {}
    for job in known:
        for stage, spent in job.latency.items():
            if stage != "total":
                stages[stage] = round(stages.get(stage, 0.0) + spent, 4)
    fast = [placement.tempo > FAST + 1e-6 for placement in placed]
    return Summary(
        media_s=round(seconds(media), 3),
        wall_s=round(wall, 3),
        load_s=round(load, 3),
        realtime_factor=round(wall * TICK_RATE / media, 4) if media else 0.0,
        speed=round(media / TICK_RATE / wall, 3) if wall else 0.0,
        cpu_s_per_media_s=round(cpu * TICK_RATE / media, 4) if media else 0.0,
        live=live,
        delay_s=delay,
        utterances=len(known),
        on_time=count[Fate.ON_TIME],
        late=count[Fate.LATE],
        dropped=count[Fate.DROPPED],
        failed=count[Fate.FAILED],
        empty=count[Fate.EMPTY],
        mended=sum(job.translated.mended for job in known if job.translated),
        broken=sum(job.translated.broken is not None for job in known if job.translated),
        left=count[Fate.LEFT],
        truncated=sum(dub.truncated for dub in dubs),
        doubtful=sum(bool(job.doubts) for job in spoken),
        rate_changed=sum(abs(rate - 1) > 0.005 for rate in rates),
        borrowed=sum(placement.borrowed > 0 for placement in placed),
        tempo_changed=sum(abs(placement.tempo - 1) > 0.005 for placement in placed),
        shifted=sum(placement.shift > 0 for placement in placed),
        streamed=sum(dub.streamed for dub in dubs),
        on_time_rate=round(count[Fate.ON_TIME] / len(spoken), 4) if spoken else None,
        onset_error_ms=_percentiles(errors),
        isochrony=round(overlap(source_speech, dub_speech), 4) if source_speech else None,
        tempo_share_above_1_25=round(sum(fast) / len(fast), 4) if fast else None,
        stage_s=stages,
        first_dub_latency_s=round(float(np.median(latencies)), 3) if latencies else None,
        lufs_original=_mean_loudness([source for source, _ in loudness], weights),
        lufs_dub=_mean_loudness([dub for _, dub in loudness], weights),
        peak_rss_mb=round(peak_rss() / 2**20, 1),
        peak_gpu_mb=None if (gpu := peak_gpu()) is None else round(gpu / 2**20, 1),
        repaired=repaired,
        corrupt=corrupt,
        deaf_windows=deaf,
    )


STRANGE = 0.5
"""Share of the speech that is misheard from which on it is probably in another language."""


def strangeness(jobs: Sequence[DubJob], language: str) -> list[str]:
    """A note where most of the speech was not understood, so that nobody takes it for a dub."""
    spoken = [job for job in jobs if job.text.strip()]
    whole = sum(job.slot.duration for job in spoken)
    misheard = sum(job.slot.duration for job in spoken if Doubt.MISHEARD in job.doubts)
    if not whole or misheard / whole < STRANGE:
        return []
    return [
        f"{misheard / whole:.0%} of the speech was hardly understood: if it is not in {language}, "
        "give its language (languages.source) and a model that knows it (asr.model)"
    ]


def peak_rss() -> int:
    """Largest resident memory of this process so far, bytes."""
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024


def _span(interval: Interval) -> tuple[float, float]:
    return round(seconds(interval.start), 4), round(seconds(interval.end), 4)


def _finite(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None


def _percentiles(errors_ms: Sequence[float]) -> Percentiles:
    if not errors_ms:
        return Percentiles(median=None, p95=None)
    absolute = np.abs(errors_ms)
    return Percentiles(
        median=round(float(np.median(absolute)), 1),
        p95=round(float(np.percentile(absolute, 95)), 1),
    )


def _mean_loudness(lufs: Sequence[float], weights: Sequence[int]) -> float | None:
    """Energy mean over utterances, weighted by their length."""
    pairs = [(v, w) for v, w in zip(lufs, weights, strict=True) if math.isfinite(v) and w > 0]
    if not pairs:
        return None
    energy = sum(w * 10 ** (v / 10) for v, w in pairs) / sum(w for _, w in pairs)
    return round(10 * math.log10(energy), 2)
