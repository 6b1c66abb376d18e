"""Shorter ways to write the same text.

Portuguese leaves out a subject that is clear from the verb's ending or the clause before it,
contracts ``em`` with the article, and has longer and shorter words for some things. Nothing here
changes what is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations

_Change = Callable[[str], str]

_SHORTER = (
    (r"\bem (uma?s?)\b", r"n\1"),
    (r"\btodos os dias\b", "todo dia"),
    (r"\btodas as (manhã|tarde|noite|semana)s\b", r"toda \1"),
    # Who does the second thing is who did the first.
    (r"\b(ele|ela|eles|elas|você|vocês)(?P<first> [^.!?;]*,? e) \1 (?=\w)", r"\1\g<first> "),
    (r"\b(?:apenas|somente)\b", "só"),
    (r"\bnovamente\b", "de novo"),
    (r"\bem breve\b", "logo"),
    (r"\baproximadamente\b", "cerca de"),
    (r"\b(?:no entanto|entretanto)\b", "porém"),
    (r"\banteriormente\b", "antes"),
    (r"\b(?:posteriormente|em seguida)\b", "depois"),
    (r"\ba fim de\b", "para"),
)
_SUBJECT = re.compile(
    r"(?P<before>^|[.,;:!?]\s+|\b(?:e|mas|que|quando|porque|se)\s+)"
    r"(?:(?P<we>n)ós\s+(?!mesmos\b)(?=\w+mos\b)|(?P<i>e)u\s+(?=\w+(?:o|ei|ou)\b))(?P<next>\w)",
    re.IGNORECASE,
)


def targets(text: str, language: str) -> list[str]:
    """Shorter forms of a translation, the least changed first."""
    if language != "pt":
        return []
    changes = [change for change in _changes() if change(text) != text]
    found: list[str] = []
    for count in range(1, min(len(changes), 3) + 1):
        for chosen in combinations(changes, count):
            changed = text
            for change in chosen:
                changed = change(changed)
            found.append(changed)
    return list(dict.fromkeys(found))


def _changes() -> Iterator[_Change]:
    yield lambda text: _SUBJECT.sub(_without_subject, text)
    for pattern, by in _SHORTER:
        long = re.compile(pattern, re.IGNORECASE)
        yield lambda text, long=long, by=by: _like(text, long.sub(by, text))  # type: ignore[misc]


def _without_subject(match: re.Match[str]) -> str:
    capital = (match["we"] or match["i"]).isupper()
    return match["before"] + (match["next"].upper() if capital else match["next"])


def _like(original: str, changed: str) -> str:
    """``changed`` with the capital that ``original`` begins with."""
    return changed[:1].upper() + changed[1:] if original[:1].isupper() else changed
