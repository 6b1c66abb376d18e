"""Whether a transcript accounts for the speech that was detected; if not, the rest is heard again.

Whisper decodes in one pass and may end after the first sentence, or begin with the second. Where
people speak is known from voice activity, and where words were recognised from their times, so
speech without words can be told. It is given to the recogniser once more, from where it begins and
after a moment of silence, and of both transcripts the one is kept that leaves out less.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np

from stream.errors import message
from stream.frames import (
    SPEECH_RATE,
    TICKS_PER_SAMPLE,
    Samples,
    Transcript,
    Utterance,
    Word,
    letters,
    written,
)
from stream.speech.agreement import GUARD_S
from stream.speech.incremental import BREATH_S, SLIP_S, since_onset
from stream.speech.segment import Draft

log = logging.getLogger(__name__)

Recognise = Callable[[Samples], Awaitable[Transcript]]
"""A recogniser: mono at ``SPEECH_RATE`` to words with their times in seconds; or raises."""

Stretch = tuple[float, float]
"""First and last moment of speech, seconds from the start of its audio."""

SLACK_S = 0.2
"""A recogniser's word times are off by this much."""

WORD_S, LETTER_S = 0.5, 0.12
"""No word lasts longer than this, and this for each letter. Where one does, it was stretched over
speech that was not recognised, and only its ends count."""

LEFT_OUT_S = 0.5
"""Speech of this length without a word was left out."""

LOST_START_S = 0.3
"""Before the first word already this much was."""

BETTER_S = 0.2
"""A second hearing counts if it accounts for this much more."""

BEFORE_S = 0.15
"""Sound before speech that is heard again."""

SILENCE_S = 0.3
"""Silence before that: Whisper then loses beginnings less often."""

AGAIN = 2
"""How often one piece of audio is heard again."""


def left_out(words: Sequence[Word], speech: Sequence[Stretch]) -> list[Stretch]:
    """The parts of ``speech`` that no word accounts for, in order.

    Args:
        words: with times on the same clock.
        speech: stretches in order.
    """
    covered = sorted(stretch for word in words for stretch in _spoken(word))
    missing: list[Stretch] = []
    for start, end in speech:
        at = start
        for first, last in (*covered, (end, end)):
            if at < min(first, end):
                missing.append((at, min(first, end)))
            at = max(at, last)
    return missing


async def of_draft(draft: Draft, recognise: Recognise, deadline: float) -> Transcript:
    """All words that are said from a draft's onset on, timed from its first sample.

    Args:
        draft: speech under way.
        recognise: may raise.
        deadline: wall seconds; what was recognised by then is the answer.

    Raises:
        Exception: what the first call to ``recognise`` raises, or ``TimeoutError``.
    """
    # What is being said at the end may be unfinished, and is heard again in any case.
    last = min(draft.voiced, draft.end - round(GUARD_S * SPEECH_RATE))
    speech = [(start, min(end, last)) for start, end in draft.speech if start < last]
    stretches = _seconds(speech, draft.start)
    ends = asyncio.get_running_loop().time() + deadline
    async with asyncio.timeout_at(ends):
        first = await recognise(draft.audio)
    return await _complete(since_onset(draft, first), draft.audio, stretches, recognise, ends)


async def of_utterance(utterance: Utterance, recognise: Recognise) -> Transcript:
    """All words of an utterance that has ended; see ``of_draft``."""
    stretches = _seconds(
        [(each.start, each.end) for each in utterance.speech],
        utterance.audio_start,
        SPEECH_RATE * TICKS_PER_SAMPLE,
    )
    first = await recognise(utterance.audio)
    return await _complete(first, utterance.audio, stretches, recognise, None)


async def _complete(
    transcript: Transcript,
    audio: Samples,
    speech: Sequence[Stretch],
    recognise: Recognise,
    ends: float | None,
) -> Transcript:
    for _ in range(AGAIN):
        missing = None if _untimed(transcript) else _missing(transcript.words, speech)
        if missing is None:
            break
        try:
            async with asyncio.timeout_at(ends):
                again = await _from(missing, transcript, audio, speech, recognise)
        except Exception as error:
            log.warning("speech that was left out was not recognised again: %s", message(error))
            break
        if _lost(transcript, speech) - _lost(again, speech) < BETTER_S:
            break
        transcript = again
    return transcript


async def _from(
    missing: Stretch,
    transcript: Transcript,
    audio: Samples,
    speech: Sequence[Stretch],
    recognise: Recognise,
) -> Transcript:
    """The words before what is missing, and those of another hearing from there on."""
    said = [word for word in transcript.words if (word.start + word.end) / 2 < missing[0]]
    start = next(start for start, end in speech if start <= missing[0] < end)
    within = bool(said) and said[-1].end > start + SLIP_S
    begin = said[-1].end if within else start - BEFORE_S
    first = max(round(begin * SPEECH_RATE), 0)
    quiet = np.zeros(round(SILENCE_S * SPEECH_RATE), np.float32)
    rest = await recognise(np.concatenate([quiet, audio[first:]]))
    by = first / SPEECH_RATE - SILENCE_S
    words = (*said, *(replace(w, start=w.start + by, end=w.end + by) for w in rest.words))
    return replace(transcript, text=written(words), words=words)


def _missing(words: Sequence[Word], speech: Sequence[Stretch]) -> Stretch | None:
    """The first part of speech, breaths included, too long to be a matter of word times."""
    begin, end, length = 0.0, -BREATH_S, 0.0
    for first, last in left_out(words, speech):
        if first - end >= BREATH_S:
            begin, length = first, 0.0
        end, length = last, length + last - first
        lost_start = bool(words) and begin == speech[0][0]
        if length >= (LOST_START_S if lost_start else LEFT_OUT_S):
            return begin, end
    return None


def _lost(transcript: Transcript, speech: Sequence[Stretch]) -> float:
    return sum(last - first for first, last in left_out(transcript.words, speech))


def _untimed(transcript: Transcript) -> bool:
    """Whether there is nothing to tell by: text without times, or none that is credible."""
    return transcript.rejected is not None or bool(transcript.text and not transcript.words)


def _spoken(word: Word) -> list[Stretch]:
    start, end = word.start - SLACK_S, word.end + SLACK_S
    longest = WORD_S + LETTER_S * len(letters(word.text))
    if word.end - word.start <= longest:
        return [(start, end)]
    return [(start, word.start + longest / 2), (word.end - longest / 2, end)]


def _seconds(
    stretches: Sequence[tuple[int, int]], origin: int, rate: int = SPEECH_RATE
) -> list[Stretch]:
    return [((start - origin) / rate, (end - origin) / rate) for start, end in stretches]
