"""Languages by their tags: what people write is understood, and one tag stands for each."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stream.errors import UserError

# Imported when first asked for: its tables take a while to read.
if TYPE_CHECKING:
    from langcodes import Language

_SHORTEST_NAME, _MOST_CHARACTERS = 4, 64
_NOT_ONE = frozenset({"und", "mul", "mis", "zxx"})
"""ISO 639-2 codes for an unknown language, several, one without a code, and none."""
_SUGGESTED = 3
_PART_OF = {"nb": "no", "nn": "no"}
"""Written standards of one spoken language."""


class LanguageError(UserError, ValueError):
    """No language is called that; the message names the nearest ones."""


def language_tag(text: str) -> str:
    """The BCP 47 tag of a language, in its canonical form: ``pt-BR`` for ``POR_br``.

    Args:
        text: a tag in any case, with a hyphen or an underscore, a code of two or three letters, or
            a name, such as ``Brazilian Portuguese``.

    Raises:
        LanguageError: in one sentence, with the nearest languages.
    """
    found = _tagged(text) or _named(text)
    if found is None:
        close = " or ".join(f"{code} ({name})" for code, name in _nearest(text))
        hint = f"did you mean {close}?" if close else "write a code, such as pt, por or pt-BR."
        raise LanguageError(f"'{_shown(text)}' is no language; {hint}")
    return found


def language_name(tag: str) -> str:
    """What a language is called in English; its tag if it has no name."""
    from langcodes import Language

    name = Language.get(tag).display_name("en")
    return tag if name.startswith("Unknown language") else name


@functools.cache
def script_of(tag: str) -> str:
    """The script that a language is written in, or likeliest: ``Latn``, by ISO 15924."""
    from langcodes import Language

    return Language.get(tag).maximize().script or ""


def is_language(code: str) -> bool:
    """Whether a language has the code: of two letters in ISO 639-1, or any of three.

    Args:
        code: with or without a region (``pt``, ``pt-br``).
    """
    primary = base(code)
    three = len(primary) == 3 and primary.isascii() and primary.isalpha()
    return three or (len(primary) == 2 and _tagged(primary) is not None)


def base(tag: str) -> str:
    """The language of a tag alone, without script or region, as it is written there."""
    return tag.strip().lower().replace("_", "-").split("-")[0]


def same_language(one: str, other: str) -> bool:
    """Whether two codes mean one language, in whichever standard and region."""
    return _canonical(one) == _canonical(other)


def among(language: str, codes: Iterable[str]) -> str | None:
    """Which of somebody's ``codes`` stands for a language; ``None`` if none does."""
    known = {code.lower().replace("_", "-"): code for code in codes}
    for written in (language.lower(), base(language), _canonical(language)):
        if written in known:
            return known[written]
    return next((code for code in known.values() if same_language(code, language)), None)


def container_tag(language: str) -> str:
    """The three-letter tag that MP4, Matroska and MPEG-TS store; ``und`` if there is none.

    Args:
        language: a code with or without a region (``pt``, ``pt-br``).
    """
    from langcodes import Language

    code = base(language)
    if len(code) == 3 and is_language(code):
        return code
    try:
        return Language.get(code).to_alpha3()
    except (LookupError, ValueError):
        return "und"


@functools.cache
def _canonical(code: str) -> str:
    found = _tagged(base(code))
    return base(code) if found is None else _PART_OF.get(found, base(found))


@functools.cache
def _tagged(text: str) -> str | None:
    from langcodes import Language, tag_is_valid
    from langcodes.tag_parser import LanguageTagError

    written = text.strip()
    if len(written) > _MOST_CHARACTERS:
        return None
    try:
        if not tag_is_valid(written):
            return None
        found = Language.get(written)
    except LanguageTagError:
        return None
    return _plain(found)


def _named(text: str, *, begins: bool = False) -> str | None:
    """The language with a name, in any language; ``begins``: or with the beginning of it."""
    import langcodes
    from language_data.names import TRIES, normalize_name

    name = text.strip()
    if not _SHORTEST_NAME <= len(name) <= _MOST_CHARACTERS or not name.isprintable():
        return None
    try:
        found = _plain(langcodes.find(name))
    except (LookupError, ValueError):  # its table of names cannot decode what it does not hold
        return None
    # It takes the beginning of a name for the name.
    exact = normalize_name(name) in TRIES["und/name_to_language"]
    return found if exact or begins else None


def _plain(found: Language) -> str | None:
    """Language, script and region of a tag; ``None`` if it does not mean one language."""
    import langcodes

    language = found.language
    private = language is None or language.startswith("x-") or "qaa" <= language <= "qtz"
    # Extensions remain only where they are not the language themselves, as in zh-yue.
    if private or language in _NOT_ONE or found.extlangs:
        return None
    made = langcodes.Language.make(language, script=found.script, territory=found.territory)
    return langcodes.standardize_tag(made, macro=True)


def _nearest(text: str) -> list[tuple[str, str]]:
    """Codes and names of languages that may be meant."""
    wanted = text.strip().lower()[:_MOST_CHARACTERS]
    names = _names()
    codes = [_spoken_in(wanted)] if len(wanted) == 2 and wanted.isalpha() else []
    codes += [base(_named(wanted, begins=True) or "")]
    if wanted:
        codes += [code for name, code in names.items() if name.lower().startswith(wanted)]
    lower = {name.lower(): code for name, code in names.items()}
    codes += [lower[name] for name in difflib.get_close_matches(wanted, lower, _SUGGESTED)]
    codes += difflib.get_close_matches(wanted, names.values(), _SUGGESTED)
    known = {code: name for name, code in names.items()}
    return [(code, known[code]) for code in dict.fromkeys(codes) if code in known][:_SUGGESTED]


@functools.cache
def _names() -> dict[str, str]:
    """Tags of the languages that software is translated into, by their English names."""
    from langcodes.language_lists import CLDR_LANGUAGES

    tags = sorted({base(tag) for tag in CLDR_LANGUAGES} - _NOT_ONE - {"root"})
    return {language_name(tag): tag for tag in tags}


def _spoken_in(country: str) -> str:
    """The language of a country: people write ``jp`` and mean ``ja``."""
    from langcodes import Language, tag_is_valid

    if not tag_is_valid(f"und-{country}"):
        return ""
    return Language.make(territory=country.upper()).maximize().language or ""


def _shown(text: str) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in text)
    return plain if len(plain) <= _MOST_CHARACTERS else f"{plain[:_MOST_CHARACTERS]}…"
