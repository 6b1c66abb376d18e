"""Numbers as they are written in different languages, and their words, by num2words."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

from num2words import CONVERTER_CLASSES, num2words

from stream.languages import base

_POINT_LANGUAGES = ("en", "zh", "ja", "ko", "hi", "th", "he")
"""Languages that write 1,234.5; the others write 1.234,5 or 1 234,5."""

_LONGEST_DIGITS = 15
"""Digits beyond which a number is read digit by digit, as are those that begin with 0."""

SPACES = "\u00a0\u202f\u2009"
"""No-break and thin spaces, which may group digits."""

_UNKNOWN = (NotImplementedError, OverflowError, ValueError, KeyError, IndexError, TypeError)
"""What num2words raises for numbers and forms that it does not have in a language."""


def written_with_point(language: str) -> bool:
    """Whether decimals follow a point in ``language``, ISO 639-1."""
    return language in _POINT_LANGUAGES


def parsed(text: str, language: str) -> tuple[str, str]:
    """The digits before and after the decimal sign of a number.

    Translators leave some numbers as the source's language writes them, so both signs are taken
    for what they are likely to be: of two different ones the last is the decimal sign, and one
    sign with three digits after it groups thousands unless the language's decimals follow it.

    Args:
        text: digits with signs between them, such as ``1.500,75`` or ``1,500``.
        language: ISO 639-1.
    """
    text = re.sub(rf"[{SPACES} ']", "", text)
    parts = re.split(r"[.,]", text)
    signs = re.findall(r"[.,]", text)
    if not signs:
        return text, ""
    last = parts[-1]
    grouped = all(len(part) == 3 for part in parts[1:]) and 0 < len(parts[0]) <= 3
    grouped = grouped and parts[0] != "0" and len(set(signs)) == 1
    if len(signs) == 1 and signs[0] == "." and written_with_point(language):
        grouped = False
    if grouped:
        return "".join(parts), ""
    return "".join(parts[:-1]), last


class Words:
    """Numbers in words of one language.

    Args:
        language: ISO 639-1 code, with or without a region.
    """

    def __init__(self, language: str) -> None:
        code = language.lower().replace("_", "-")
        # Bare pt is Brazilian here, as everywhere in livedub.
        names = ("pt_br",) if code == "pt" else (code.replace("-", "_"), base(language))
        exact = {name.lower(): name for name in CONVERTER_CLASSES}
        self._language = next((exact[name] for name in names if name in exact), "")
        self._sign = "." if written_with_point(base(language)) else ","

    @property
    def known(self) -> bool:
        """Whether numbers can be written in the language; if not, they stay in digits."""
        return bool(self._language)

    def cardinal(self, whole: str, decimals: str = "") -> str:
        """A number; digit by digit where it is long or a code.

        Args:
            whole: digits before the decimal sign.
            decimals: those after it.
        """
        if not self.known:
            return f"{whole}{self._sign}{decimals}" if decimals else whole
        try:
            if len(whole) > _LONGEST_DIGITS or (whole[0] == "0" and len(whole) > 1):
                spoken = self.digits(whole)
                return f"{spoken} {self.cardinal(decimals)}" if decimals else spoken
            return self._write(Decimal(f"{whole}.{decimals}") if decimals else int(whole))
        except _UNKNOWN:
            return " ".join(whole + decimals)

    def digits(self, text: str) -> str:
        """One digit after another."""
        return " ".join(self._write(int(digit)) if self.known else digit for digit in text)

    @property
    def minus(self) -> str:
        """What is said before a negative number."""
        return self._write(-1).removesuffix(self._write(1)).strip() if self.known else "-"

    def ordinal(self, whole: str) -> str:
        """An ordinal number; the cardinal where there is no such form."""
        try:
            return self._write(int(whole), to="ordinal")
        except _UNKNOWN:
            return self.cardinal(whole)

    def _write(self, number: Decimal | int, **options: Any) -> str:
        written: str = num2words(number, lang=self._language, **options)
        # A comma would be a pause, and a place to cut.
        return re.sub(r",(?= )", "", written)


@cache
def words(language: str) -> Words:
    """The words of ``language``, made once."""
    return Words(language)
