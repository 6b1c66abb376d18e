"""Voices by name, and several of them mixed."""

from __future__ import annotations

import re

from stages.base import EngineError

_PART = re.compile(r"(?P<name>.+?)\s*\*\s*(?P<weight>[\d.]+)")


def parse_voice(expression: str) -> list[tuple[str, float]]:
    """The voices of ``anna*0.7 + boris*0.3`` and their shares, which sum to 1.

    Raises:
        EngineError: if a weight is no positive number.
    """
    found: list[tuple[str, float]] = []
    for part in re.split(r"\s+\+\s+", expression.strip()):
        match = _PART.fullmatch(part)
        try:
            found.append((match["name"], float(match["weight"])) if match else (part, 1.0))
        except ValueError:
            raise EngineError(f"In tts.voice, '{part}' has no weight like 0.7.") from None
    total = sum(weight for _, weight in found)
    if any(weight <= 0 for _, weight in found):
        raise EngineError(f"The weights in tts.voice '{expression}' must be above 0.")
    return [(name, weight / total) for name, weight in found]
