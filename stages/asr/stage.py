"""The recognition stage: an engine's transcript for each utterance."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from stages.asr.denoised import DenoisedRecogniser
from stages.asr.sentence_case import SentenceCase
from stages.base import Recogniser
from stages.options import AsrConfig
from stream.dub.job import DubJob, Work
from stream.frames import Fate, Samples, Transcript


def hearing(recogniser: Recogniser, config: AsrConfig) -> Recogniser:
    """The recogniser, behind a denoiser if the configuration wants one.

    Raises:
        EngineError: if the denoiser's model cannot be used.
    """
    if config.denoise == "none":
        return recogniser
    return DenoisedRecogniser(recogniser, config.denoise, config.denoise_model)


def recognition(recogniser: Recogniser) -> Work:
    """Hear what is said, unless it is known; an utterance without words is settled.

    It is made for one source, and remembers whether a sentence is under way.
    """
    case = SentenceCase()

    async def work(job: DubJob) -> None:
        if job.transcript is None and job.hearing is not None:
            job.transcript = await asyncio.shield(job.hearing)
        if job.transcript is None or not (job.transcript.text.strip() or job.transcript.rejected):
            # While it was under way no word was found in it: as a whole it may be understood.
            job.transcript = await recogniser.recognise(job.utterance.audio)
        if not job.transcript.text.strip():
            job.give_up(Fate.EMPTY)
        text = case.of(job.transcript.text, job.slot)
        job.transcript = replace(job.transcript, text=text)

    return work


def timed(recogniser: Recogniser) -> Callable[[Samples], Awaitable[Transcript]]:
    """Hear what is said in speech that may have to be cut, with the times of its words."""

    async def hear(audio: Samples) -> Transcript:
        return await recogniser.recognise(audio, words=True)

    return hear
