"""Text as it is said: numbers, prices, units, dates, addresses and abbreviations in words.

Names of units and currencies are those of CLDR, by Babel, in the form that goes with the number.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal, get_currency_name
from babel.units import format_unit

from stages.tts.abbreviations import abbreviations
from stages.tts.numbers import SPACES, Words, parsed, words
from stream.languages import base

JOIN = "\u00a0"
"""Between the words of one number: no place to cut."""

_CURRENCIES = {
    "US$": "USD", "R$": "BRL", "A$": "AUD", "C$": "CAD", "$": "USD", "€": "EUR", "£": "GBP",
    "¥": "JPY", "₽": "RUB", "₹": "INR", "₩": "KRW", "₺": "TRY", "₴": "UAH", "zł": "PLN",
}  # fmt: skip
_CENTS = {
    "en": (" and ", " cents"), "pt": (" e ", " centavos"), "es": (" con ", " centavos"),
    "fr": (" et ", " centimes"), "it": (" e ", " centesimi"), "de": (" und ", " Cent"),
}  # fmt: skip
_UNITS = {
    "%": "concentr-percent", "‰": "concentr-permille", "km/h": "speed-kilometer-per-hour",
    "m/s": "speed-meter-per-second", "mph": "speed-mile-per-hour", "°C": "temperature-celsius",
    "°F": "temperature-fahrenheit", "°": "angle-degree", "km²": "area-square-kilometer",
    "m²": "area-square-meter", "m³": "volume-cubic-meter", "km": "length-kilometer",
    "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "ft": "length-foot", "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram",
    "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce", "l": "volume-liter",
    "L": "volume-liter", "ml": "volume-milliliter", "ha": "area-hectare",
    "h": "duration-hour", "min": "duration-minute", "ms": "duration-millisecond",
    "kB": "digital-kilobyte", "KB": "digital-kilobyte", "MB": "digital-megabyte",
    "GB": "digital-gigabyte", "TB": "digital-terabyte", "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz", "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz",
    "W": "power-watt", "kW": "power-kilowatt", "MW": "power-megawatt",
    "kWh": "energy-kilowatt-hour", "V": "electric-volt", "kcal": "energy-kilocalorie",
    "км/ч": "speed-kilometer-per-hour", "км": "length-kilometer", "см": "length-centimeter",
    "мм": "length-millimeter", "кг": "mass-kilogram", "мин": "duration-minute",
}  # fmt: skip
_SIGNS = {
    "en": {"@": "at", ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "to": "to"},
    "pt": {"@": "arroba", ".": "ponto", "/": "barra", "-": "hífen", "_": "sublinhado", "to": "a"},
    "es": {"@": "arroba", ".": "punto", "/": "barra", "-": "guion", "_": "guion bajo", "to": "a"},
    "fr": {"@": "arobase", ".": "point", "/": "barre", "-": "tiret", "_": "tiret bas", "to": "à"},
    "it": {"@": "chiocciola", ".": "punto", "/": "barra", "-": "trattino",
           "_": "trattino basso", "to": "a"},
    "de": {"@": "ät", ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich",
           "to": "bis"},
    "ru": {"@": "собака", ".": "точка", "/": "косая черта", "-": "дефис",
           "_": "подчёркивание", "to": "до"},
}  # fmt: skip
"""Signs of addresses; and what is said between the ends of a range."""
_ORDINALS = {
    "en": r"(\d{1,9})(?:st|nd|rd|th)\b",
    "ru": r"(\d{1,9})-(?:й|я|е|го|му|м|ый|ая|ое)\b",
    "pt": r"(\d{1,9})[ºª]",
    "es": r"(\d{1,9})[ºª]",
    "it": r"(\d{1,9})[ºª]",
    "fr": r"(\d{1,9})(?:er|re|ère|ème|e)\b",
}
_NUMBER = rf"\d{{1,3}}(?:[{SPACES}]\d{{3}})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*"
_SPACED = r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d])"
"""Thousands grouped by plain spaces, as some languages have them."""
_AMOUNT = rf"(?<![^\W_])(?P<minus>(?<![\w.,)\-])[-−])?(?P<number>{_NUMBER})"


def spelled_out(text: str, language: str) -> str:
    """``text`` with numbers and what belongs to them in words of ``language``.

    Numbers are in the nominative, as ``num2words`` writes them, and their words are joined by
    no-break spaces. Where it does not know the language, as for Chinese, they stay digits, without
    grouping and with the language's decimal sign.

    Args:
        text: in ``language``.
        language: ISO 639-1 code, with or without a region.
    """
    return _speller(language.lower().replace("_", "-")).spelled(text)


@cache
def _speller(language: str) -> _Speller:
    return _Speller(language)


class _Speller:
    """The patterns of one language, and what each becomes."""

    def __init__(self, language: str) -> None:
        self._base = base(language)
        self._words: Words = words(language)
        self._locale = _locale(language)
        signs = "|".join(map(re.escape, sorted(_CURRENCIES, key=len, reverse=True)))
        units = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
        rules: list[tuple[str, Callable[[re.Match[str]], str]]] = [
            (r"(?<!\w)(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}/[^\s,;]*[\w/]", self._address),
            (r"(?<!\w)(?:https?://\S+[\w/]|www\.\S+\w|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
             r"|\b(?:[\w-]+\.)+(?:com|org|net|edu|gov|info|io|br|eu|uk)\b", self._address),
            (r"(?<![\d.,/-])(\d{4})-(\d{2})-(\d{2})(?![\d-])", self._iso_date),
            (r"(?<![\d.,/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\d/])", self._date),
            (r"(?<![\d:])(\d{1,2}):(\d{2})(?![\d:])", self._clock),
            (r"(?<!\w)\+\d{1,3}(?:[ -]\(?\d{2,5}\)?){2,}(?!\w)"
             r"|(?<!\w)\(?\d{2,4}\)?[ -]?\d{3,5}-\d{4}(?!\w)|(?<!\w)\d{3}-\d{4}(?![\w-])",
             self._telephone),
            (rf"(?<![\w.,/-])({_NUMBER})\s?[-–]\s?(?=\d[\d.,]*(?!-\d))", self._range),
            (r"\bUS \$(?=\s?\d)", lambda m: "US$"),
            (rf"(?<!\w)(?P<sign>{signs})\s?(?P<number>{_NUMBER})", self._price),
            (rf"{_AMOUNT}\s?(?P<sign>{signs})(?!\w)", self._price),
            (rf"{_AMOUNT}\s?(?P<unit>{units})(?![\w/²³])", self._quantity),
        ]  # fmt: skip
        if self._base in _ORDINALS:
            rules.append((rf"\b{_ORDINALS[self._base]}", lambda m: self._words.ordinal(m[1])))
        rules.append((r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", lambda m: " "))
        rules.append((_AMOUNT, self._amount))
        self._rules = [(re.compile(pattern), say) for pattern, say in rules]

    def spelled(self, text: str) -> str:
        """All of ``text``."""
        text = "".join(_ascii_digit(character) for character in text)
        for pattern, replacement in abbreviations(self._base):
            text = pattern.sub(lambda match, new=replacement: new, text)  # type: ignore[misc]
        # Spaces that group digits are no-break from here on.
        text = re.sub(_SPACED, lambda match: match[0].replace(" ", JOIN), text)
        for pattern, say in self._rules:
            text = pattern.sub(lambda match, say=say: _joined(say(match)), text)  # type: ignore[misc]
        return text

    def _say(self, number: str) -> str:
        return self._words.cardinal(*parsed(number, self._base))

    def _amount(self, match: re.Match[str]) -> str:
        said = self._say(match["number"])
        if not match["minus"]:
            return said
        return f"{self._words.minus} {said}" if self._words.known else f"-{said}"

    def _price(self, match: re.Match[str]) -> str:
        whole, decimals = parsed(match["number"], self._base)
        if self._locale is None:
            return f"{self._words.cardinal(whole, decimals)} {match['sign']}"
        value = _value(whole, decimals)
        code = _CURRENCIES[match["sign"]]
        name = get_currency_name(code, value, locale=self._locale)
        name = name.lower() if self._base == "pt" else name
        cents = _CENTS.get(self._base)
        if len(decimals) != 2 or cents is None:
            return f"{self._words.cardinal(whole, decimals)} {name}"
        if not decimals.strip("0"):
            return f"{self._words.cardinal(whole)} {name}"
        before, after = cents if code in ("USD", "EUR", "BRL") else (cents[0], "")
        said = self._words.cardinal(decimals.lstrip("0"))
        return f"{self._words.cardinal(whole)} {name}{before}{said}{after}"

    def _quantity(self, match: re.Match[str]) -> str:
        said = self._amount(match)
        if self._locale is None:
            return f"{said} {match['unit']}"
        value = _value(*parsed(match["number"], self._base))
        form = format_unit(value, _UNITS[match["unit"]], "long", locale=self._locale)
        return form.replace(format_decimal(value, locale=self._locale), said)

    def _range(self, match: re.Match[str]) -> str:
        between = _SIGNS.get(self._base, {}).get("to", "–")
        return f"{match[1]} {between} "

    def _telephone(self, match: re.Match[str]) -> str:
        return ", ".join(self._words.digits(part) for part in re.findall(r"\d+", match[0]))

    def _clock(self, match: re.Match[str]) -> str:
        hours, minutes = int(match[1]), int(match[2])
        said = self._words.cardinal(str(hours))
        return f"{said} {self._words.cardinal(str(minutes))}" if minutes else said

    def _iso_date(self, match: re.Match[str]) -> str:
        return self._day(match, int(match[1]), int(match[2]), int(match[3]))

    def _date(self, match: re.Match[str]) -> str:
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        month, day = (first, second) if self._base == "en" else (second, first)
        if month > 12:
            month, day = day, month
        return self._day(match, year, month, day)

    def _day(self, match: re.Match[str], year: int, month: int, day: int) -> str:
        try:
            date = datetime.date(year, month, day)
        except ValueError:
            return match[0]
        if self._locale is None:
            return match[0]
        return format_date(date, "long", locale=self._locale)

    def _address(self, match: re.Match[str]) -> str:
        signs = _SIGNS.get(self._base)
        if signs is None:
            return match[0]
        address = re.sub(r"^https?://", "", match[0])
        address = re.sub(r"^www(?=\.)", "w w w", address).rstrip("/")
        return re.sub(r"[@./_-]", lambda sign: f" {signs[sign[0]]} ", address)


def _value(whole: str, decimals: str) -> float:
    value = float(f"{whole}.{decimals or 0}")
    return int(value) if value == int(value) and value < 1e15 else value


def _joined(said: str) -> str:
    return re.sub(r"(?<=\w) (?=\w)", JOIN, said)


def _locale(language: str) -> Locale | None:
    """The names of ``language``, if CLDR has them; bare pt is Brazilian."""
    try:
        return Locale.parse("pt_BR" if language == "pt" else language, sep="-")
    except (UnknownLocaleError, ValueError):
        try:
            return Locale.parse(base(language))
        except (UnknownLocaleError, ValueError):
            return None


def _ascii_digit(character: str) -> str:
    if character.isascii() or not character.isdecimal():
        return character
    return str(unicodedata.decimal(character))
