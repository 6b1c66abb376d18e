"""Latin names in a Russian text, written as a Russian would say them.

A practical transcription of English spelling: names in a dub come from an English original. It is
rough where English spelling is, but a voice trained on Cyrillic stumbles over Latin letters.
"""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_LETTERS = {
    "A": "эй", "B": "би", "C": "си", "D": "ди", "E": "и", "F": "эф", "G": "джи", "H": "эйч",
    "I": "ай", "J": "джей", "K": "кей", "L": "эл", "M": "эм", "N": "эн", "O": "оу", "P": "пи",
    "Q": "кью", "R": "ар", "S": "эс", "T": "ти", "U": "ю", "V": "ви", "W": "дабл-ю", "X":
    "экс", "Y": "уай", "Z": "зед",
}  # fmt: skip
_VOWELS = re.compile(r"[AEIOUY]")
# The longest that fits wins; a start or an end of the word is marked by ^ and $.
_SOUNDS = {
    "tion$": "шен", "sion$": "жен", "ough": "о", "augh": "о", "eigh": "ей", "igh": "ай",
    "sch": "ш", "tch": "ч", "ch": "ч", "sh": "ш", "zh": "ж", "kh": "х", "th": "т", "ph": "ф",
    "gh": "г", "ck": "к", "qu": "кв", "^wh": "у", "wh": "у", "^kn": "н", "^wr": "р", "ee": "и",
    "ea": "и", "oo": "у", "ou": "ау", "ow": "оу", "ai": "ей", "ay": "ей", "ey$": "и", "ei": "ей",
    "au": "о", "aw": "о", "oa": "оу", "ie$": "и", "^ya": "я", "^yo": "йо", "^yu": "ю", "^ye": "е",
    "ya": "я", "yu": "ю", "ce$": "с", "^geo": "джо", "^you": "ю",
    "ce": "се", "ci": "си", "cy": "си", "ge$": "дж", "dge": "дж", "j": "дж",
    "x": "кс", "^e": "э", "y$": "и", "ss": "сс", "e$": "", "a": "а", "b": "б", "c": "к", "d": "д",
    "e": "е", "f": "ф", "g": "г", "h": "х", "i": "и", "k": "к", "l": "л", "m": "м", "n": "н",
    "o": "о", "p": "п", "q": "к", "r": "р", "s": "с", "t": "т", "u": "у", "v": "в", "w": "в",
    "y": "и", "z": "з",
}  # fmt: skip
_SOUND = re.compile(
    "|".join(sorted((re.escape(s).replace(r"\^", "^").replace(r"\$", "$") for s in _SOUNDS),
                    key=lambda s: -len(s.strip("^$"))))
)  # fmt: skip


def in_cyrillic(text: str) -> str:
    """``text`` with every Latin word in Russian letters; abbreviations are spelt."""
    return _WORD.sub(lambda match: _word(match[0]), text)


def _word(word: str) -> str:
    if word.isupper() and 1 < len(word) <= 5 and (len(word) <= 3 or not _VOWELS.search(word)):
        return " ".join(_LETTERS.get(letter, letter) for letter in _plain(word).upper())
    plain = _plain(word).lower()
    silent = len(word) > 3 and word.endswith("e")
    said = _SOUND.sub(lambda match: _sound(match, plain, silent), plain)
    return said[:1].upper() + said[1:] if word[:1].isupper() else said


def _sound(match: re.Match[str], word: str, silent_e: bool) -> str:
    heard = match[0]
    ways = [heard]
    if match.end() == len(word):
        ways.insert(0, f"{heard}$")
    if match.start() == 0:
        ways.insert(0, f"^{heard}")
    if heard == "e" and not silent_e:
        return _SOUNDS["^e" if "^e" in ways else "e"]
    return next((_SOUNDS[way] for way in ways if way in _SOUNDS), "")


def _plain(word: str) -> str:
    """The word without accents, in the 26 letters as far as they reach."""
    decomposed = unicodedata.normalize("NFKD", word)
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    special = {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "e", "Æ": "E", "đ": "d"}
    return "".join(special.get(c, c if c.isascii() else "") for c in kept)
