"""The recognition stage: an engine's transcript for each utterance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from stages.asr.denoised import DenoisedRecogniser
from stages.asr.second_hearing import surer
from stages.asr.sentence_case import SentenceCase
from stages.base import Recogniser
from stages.options import AsrConfig
from stream.frames import Samples, Transcript, Utterance
from stream.sound.leveller import raised
from stream.speech.account import of_utterance


def behind_denoiser(recogniser: Recogniser, config: AsrConfig) -> Recogniser:
    """The recogniser, behind a denoiser if the configuration wants one.

    Raises:
        EngineError: if the denoiser's model cannot be used.
    """
    if config.denoise == "none":
        return recogniser
    return DenoisedRecogniser(recogniser, config.denoise, config.denoise_model)


def transcription(
    recogniser: Recogniser, case: SentenceCase | None = None, second: Recogniser | None = None
) -> Callable[[Utterance, Transcript | None], Awaitable[Transcript]]:
    """The words of an utterance, unless they are known already.

    It is made for one source, and remembers whether a sentence is under way.

    Args:
        recogniser: the engine.
        case: shared with that of the source's other languages.
        second: hears each utterance once more, where there is time for it.
    """
    case = case or SentenceCase()

    async def transcribe(utterance: Utterance, known: Transcript | None) -> Transcript:
        if known is None or not (known.text.strip() or known.rejected):
            # While it was under way no word was found in it: as a whole it may be understood.
            known = await of_utterance(utterance, with_words(recogniser))
        if second is not None and known.text.strip():
            known = surer(known, await with_words(second)(utterance.audio))
        return replace(known, text=case.of(known.text, utterance.slot))

    return transcribe


def with_words(recogniser: Recogniser) -> Callable[[Samples], Awaitable[Transcript]]:
    """The words of speech, with their times; quiet speech is raised for it."""

    async def recognise(audio: Samples) -> Transcript:
        return await recogniser.recognise(raised(audio), words=True)

    return recognise
