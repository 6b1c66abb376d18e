"""Which audio track of a source is dubbed: by its language, its title and its disposition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import av.stream

from stream.errors import UserError
from stream.languages import is_language, same_language
from stream.media.options import AUTO

_D = av.stream.Disposition

_BESIDE = _D.comment | _D.visual_impaired | _D.descriptions | _D.karaoke | _D.clean_effects
"""Dispositions of sound that goes with a programme and is not its own."""

_BESIDE_WORDS = re.compile(
    r"comment|descri(bed|pti)|\bdirector|karaoke|isolated|music (and|&) effects|\bM&E\b", re.I
)
"""The same in titles, which many files have instead."""


def choose_track(
    name: str, tracks: Sequence[Any], wanted: int | str, language: str | None, best: Any
) -> Any:
    """The audio stream to dub.

    Args:
        name: of the source, in messages.
        tracks: its audio streams, at least one.
        wanted: see ``InputOptions.track``.
        language: that is spoken, where it is known.
        best: FFmpeg's choice, which is taken among equals.

    Raises:
        UserError: if there is no such track; the message names those that there are.
    """
    if wanted == AUTO:
        return max(tracks, key=lambda track: (_rank(track, language), track is best))
    number = int(wanted) if re.fullmatch("[0-9]{1,9}", str(wanted)) else None
    numbered = [*tracks][number : number + 1] if number is not None else []
    fitting = numbered or ([] if number is not None else _fitting(tracks, str(wanted)))
    if not fitting:
        last = len(tracks) - 1
        there = ", ".join(f"{i} ({describe_track(track)})" for i, track in enumerate(tracks))
        raise UserError(
            f"{name} has no audio track {wanted}: choose one from 0 to {last}, by number, "
            f"language, title or disposition: {there}"
        )
    return max(fitting, key=lambda track: (_rank(track, language), track is best))


def describe_track(track: Any) -> str:
    """Its language and title, as far as it is tagged."""
    title = track.metadata.get("title") or track.metadata.get("handler_name")
    return " ".join(filter(None, (_language(track) or "no language", title and f"'{title}'")))


def differs(track: Any, language: str) -> bool:
    """Whether a track says of itself that another language is spoken."""
    tag = _language(track)
    return tag is not None and not same_language(tag, language)


def _fitting(tracks: Sequence[Any], wanted: str) -> list[Any]:
    if is_language(wanted):
        found = [t for t in tracks if (tag := _language(t)) and same_language(tag, wanted)]
        if found:
            return found
    text = wanted.casefold()
    titled = [t for t in tracks if text in t.metadata.get("title", "").casefold()]
    flag = _D.__members__.get(text)
    return titled or [t for t in tracks if flag is not None and t.disposition & flag]


def _rank(track: Any, language: str | None) -> int:
    """How likely it is the speech to dub: the programme's own in the language, then untagged."""
    beside = bool(track.disposition & _BESIDE) or bool(
        _BESIDE_WORDS.search(track.metadata.get("title", ""))
    )
    tag = _language(track)
    if tag is None or language is None:
        return 1 if beside else 4
    if same_language(tag, language):
        return 3 if beside else 5
    return 0 if beside else 2


def _language(track: Any) -> str | None:
    tag = track.metadata.get("language", "und").strip().lower()
    return None if tag in ("", "und", "unk", "mis", "mul", "zxx", "qaa") else str(tag)
