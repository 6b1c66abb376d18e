"""The tracks of a feed as an output's container has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream.live.feed import ORIGINAL, Feed
from stream.media.muxer import SoundTrack


def every_track(feed: Feed) -> tuple[str, ...]:
    """All tracks of a feed: the dubs, then the original."""
    return (*(name for name in feed.tracks if name != ORIGINAL), ORIGINAL)


def sound_tracks(
    feed: Feed, names: Sequence[str], languages: Mapping[str, tuple[str, str]] | None = None
) -> dict[str, SoundTrack]:
    """How tracks are labelled; the first is the one that players choose.

    Args:
        feed: the session.
        names: of its tracks, in their order.
        languages: code and title by track, where they are to be others.
    """
    given = languages or {}
    sounds: dict[str, SoundTrack] = {}
    for name in names:
        code = feed.language if name == ORIGINAL else name
        label = "Original" if name == ORIGINAL else f"Dub ({code})"
        code, label = given.get(name, (code, label))
        sounds[name] = SoundTrack(feed.channels, code, label, default=not sounds)
    return sounds
