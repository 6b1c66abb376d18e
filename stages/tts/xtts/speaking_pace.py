"""How long a text takes to say in each language: what a synthesiser's output is held against."""

from __future__ import annotations

from stream.languages import base

_CHARACTERS_PER_SECOND = {
    "ar": 10.5, "de": 15.0, "en": 15.5, "fr": 16.5, "hi": 12.5, "ja": 5.5, "ko": 6.5, "pt": 14.5,
    "ru": 14.0, "zh": 4.5,
}  # fmt: skip
_OTHERS_CHARACTERS_PER_S = 14.5
# A single word takes longer than its letters.
_LEAST_S = 0.35


def characters_per_second(language: str) -> float:
    """Letters that an unhurried voice says in a second, pauses included.

    Args:
        language: ISO 639-1 code, with or without a region.
    """
    return _CHARACTERS_PER_SECOND.get(base(language), _OTHERS_CHARACTERS_PER_S)


def expected_seconds(text: str, language: str) -> float:
    """Seconds that ``text``, numbers written out, takes at rate 1."""
    return max(_LEAST_S, len(text) / characters_per_second(language))
