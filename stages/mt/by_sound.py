"""Speech translated as it goes on: from its sound, on from what was spoken of it.

A part of a sentence says little by itself. So its sound is preceded by that of the parts before it,
and the translation is made to begin with what was spoken of them. Sound before it costs little: the
window of the model is longer than an utterance in any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from stages.base import SpeechTranslator
from stages.mt.continuation import goes_on_in_lower_case
from stages.text.sentences import APART, ends_sentence
from stream.dub.job import Heard, StageFault, Translated
from stream.frames import TICKS_PER_SAMPLE, Samples, Utterance
from stream.timeline import ticks

LONGEST = ticks(8.0)
"""Speech translated at once, ticks: Whisper's shortest window holds as much."""

SUBSTANCE = 0.5
"""Words of a translation for each that was recognised: with fewer, some was taken for spoken."""

_MARKS = " ,.;:!?…"

Spoken = tuple[Heard, str]
"""An utterance with its words, and its translation."""


def by_sound(
    translator: SpeechTranslator, *, goes_on: bool = True
) -> Callable[[Heard, asyncio.Timeout], Awaitable[Translated]]:
    """The translation of what was said, from its sound; see ``stages.mt.stage.translation``.

    Args:
        translator: the engine.
        goes_on: whether what was spoken before is taken along.
    """
    before: list[Spoken] = []

    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        nonlocal before
        utterance, text = heard.utterance, ""
        before = parts(before, heard) if goes_on else []
        if before:
            sound = joined([*(one.utterance for one, _ in before), utterance])
            text = await translator.translate_speech(sound, begun([said for _, said in before]))
            text = text.lstrip(_MARKS)  # that of what comes before
            if len(text.split()) < SUBSTANCE * len(heard.transcript.text.split()):
                before, text = [], ""
        text = (text or await translator.translate_speech(utterance.audio)).strip()
        if not text:
            raise StageFault("no translation came back")
        before.append((heard, text))
        return Translated(text)

    return translate


def parts(before: Sequence[Spoken], heard: Heard) -> list[Spoken]:
    """The parts of a sentence that were said without a long pause before the newest one.

    Args:
        before: in order.
        heard: follows them.
    """
    found: list[Spoken] = []
    following = heard
    for one, said in reversed(before):
        over = ends_sentence(one.transcript.text) and not goes_on_in_lower_case(following)
        apart = following.slot.start - one.slot.end > APART
        long_ = heard.slot.end - one.slot.start > LONGEST
        if over or apart or long_ or one.utterance.speaker != heard.utterance.speaker:
            break
        found.insert(0, (one, said))
        following = one
    return found


def joined(utterances: Sequence[Utterance]) -> Samples:
    """The sound of utterances, with silence where none of them has any, mono at ``SPEECH_RATE``."""
    first = utterances[0].audio_start
    places = [(one.audio_start - first) // TICKS_PER_SAMPLE for one in utterances]
    sound = np.zeros(
        max(at + len(one.audio) for at, one in zip(places, utterances, strict=True)), np.float32
    )
    for at, one in zip(places, utterances, strict=True):
        sound[at : at + len(one.audio)] = one.audio
    return sound


def begun(said: Sequence[str]) -> str:
    """How a translation begins, by its parts; which mark follows depends on how it goes on."""
    return " ".join(said).rstrip(_MARKS)
