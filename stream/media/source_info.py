"""What a source holds, as its readers and its copies need to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av

from stream.media.contiguous import placeless

KEPT_LAYOUTS = ("mono", "stereo", "5.1", "5.1(side)", "7.1")
"""Channel layouts that every encoder we use can write; others are mixed down to stereo."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the source holds.

    Attributes:
        url: what was opened.
        duration: length in ticks, ``None`` if the container does not say.
        audio: index of the audio stream to be dubbed; ``None`` while a live source has none.
        layout: channel layout of the chunks, as FFmpeg names it.
        channels: their number.
        centre: index of the centre channel, if the layout has one.
        streams: every stream of the container, for copying.
        metadata: the container's tags.
        chapters: its chapters, as PyAV has them, times on the media timeline.
        picture: index of the moving picture that belongs to the audio, if there is one.
    """

    url: str
    duration: int | None
    audio: int | None
    layout: str
    channels: int
    centre: int | None
    streams: tuple[Any, ...]
    metadata: dict[str, str]
    picture: int | None = None
    chapters: tuple[Any, ...] = ()


def layout_for(audio: Any | None, only: int | None) -> str:
    """The track's own layout if it is a common one, else the one to mix it to.

    Args:
        audio: the stream, if there is one yet.
        only: index of its one channel that is used, ``None`` for all.
    """
    if audio is None:
        return "stereo"
    if only is not None or audio.channels == 1 or placeless(audio.layout):
        return "mono"
    name: str = audio.layout.name
    return name if name in KEPT_LAYOUTS else "stereo"


def centre_of(layout: av.AudioLayout) -> int | None:
    """Index of the centre channel, if the layout has one among others."""
    names = [channel.name for channel in layout.channels]
    return names.index("FC") if "FC" in names and len(names) > 1 else None
