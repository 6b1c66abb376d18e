"""Playlists of HTTP Live Streaming (RFC 8216) as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

VERSION = 7


@dataclass(frozen=True, slots=True)
class Segment:
    """One entry of a media playlist.

    Attributes:
        name: of its file.
        duration: seconds.
        init: file that a player needs before it; empty for subtitles.
        discontinuity: whether the coding changes here.
        date: Unix time of its start, ``None`` to leave it out.
    """

    name: str
    duration: float
    init: str = ""
    discontinuity: bool = False
    date: float | None = None


@dataclass(frozen=True, slots=True)
class Rendition:
    """A sound track or a language of subtitles, to choose from."""

    kind: str
    name: str
    language: str
    playlist: str
    default: bool = False
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """The stream that the renditions go with.

    Attributes:
        playlist: of the picture, or of the default sound where there is no picture.
        codecs: as RFC 6381 writes them.
        peak: bit/s of the largest segments of all that plays at once.
        average: bit/s.
        size: width and height of the picture, pixels.
    """

    playlist: str
    codecs: tuple[str, ...]
    peak: int
    average: int
    size: tuple[int, int] | None = None


def media_playlist(
    segments: Iterable[Segment],
    *,
    target: int,
    first: int,
    discontinuities: int = 0,
    independent: bool = False,
    ended: bool = False,
) -> str:
    """A media playlist.

    Args:
        segments: the window.
        target: seconds; never changes, and no segment is longer when rounded.
        first: number of the first segment.
        discontinuities: how many have left the window.
        independent: whether each segment can be decoded without the ones before it.
        ended: whether no segment will follow.
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
    ]
    if discontinuities:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}")
    if independent:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    init = ""
    for segment in segments:
        if segment.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.init != init:
            lines.append(f'#EXT-X-MAP:URI="{segment.init}"')
            init = segment.init
        if segment.date is not None:
            date = datetime.fromtimestamp(segment.date, UTC).isoformat(timespec="milliseconds")
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{date}")
        lines += [f"#EXTINF:{segment.duration:.6f},", segment.name]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def master_playlist(
    variants: Iterable[Variant],
    renditions: Iterable[Rendition],
    data: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The playlist that players open.

    Args:
        variants: the one to begin with first; all renditions go with each.
        renditions: the first of a kind, or the one marked as default, is what players choose.
        data: about the session, by reversed domain name (RFC 8216, 4.3.4.4).
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}"]
    for name, value in data.items():
        lines.append(f'#EXT-X-SESSION-DATA:DATA-ID="{name}",VALUE="{_quotable(value)}"')
    groups: dict[str, None] = {}
    for rendition in renditions:
        groups[rendition.kind] = None
        lines.append("#EXT-X-MEDIA:" + ",".join(_attributes(rendition)))
    for variant in variants:
        lines += ["#EXT-X-STREAM-INF:" + ",".join(_stream(variant, groups)), variant.playlist]
    return "\n".join(lines) + "\n"


def below(playlist: str, folder: str) -> str:
    """A playlist whose relative addresses lead into a folder, given with a slash at its end."""
    return re.sub(r'^(?=[^#\s])|(?<=URI=")', folder, playlist, flags=re.MULTILINE)


def target_duration(seconds: float) -> int:
    """What a playlist must state so that a segment of this length may be in it."""
    return max(1, math.floor(seconds + 0.5))


def _stream(variant: Variant, kinds: Iterable[str]) -> list[str]:
    attributes = [
        f"BANDWIDTH={variant.peak}",
        f"AVERAGE-BANDWIDTH={variant.average}",
        f'CODECS="{",".join(variant.codecs)}"',
    ]
    if variant.size is not None:
        attributes.append(f"RESOLUTION={variant.size[0]}x{variant.size[1]}")
    return [*attributes, *(f'{kind}="{kind.lower()}"' for kind in kinds)]


def _attributes(rendition: Rendition) -> list[str]:
    yes = {True: "YES", False: "NO"}
    attributes = [
        f"TYPE={rendition.kind}",
        f'GROUP-ID="{rendition.kind.lower()}"',
        f'NAME="{_quotable(rendition.name)}"',
        f'LANGUAGE="{_quotable(rendition.language)}"',
        f"DEFAULT={yes[rendition.default]}",
        "AUTOSELECT=YES",
    ]
    if rendition.channels is not None:
        attributes.append(f'CHANNELS="{rendition.channels}"')
    if rendition.kind == "SUBTITLES":
        attributes.append("FORCED=NO")
    return [*attributes, f'URI="{rendition.playlist}"']


def _quotable(text: str) -> str:
    """Text that may stand in a quoted string, which has no way to escape anything."""
    return "".join("'" if c == '"' else c for c in text if c.isprintable())
