"""The master playlist of HTTP Live Streaming (RFC 8216) as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

VERSION = 7
"""Of the protocol that players must know."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """A sound track or a language of subtitles, to choose from.

    Attributes:
        kind: ``AUDIO`` or ``SUBTITLES``.
        name: that viewers see.
        language: ISO 639-1 code.
        playlist: of its segments.
        default: whether it is played unless another is chosen.
        channels: of sound.
        characteristics: what it is, as uniform type identifiers (RFC 8216bis, 4.4.6.1).
    """

    kind: str
    name: str
    language: str
    playlist: str
    default: bool = False
    channels: int | None = None
    characteristics: tuple[str, ...] = ()


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
        attributes.append("FORCED=NO")  # everything that is said, not only what none may miss
    if rendition.characteristics:
        attributes.append(f'CHARACTERISTICS="{",".join(rendition.characteristics)}"')
    return [*attributes, f'URI="{rendition.playlist}"']


def _quotable(text: str) -> str:
    """Text that may stand in a quoted string, which has no way to escape anything."""
    return "".join("'" if c == '"' else c for c in text if c.isprintable())
