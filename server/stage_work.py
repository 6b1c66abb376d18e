"""What each stage does with a job, for files and live sessions alike: engines as stages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

from server.casting import Part
from server.config import AsrConfig
from stages.base import Recogniser, Synthesiser, Translator
from stages.denoised import DenoisedRecogniser
from stream.deliver import Voice
from stream.frames import Fate, Manner, Samples, Word
from stream.job import DubJob, StageFault

Work = Callable[[DubJob], Awaitable[None]]


def hearing(recogniser: Recogniser, config: AsrConfig) -> Recogniser:
    """The recogniser, behind a denoiser if the configuration wants one.

    Raises:
        EngineError: if the denoiser's model cannot be used.
    """
    if config.denoise == "none":
        return recogniser
    return DenoisedRecogniser(recogniser, config.denoise, config.denoise_model)


def recognition(recogniser: Recogniser) -> Work:
    """Hear what is said; an utterance without words is settled."""

    async def work(job: DubJob) -> None:
        job.transcript = await recogniser.recognise(job.utterance.audio)
        if not job.transcript.text.strip():
            job.give_up(Fate.EMPTY)

    return work


def word_times(recogniser: Recogniser) -> Callable[[Samples], Awaitable[tuple[Word, ...]]]:
    """Time the words of speech that has to be cut."""

    async def words(audio: Samples) -> tuple[Word, ...]:
        return (await recogniser.recognise(audio, words=True)).words

    return words


def translation(translator: Translator) -> Work:
    """Translate what was heard."""

    async def work(job: DubJob) -> None:
        assert job.transcript is not None
        translated = await translator.translate(job.transcript.text)
        if not translated.strip():
            raise StageFault("no translation came back")
        job.translation = translated

    return work


def voice(synthesiser: Synthesiser, part: Part) -> Voice:
    """A synthesiser as the delivery sees it: each speaker in the voice of ``part``."""

    def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        chosen = replace(manner, voice=part.voice(manner.speaker))
        return synthesiser.synthesise(text, chosen)

    return Voice(
        synthesise,
        synthesiser.sample_rate,
        synthesiser.rate_range,
        synthesiser.characters_per_second,
    )
