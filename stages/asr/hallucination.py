"""Guards against what Whisper hallucinates on noise, music and silence. Pure functions."""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass

from stages.asr.silence_phrases import CREDITS, PHRASES

LIKELY_NO_SPEECH = 0.6
LOW_LOGPROB = -1.0
IMPROBABLE = -1.8
PHRASE_NO_SPEECH = 0.5
"""Above this, a phrase that Whisper learnt to write for silence was not said."""
DOUBTED_NO_SPEECH, DOUBTED_LOGPROB = 0.3, -0.8
"""Nor where both are on the wrong side of these."""
COMPRESSION = 2.4
FASTEST_CHARACTERS_PER_S = 35.0
"""Characters a second: above the fastest intelligible speech of any language."""
HEAD_START_CHARACTERS = 15
"""Characters allowed beyond that: a short word in an utterance cut tight."""

_DENSE = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)
_DENSE_WEIGHT = 2.5
"""Letters of an alphabet that take as long to say as one character of a dense script."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """What Whisper made of an utterance.

    Attributes:
        text: as the model wrote it.
        seconds: length of the audio.
        no_speech: probability that nobody speaks, 0 to 1.
        logprob: mean log-probability of the tokens, at most 0.
    """

    text: str
    seconds: float
    no_speech: float
    logprob: float


def rejection(decoding: Decoding) -> str | None:
    """Why ``decoding`` is taken for a hallucination; ``None`` if it is credible."""
    if not words(decoding.text):
        return "no words"
    if decoding.no_speech > LIKELY_NO_SPEECH and decoding.logprob < LOW_LOGPROB:
        return "no speech"
    if decoding.logprob < IMPROBABLE:
        return "improbable text"
    if is_loop(decoding.text):
        return "looping text"
    if compression_ratio(decoding.text) > COMPRESSION:
        return "repetitive text"
    if (
        spoken_length(decoding.text)
        > HEAD_START_CHARACTERS + FASTEST_CHARACTERS_PER_S * decoding.seconds
    ):
        return "faster than speech"
    if is_credit(decoding.text):
        return "subtitle credit"
    if is_silence_phrase(decoding.text) and _not_heard(decoding):
        return "phrase that stands for silence"
    return None


def _not_heard(decoding: Decoding) -> bool:
    """Whether what could be said as well as invented was invented.

    For noise, tiny.en gives a ``no_speech`` of 0.89 and more; for such a phrase said over applause
    at 5 dB and more, at most 0.47 in its second pass, whatever the log-probability.
    """
    unsure = decoding.logprob < DOUBTED_LOGPROB and decoding.no_speech > DOUBTED_NO_SPEECH
    return unsure or decoding.no_speech > PHRASE_NO_SPEECH


def is_doubtful(decoding: Decoding) -> bool:
    """Whether to decode again with the full window: short ones make Whisper repeat itself."""
    repeats, unit = longest_repeat(words(decoding.text))
    return rejection(decoding) is not None or repeats >= 3 or (repeats == 2 and unit >= 3)


def words(text: str) -> list[str]:
    """Words in lower case without punctuation; each character of a dense script is a word."""
    spaced = _DENSE.sub(r" \g<0> ", unicodedata.normalize("NFC", text.casefold()))
    return re.findall(r"\w+(?:['’]\w+)*", spaced)


def longest_repeat(tokens: list[str]) -> tuple[int, int]:
    """The run of equal neighbouring groups that covers most tokens: ``(repeats, group size)``.

    A last repeat that was cut short is not counted. ``(1, 0)`` where nothing repeats.
    """
    best, covered = (1, 0), 0
    for size in range(1, len(tokens) // 2 + 1):
        run = 0
        for index in range(size, len(tokens) + 1):
            if index < len(tokens) and tokens[index] == tokens[index - size]:
                run += 1
                continue
            repeats = 1 + run // size
            if repeats > 1 and repeats * size > covered:
                best, covered = (repeats, size), repeats * size
            run = 0
    return best


def is_loop(text: str) -> bool:
    """Whether ``text`` repeats itself beyond what people do for emphasis."""
    repeats, unit = longest_repeat(words(text))
    return repeats >= 8 or (repeats >= 3 and repeats * unit >= 12)


def compression_ratio(text: str) -> float:
    """Bytes of ``text`` over its bytes compressed: high where it repeats itself."""
    data = text.encode(errors="replace")
    return len(data) / len(zlib.compress(data))


def spoken_length(text: str) -> float:
    """Characters of ``text`` in the time that letters of an alphabet take, spaces left out."""
    letters = re.sub(r"\s+", "", text)
    dense = len(_DENSE.findall(letters))
    return len(letters) - dense + _DENSE_WEIGHT * dense


def is_silence_phrase(text: str) -> bool:
    """Whether ``text`` is one of the phrases that Whisper learnt to write for silence."""
    return " ".join(words(text)) in _SILENCE


def is_credit(text: str) -> bool:
    """Whether ``text`` is a subtitler's credit."""
    said = " ".join(words(text))
    return any(credit in said for credit in _CREDITS)


_SILENCE = frozenset(" ".join(words(phrase)) for group in PHRASES.values() for phrase in group)
_CREDITS = tuple(" ".join(words(credit)) for credit in CREDITS)
