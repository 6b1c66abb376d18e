"""Other ways to write the same text, for engines that offer only one translation.

English is written with and without contractions, and a model may translate the two differently.
Portuguese leaves out a subject that is clear from the verb's ending or the clause before it,
contracts ``em`` with the article, and has longer and shorter words for some things. Nothing here
changes what is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations

_Change = Callable[[str], str]

_CONTRACTED = (
    (r"\b(I) am\b", r"\1'm"),
    (r"\b(you|we|they) are\b", r"\1're"),
    (r"\b(it|he|she|that|there|what) is\b", r"\1's"),
    (r"\b(I|you|we|they) have (?=been\b|\w+ed\b)", r"\1've "),
    (r"\b(I|you|he|she|it|we|they) will\b", r"\1'll"),
    (r"\b(do|does|did|is|are|was|were|has|have|had|would|should|could) not\b", r"\1n't"),
    (r"\bcan ?not\b", "can't"),
    (r"\bwill not\b", "won't"),
)
_EXPANDED = (
    (r"\b(I)'m\b", r"\1 am"),
    (r"\b(you|we|they)'re\b", r"\1 are"),
    (r"\b(that|there|what)'s\b", r"\1 is"),
    (r"\b(I|you|we|they)'ve\b", r"\1 have"),
    (r"\b(I|you|he|she|it|we|they)'ll\b", r"\1 will"),
    (r"\bcan't\b", "cannot"),
    (r"\bwon't\b", "will not"),
    (r"\b(do|does|did|is|are|was|were|has|have|had|would|should|could)n't\b", r"\1 not"),
)
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


def sources(text: str, language: str) -> list[str]:
    """What could have been written in place of ``text``, itself excluded."""
    if language != "en":
        return []
    plain = text.replace("’", "'")
    found = [_replaced(plain, _CONTRACTED), _replaced(plain, _EXPANDED)]
    return [one for one in dict.fromkeys(found) if one != plain]


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


def _replaced(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    for pattern, by in changes:
        text = re.sub(pattern, by, text, flags=re.IGNORECASE)
    return text


def _like(original: str, changed: str) -> str:
    """``changed`` with the capital that ``original`` begins with."""
    return changed[:1].upper() + changed[1:] if original[:1].isupper() else changed
