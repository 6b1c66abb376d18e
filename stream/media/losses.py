"""What a source's container knew and the finished file does not: a sentence each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.error
from av.stream import Disposition

from stream.media.address import address
from stream.media.source_info import SourceInfo

TECHNICAL = {
    "major_brand", "minor_version", "compatible_brands", "encoder", "duration", "creation_time",
    "vendor_id", "handler_name", "timecode", "software",
}  # fmt: skip
"""Tags that tell of the file and not of what it holds, or that the muxer writes itself."""


def losses(source: SourceInfo, out: Path) -> list[str]:
    """Compare a finished file with what it was made of; nothing if it cannot be read back.

    Args:
        source: what was copied.
        out: the finished file; its suffix is named in the sentences.
    """
    suffix = out.suffix
    try:
        with av.open(address(out)) as made:
            lost = [*_lost_tags(source.metadata, made, suffix)]
            if source.chapters and not made.chapters():
                lost.append(f"the chapters are left out: {suffix} has no place for them")
        before, after = _looks(_picture_file(source)), _looks(address(out))
    except (av.error.FFmpegError, OSError, ValueError):
        return []
    if before and after:
        gone = [name for name, value in before.items() if value and after.get(name) != value]
        lost += [f"the picture's {name} is lost: {suffix} has no place for it" for name in gone]
    return lost


def _lost_tags(before: dict[str, str], made: Any, suffix: str) -> Iterator[str]:
    kept = {key.lower() for key in made.metadata}
    for stream in made.streams:  # some formats have tags in their streams alone
        kept |= {key.lower() for key in stream.metadata}
    gone = sorted(
        key
        for key, value in before.items()
        if value and key.lower() not in kept | TECHNICAL and not key.startswith("_")
    )
    if len(gone) == 1:
        yield f"the tag {gone[0]} is left out: {suffix} has no place for it"
    elif gone:
        yield f"the tags {', '.join(gone)} are left out: {suffix} has no place for them"


def _picture_file(source: SourceInfo) -> str | None:
    for stream in source.streams:
        if stream.type == "video":
            return str(stream.container.name)
    return None


def _looks(name: str | None) -> dict[str, object]:
    """How the first picture is to be shown; nothing without one."""
    if name is None:
        return {}
    with av.open(name) as media, contextlib.suppress(av.error.FFmpegError, OSError):
        moving = (s for s in media.streams.video if not s.disposition & Disposition.attached_pic)
        video: Any = next(moving, None)
        if video is None:
            return {}
        video.codec_context.thread_count = 1
        frame: Any = next(media.decode(video), None)
        if frame is None:
            return {}
        kinds = {str(data.type) for data in frame.side_data}
        context = video.codec_context
        aspect = video.sample_aspect_ratio or context.sample_aspect_ratio
        return {
            "rotation": frame.rotation,
            "aspect ratio": aspect if aspect and aspect != 1 else None,
            "colour description": tuple(
                None if value == 2 else value  # unspecified
                for value in (context.color_primaries, context.color_trc, context.colorspace)
            ),
            "HDR metadata": kinds & {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"},
            "Dolby Vision metadata": kinds & {"DOVI_METADATA", "DOVI_RPU_BUFFER"},
            "stereo (3D) description": kinds & {"STEREO3D"},
            "spherical description": kinds & {"SPHERICAL"},
        }
    return {}
