"""Numbers and abbreviations written as they are said, for voices that read letters only."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from stages.base import EngineError

_POINT_LANGUAGES = ("en", "zh", "ja", "ko", "hi")
"""Languages that write 1,234.5; the others write 1.234,5 or 1 234,5."""
_LONGEST_NUMBER_DIGITS = 12
"""Digits beyond which a number is read digit by digit, as are those that begin with 0."""
_SPACES = "\u00a0\u202f\u2009"
_GROUPED = {
    "point": re.compile(rf"(?<![\d.,])\d{{1,3}}(?:[,{_SPACES}]\d{{3}})+(?!\d)"),
    "comma": re.compile(rf"(?<![\d.,])\d{{1,3}}(?:[.{_SPACES} ]\d{{3}})+(?![\d])"),
}
_CURRENCY = re.compile(r"([$€£¥₽])\s?(\d[\d.,]*)")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?![\d:])")
_NUMBER = re.compile(r"(?<![^\W\d_])(\d+)(?:[.,](\d{1,6}))?(?!\d)")
_ORDINALS = {
    "en": re.compile(r"\b(\d{1,9})(?:st|nd|rd|th)\b"),
    "ru": re.compile(r"\b(\d{1,9})-(?:й|я|е|го|му|м|ый|ая|ое)\b"),
    "pt": re.compile(r"\b(\d{1,9})[ºª]"),
    "es": re.compile(r"\b(\d{1,9})[ºª]"),
    "it": re.compile(r"\b(\d{1,9})[ºª]"),
    "fr": re.compile(r"\b(\d{1,9})(?:er|re|ère|ème|e)\b"),
}
_ABBREVIATIONS: dict[str, dict[str, str]] = {
    "en": {
        r"e\.\s?g\.": "for example", r"i\.\s?e\.": "that is", r"etc\.": "et cetera",
        r"vs\.": "versus", r"approx\.": "approximately", r"No\.(?=\s?\d)": "number",
    },
    "ru": {
        r"т\.\s?е\.": "то есть", r"т\.\s?к\.": "так как", r"и\s+т\.\s?д\.": "и так далее",
        r"и\s+т\.\s?п\.": "и тому подобное", r"и\s+др\.": "и другие", r"(?<=\d)\s?г\.": " года",
        r"(?<=\d)\s?гг\.": " годов", r"(?<=\d)\s?тыс\.": " тысяч", r"(?<=\d)\s?млн\b\.?":
        " миллионов", r"(?<=\d)\s?млрд\b\.?": " миллиардов", r"(?<=\d)\s?руб\.": " рублей",
        r"(?<=\d)\s?км\b": " километров", r"(?<=\d)\s?кг\b": " килограммов",
        r"(?<=\d)\s?см\b": " сантиметров", r"(?<=\d)\s?мин\.": " минут", r"г-н\b": "господин",
        r"г-жа\b": "госпожа", r"д-р\b": "доктор", r"проф\.": "профессор", r"ул\.": "улица",
        r"им\.": "имени", r"№\s?": "номер ",
    },
    "pt": {
        r"p\.\s?ex\.": "por exemplo", r"etc\.": "etcétera", r"Sr\.": "senhor", r"Sra\.": "senhora",
        r"Dr\.": "doutor", r"Dra\.": "doutora", r"Prof\.": "professor", r"n\.?º\s?(?=\d)":
        "número ",
    },
    "de": {
        r"z\.\s?B\.": "zum Beispiel", r"d\.\s?h\.": "das heißt", r"usw\.": "und so weiter",
        r"bzw\.": "beziehungsweise", r"Nr\.(?=\s?\d)": "Nummer",
    },
    "es": {r"p\.\s?ej\.": "por ejemplo", r"etc\.": "etcétera"},
    "fr": {r"p\.\s?ex\.": "par exemple", r"etc\.": "et cetera"},
    "it": {r"ad\s+es\.": "ad esempio", r"ecc\.": "eccetera"},
}  # fmt: skip
_DIGITS = {"hi": ["शून्य", "एक", "दो", "तीन", "चार", "पाँच", "छह", "सात", "आठ", "नौ"]}
_COMPILED = {
    language: [
        (re.compile(pattern if pattern.startswith("(?<") else rf"(?<!\w){pattern}", re.I), words)
        for pattern, words in table.items()
    ]
    for language, table in _ABBREVIATIONS.items()
}


def spelled_out(text: str, language: str) -> str:
    """``text`` with numbers, clock times and common abbreviations in words of ``language``.

    Numbers are in the nominative, as ``num2words`` writes them. Where it does not know the
    language, as for Chinese, digits stay for the engine; in Hindi they are read one by one.

    Args:
        text: in ``language``.
        language: ISO 639-1 code, with or without a region.
    """
    code = language.lower().replace("_", "-")
    base = code.split("-")[0]
    words = _Words(code)
    text = "".join(_ascii_digit(character) for character in text)
    for pattern, replacement in _COMPILED.get(base, []):
        text = pattern.sub(lambda match, new=replacement: new, text)  # type: ignore[misc]
    text = _CURRENCY.sub(lambda match: f"{match[2]} {match[1]}", text)
    style = "point" if base in _POINT_LANGUAGES else "comma"
    text = _GROUPED[style].sub(lambda match: re.sub(r"\D", "", match[0]), text)
    if base in _DIGITS:
        return re.sub(r"\d", lambda match: f" {_DIGITS[base][int(match[0])]} ", text)
    if not words.known:
        return text
    text = _CLOCK.sub(lambda match: f"{match[1]} {match[2]}", text)
    if base in _ORDINALS:
        text = _ORDINALS[base].sub(lambda match: words.ordinal(match[1]), text)
    text = _NUMBER.sub(lambda match: words.cardinal(match[1], match[2]), text)
    return re.sub(r"\d+", lambda match: f" {words.cardinal(match[0], None)} ", text)


class _Words:
    """Numbers in words, by num2words."""

    def __init__(self, language: str) -> None:
        try:
            from num2words import CONVERTER_CLASSES
        except ImportError as error:
            raise EngineError("This voice needs num2words: pip install 'livedub[xtts]'.") from error
        base = language.split("-")[0]
        # Bare pt is Brazilian here, as everywhere in livedub.
        names = ("pt_BR",) if language == "pt" else (language.replace("-", "_"), base)
        exact = {name.lower(): name for name in CONVERTER_CLASSES}
        found = [exact[name.lower()] for name in names if name.lower() in exact]
        self._language = found[0] if found else ""

    @property
    def known(self) -> bool:
        """Whether numbers can be written in the language."""
        return bool(self._language)

    def ordinal(self, digits: str) -> str:
        """An ordinal number; the cardinal where there is no such form."""
        try:
            return self._write(int(digits), to="ordinal")
        except _UNKNOWN:
            return self.cardinal(digits, None)

    def cardinal(self, digits: str, decimals: str | None) -> str:
        """A number with or without decimals; digit by digit where it is long or a code."""
        try:
            if len(digits) > _LONGEST_NUMBER_DIGITS or (digits[0] == "0" and len(digits) > 1):
                spoken = " ".join(self._write(int(digit)) for digit in digits)
                return spoken if decimals is None else f"{spoken} {self.cardinal(decimals, None)}"
            if decimals is not None:
                return self._write(float(f"{digits}.{decimals}"))
            return self._write(int(digits))
        except _UNKNOWN:
            return " ".join(digits + (decimals or ""))

    def _write(self, number: float, **options: Any) -> str:
        from num2words import num2words

        written: str = num2words(number, lang=self._language, **options)
        return written


_UNKNOWN = (NotImplementedError, OverflowError, ValueError, KeyError, IndexError, TypeError)


def _ascii_digit(character: str) -> str:
    if character.isascii() or not character.isdecimal():
        return character
    return str(unicodedata.decimal(character))
