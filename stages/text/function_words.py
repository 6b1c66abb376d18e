"""Small words that say where a sentence can be cut: before conjunctions, not after articles."""

from __future__ import annotations

from stream.languages import base

_CONJUNCTIONS = {
    "en": "and but or so because since which who whose that when while where if unless until "
    "before after although though as",
    "pt": "e mas ou porque pois que quando enquanto onde se até embora como",
}

_LEANING = {
    "en": "a an the this that these those my your his her its our their no every each some any "
    "of in on at to for with from by about into over under and or but if when while because as "
    "than is are was were be been am have has had do does did will would can could should must "
    "may might not very so too more most one two who which where i you he she it we they mr mrs "
    "dr how what only all",
    "pt": "o a os as um uma uns umas este esta esse essa aquele aquela meu minha seu sua nosso "
    "nossa cada todo toda de do da dos das em no na nos nas a ao à aos às para por pelo pela com "
    "sem sobre e ou mas se quando porque como que é são era foi ser estar está estava tem tinha "
    "vai não muito mais tão só eu ele ela nós eles elas você vocês senhor senhora",
}


def conjunctions(language: str) -> frozenset[str]:
    """Words before which a clause can be cut off; none of a language that is not known here."""
    return _words(_CONJUNCTIONS, language)


def leaning(language: str) -> frozenset[str]:
    """Words that lean on the one after them; none of a language that is not known here."""
    return _words(_LEANING, language)


def _words(table: dict[str, str], language: str) -> frozenset[str]:
    return frozenset(table.get(base(language), "").split())
