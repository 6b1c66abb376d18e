"""``livedub dataset build``: one person's speech from any media, as a set to train a voice on."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from server.commands.dataset_records import Census, ClipRecord
from server.commands.dataset_report import write_report
from server.config import Config, load
from server.engines.options import options_of
from server.evaluation.plot import require_matplotlib
from stages.base import EngineError, Recogniser
from stages.registry import create
from stages.speakers.ge2e import Ge2e
from stages.speakers.reference import RATE, read_fit
from stages.speakers.voice_store import write_clip
from stages.training.cleaning import Cleaned, clean
from stages.training.clips import LONGEST, cut, group, with_margins
from stages.training.finetune import DESCRIPTION
from stages.training.target_speech import Judged, judge
from stages.vad import speech_in
from stages.weights.cache import atomic_directory
from stream.errors import UserError
from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Samples
from stream.media.soundtrack import read_soundtrack
from stream.sound.activity import sharpen
from stream.sound.resample import resample
from stream.speech.cuts import quietest
from stream.timeline import Interval, seconds

EVALUATION_SHARE = 0.1
"""Share of the clips kept for evaluation, two at least."""

LOWEST_SNR_DB = 15.0
"""dB below which a clip is left out."""

WANTED_S = 600.0
"""Seconds of clean speech from which fine-tuning helps; with less, the user is told."""


def run_dataset(options: argparse.Namespace, console: Console) -> int:
    """Build the set; exit status 0."""
    config = load(options.config, preset=options.preset, assignments=options.set)
    require_matplotlib("dataset build")
    if not 0 < options.similarity < 1:
        raise UserError("--similarity is a cosine between 0 and 1")
    if options.out.exists() and any(options.out.iterdir()):
        raise UserError(f"{options.out} is not empty: name a new folder")
    clips, census = asyncio.run(_build(config, options, console))
    if len(clips) < 4:
        raise EngineError(
            f"Only {len(clips)} clips of the person were found in {census.speech:.0f} s of speech "
            f"({census.others:.0f} s were others', {census.noisy:.0f} s noisy): check --speaker, "
            "or lower --similarity."
        )
    write(options.out, clips, census, config.source)
    console.print(
        f"{options.out}: {len(clips)} clips, {census.kept / 60:.1f} min of {census.speech / 60:.1f}"
        f" min of speech; look at {options.out / 'report.html'} before you train.",
        highlight=False,
        soft_wrap=True,
    )
    if census.kept < WANTED_S:
        console.print(
            f"Fine-tuning wants at least {WANTED_S / 60:.0f} minutes of clean speech.",
            highlight=False,
        )
    return 0


async def _build(
    config: Config, options: argparse.Namespace, console: Console
) -> tuple[list[ClipRecord], Census]:
    encoder: Ge2e = create("speakers", "ge2e", model=config.speakers.model)
    reference = np.concatenate(read_fit([options.speaker]))
    voice = encoder.embedding(resample(reference, RATE, SPEECH_RATE))
    name, arguments = options_of("asr", config)
    recogniser: Recogniser = create("asr", name, **arguments)
    census = Census()
    clips: list[ClipRecord] = []
    try:
        for path in options.media:
            audio = read_soundtrack(path).samples
            speech = sharpen(list(_without_long(await speech_in(audio), audio)), audio)
            judged = judge(audio, speech, voice, encoder)
            theirs = [one.interval for one in judged if one.is_target(options.similarity)]
            _count(census, judged, options.similarity)
            spans = group(theirs)
            spoken = [_speech_in(span, theirs) for span in spans]
            census.uncut += sum(map(_length, theirs)) - sum(spoken)
            wider = with_margins(spans, speech, TICKS_PER_SAMPLE * len(audio))
            for span, length, wide in zip(spans, spoken, wider, strict=True):
                sound = cut(audio, wide)
                found = await _record(
                    path, span, sound, options.denoise, encoder, voice, recogniser, census, length
                )
                if found is not None:
                    clips.append(ClipRecord(f"{len(clips) + 1:05}", *found))
            console.print(f"{path}: {len(clips)} clips so far", highlight=False)
    finally:
        await encoder.aclose()
        await recogniser.aclose()
    return clips, census


async def _record(
    path: Path,
    span: Interval,
    sound: Samples,
    denoise: bool,
    encoder: Ge2e,
    voice: Samples,
    recogniser: Recogniser,
    census: Census,
    length: float,
) -> tuple[Path, Interval, str, float, Cleaned] | None:
    """What the set keeps of one clip; ``None`` if it is unfit.

    ``census`` counts the ``length`` of its speech, in seconds.
    """
    cleaned = clean(resample(sound, SPEECH_RATE, RATE), denoise=denoise)
    if cleaned.snr_after < LOWEST_SNR_DB:
        census.noisy += length
        return None
    text = " ".join((await recogniser.recognise(sound)).text.replace("|", " ").split())
    if not text:
        census.wordless += length
        return None
    census.kept += length
    return path, span, text, float(encoder.embedding(sound) @ voice), cleaned


def _count(census: Census, judged: Sequence[Judged], threshold: float) -> None:
    for one in judged:
        length = _length(one.interval)
        census.speech += length
        if one.similarity < threshold:
            census.others += length
        elif not one.is_target(threshold):
            census.overlapped += length


def _without_long(speech: Sequence[Interval], audio: Samples) -> Iterator[Interval]:
    """Speech too long for a clip, split at the quietest 20 ms of its middle thirds."""
    for interval in speech:
        if interval.duration <= LONGEST:
            yield interval
            continue
        third = interval.duration // 3
        inner = cut(audio, Interval(interval.start + third, interval.end - third))
        at = interval.start + third + TICKS_PER_SAMPLE * quietest(inner, 0, len(inner))
        yield from _without_long([Interval(interval.start, at), Interval(at, interval.end)], audio)


def write(out: Path, clips: Sequence[ClipRecord], census: Census, language: str) -> None:
    """Write ``wavs``, the metadata as LJSpeech has it, the split, the language and the report."""
    shuffled = list(clips)
    random.Random(0).shuffle(shuffled)
    held = max(2, round(EVALUATION_SHARE * len(clips)))
    evaluation = {clip.name for clip in shuffled[:held]}
    if out.exists():
        out.rmdir()
    with atomic_directory(out) as made:
        (made / "wavs").mkdir()
        for clip in clips:
            write_clip(made / "wavs" / f"{clip.name}.wav", clip.cleaned.samples)
        parts = {
            "metadata.csv": clips,
            "metadata_train.csv": [c for c in clips if c.name not in evaluation],
            "metadata_eval.csv": [c for c in clips if c.name in evaluation],
        }
        for name, rows in parts.items():
            lines = (f"{clip.name}|{clip.text}|{clip.text}\n" for clip in rows)
            (made / name).write_text("".join(lines), encoding="utf-8")
        described = {"language": language, "clips": len(clips), "seconds": round(census.kept, 1)}
        (made / DESCRIPTION).write_text(json.dumps(described) + "\n", encoding="utf-8")
        write_report(made / "report.html", clips, census, evaluation)


def _speech_in(span: Interval, speech: Sequence[Interval]) -> float:
    """Seconds of speech in a clip, the pauses between its phrases left out."""
    return sum(_length(one) for one in speech if span.start <= one.start and one.end <= span.end)


def _length(interval: Interval) -> float:
    return seconds(interval.duration)
