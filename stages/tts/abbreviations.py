"""Abbreviations in full, by language: what a voice would stumble over or spell."""

from __future__ import annotations

import re
from functools import cache

_ABBREVIATIONS: dict[str, dict[str, str]] = {
    "en": {
        r"e\.\s?g\.": "for example", r"i\.\s?e\.": "that is", r"etc\.": "et cetera",
        r"vs\.": "versus", r"approx\.": "approximately", r"No\.(?=\s?\d)": "number",
        r"Mr\.": "Mister", r"Mrs\.": "Missus", r"Dr\.": "Doctor", r"Prof\.": "Professor",
        r"Ave\.": "Avenue", r"Blvd\.": "Boulevard", r"Rd\.": "Road",
        r"St\.(?= [A-Z])": "Saint", r"St\.(?!\w)": "Street",
    },
    "ru": {
        r"т\.\s?е\.": "то есть", r"т\.\s?к\.": "так как", r"и\s+т\.\s?д\.": "и так далее",
        r"и\s+т\.\s?п\.": "и тому подобное", r"и\s+др\.": "и другие", r"(?<=\d)\s?г\.": " года",
        r"(?<=\d)\s?гг\.": " годов", r"(?<=\d)\s?тыс\.": " тысяч", r"(?<=\d)\s?млн\b\.?":
        " миллионов", r"(?<=\d)\s?млрд\b\.?": " миллиардов", r"(?<=\d)\s?руб\.": " рублей",
        r"г-н\b": "господин",
        r"г-жа\b": "госпожа", r"д-р\b": "доктор", r"проф\.": "профессор", r"ул\.": "улица",
        r"им\.": "имени", r"№\s?": "номер ",
    },
    "pt": {
        r"p\.\s?ex\.": "por exemplo", r"etc\.": "etcétera", r"Sr\.": "senhor", r"Sra\.": "senhora",
        r"Dr\.": "doutor", r"Dra\.": "doutora", r"Prof\.": "professor", r"n\.?º\s?(?=\d)":
        "número ", r"Av\.": "avenida", r"lbs?\b": "libras", r"tel\.": "telefone",
    },
    "de": {
        r"z\.\s?B\.": "zum Beispiel", r"d\.\s?h\.": "das heißt", r"usw\.": "und so weiter",
        r"bzw\.": "beziehungsweise", r"Nr\.(?=\s?\d)": "Nummer", r"Dr\.": "Doktor",
        r"ca\.": "circa",
    },
    "es": {
        r"p\.\s?ej\.": "por ejemplo", r"etc\.": "etcétera", r"Sr\.": "señor", r"Sra\.": "señora",
        r"Dr\.": "doctor", r"Dra\.": "doctora", r"n\.?º\s?(?=\d)": "número ",
        r"EE\.\s?UU\.": "Estados Unidos", r"Av\.": "avenida",
    },
    "fr": {
        r"p\.\s?ex\.": "par exemple", r"etc\.": "et cetera", r"Mme\b\.?": "madame",
        r"Mlle\b\.?": "mademoiselle", r"M\.(?= [A-Z])": "monsieur", r"Dr\b\.?": "docteur",
        r"n°\s?(?=\d)": "numéro ",
    },
    "it": {
        r"ad\s+es\.": "ad esempio", r"ecc\.": "eccetera", r"Sig\.ra": "signora",
        r"Sig\.": "signor", r"Dott\.": "dottor", r"n\.\s?(?=\d)": "numero ",
    },
}  # fmt: skip


@cache
def abbreviations(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Patterns and what they stand for; none of a language that is not known here.

    Args:
        language: ISO 639-1.
    """
    return [
        (re.compile(pattern if pattern.startswith("(?<") else rf"(?<!\w){pattern}", flags), words)
        for pattern, words in _ABBREVIATIONS.get(language, {}).items()
        for flags in [re.NOFLAG if _cased(pattern) else re.IGNORECASE]
    ]


def _cased(pattern: str) -> bool:
    """Whether capitals in the pattern's look-around matter."""
    return "[A-Z]" in pattern or "[a-z]" in pattern
