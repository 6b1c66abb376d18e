"""Media playlists of HTTP Live Streaming (RFC 8216), with low latency (RFC 8216bis), as text.

Players that know nothing of parts read past their tags and find whole segments, as ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from server.hls.master import VERSION

SKIPPING_VERSION = 9
"""Of the protocol that players must know who ask for delta updates."""

PART_S = 0.5
"""The part target duration, seconds: no part is longer."""

HELD_PARTS = 3
"""Part target durations by which a player should stay behind the end (``PART-HOLD-BACK``)."""

PARTED_TARGETS = 3
"""Target durations from the end of a playlist within which the parts of segments are listed."""

SKIPPABLE_TARGETS = 6
"""Target durations from the end behind which a delta update may leave segments out."""

AHEAD_SEGMENTS, AHEAD_PARTS = 2, round(3 / PART_S)
"""How far behind the end is what a player may wait for (8216bis, 6.2.5.2)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a segment.

    Attributes:
        name: of its file.
        duration: seconds.
        independent: whether it can be decoded without the ones before it.
    """

    name: str
    duration: float
    independent: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """One entry of a media playlist.

    Attributes:
        name: of its file; empty while it grows.
        duration: seconds, of what is there.
        init: file that a player needs before it; empty for subtitles.
        discontinuity: whether the coding changes here.
        date: Unix time of its start, ``None`` to leave it out.
        parts: that it consists of, if it was cut into any.
    """

    name: str
    duration: float
    init: str = ""
    discontinuity: bool = False
    date: float | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How far another rendition is: what its playlist says of its last part."""

    playlist: str
    msn: int
    part: int | None


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """What one rendition's playlist says at one moment.

    Attributes:
        segments: the window.
        target: seconds; never changes, and no segment is longer when rounded.
        first: number of the first segment.
        discontinuities: how many have left the window.
        independent: whether each segment can be decoded without the ones before it.
        ended: whether no segment will follow.
        growing: the segment that is being made, if it has any part yet.
        hint: name of the part that comes next, if one does.
    """

    segments: tuple[Segment, ...]
    target: int
    first: int
    discontinuities: int = 0
    independent: bool = False
    ended: bool = False
    growing: Segment | None = None
    hint: str = ""

    @property
    def last(self) -> int:
        """Number of the last whole segment."""
        return self.first + len(self.segments) - 1

    def report(self, name: str) -> Report:
        """What others say of it, under the name of its file."""
        if self.growing is not None:
            return Report(name, self.last + 1, len(self.growing.parts) - 1)
        parts = self.segments[-1].parts if self.segments else ()
        return Report(name, self.last, len(parts) - 1 if parts else None)

    def holds(self, msn: int, part: int | None) -> bool:
        """Whether segment ``msn`` is there, or part ``part`` of it, or anything later."""
        if self.ended:
            return True
        if part is not None and self.first <= msn <= self.last:
            parts = self.segments[msn - self.first].parts
            if parts and part >= len(parts):
                msn, part = msn + 1, 0  # there is none of that number: it is the next one
        if msn <= self.last:
            return True
        grown = len(self.growing.parts) if self.growing is not None else 0
        return msn == self.last + 1 and part is not None and part < grown

    def ahead(self, msn: int, part: int | None) -> bool:
        """Whether that is too far ahead to be waited for."""
        if self.ended:
            return False
        grown = len(self.growing.parts) if self.growing is not None else 0
        beyond = 0 if part is None or msn <= self.last else part - (grown - 1)
        return msn > self.last + AHEAD_SEGMENTS or beyond > AHEAD_PARTS

    def text(
        self, *, live: bool = False, skip: bool = False, reports: Iterable[Report] = ()
    ) -> str:
        """The playlist.

        Args:
            live: whether who hands it out lets players wait for what comes next.
            skip: whether to leave out what is old, where ``live``.
            reports: how far the other renditions are.
        """
        live = live and not self.ended
        skipped = self._skippable() if live and skip else 0
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{SKIPPING_VERSION if skipped else VERSION}",
            f"#EXT-X-TARGETDURATION:{self.target}",
        ]
        if live:
            lines += self._control()
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{self.first}")
        if self.discontinuities:
            lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuities}")
        if self.independent:
            lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
        if skipped:
            lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        lines += self._entries(skipped, live=live)
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        if live:
            if self.hint and self.parted:
                lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{self.hint}"')
            lines += map(_report, reports)
        return "\n".join(lines) + "\n"

    @property
    def parted(self) -> bool:
        """Whether any part is listed; players hold back by parts only where there are some."""
        return self.growing is not None or any(self._listed(at) for at in range(len(self.segments)))

    def _control(self) -> Iterator[str]:
        control = [
            "CAN-BLOCK-RELOAD=YES",
            f"CAN-SKIP-UNTIL={SKIPPABLE_TARGETS * self.target:.1f}",
            f"HOLD-BACK={3 * self.target:.1f}",
        ]
        if self.parted:
            control.append(f"PART-HOLD-BACK={HELD_PARTS * PART_S:.1f}")
        yield "#EXT-X-SERVER-CONTROL:" + ",".join(control)
        if self.parted:
            yield f"#EXT-X-PART-INF:PART-TARGET={PART_S}"

    def _behind(self, at: int) -> float:
        """Seconds from the end of a segment to that of the playlist."""
        later = sum(one.duration for one in self.segments[at + 1 :])
        return later + (self.growing.duration if self.growing is not None else 0.0)

    def _listed(self, at: int) -> tuple[Part, ...]:
        near = self._behind(at) < PARTED_TARGETS * self.target
        return self.segments[at].parts if near else ()

    def _skippable(self) -> int:
        far = SKIPPABLE_TARGETS * self.target
        return sum(self._behind(at) > far for at in range(len(self.segments)))

    def _entries(self, skipped: int, *, live: bool) -> Iterator[str]:
        init = ""
        for at, segment in enumerate(self.segments[skipped:], skipped):
            yield from _before(segment, init)
            init = segment.init
            if live:
                yield from map(_part, self._listed(at))
            yield f"#EXTINF:{segment.duration:.6f},"
            yield segment.name
        if live and self.growing is not None:
            yield from _before(self.growing, init)
            yield from map(_part, self.growing.parts)


def target_duration(seconds: float) -> int:
    """What a playlist must state so that a segment of this length may be in it."""
    return max(1, math.floor(seconds + 0.5))


def _before(segment: Segment, init: str) -> Iterator[str]:
    if segment.discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.init != init:
        yield f'#EXT-X-MAP:URI="{segment.init}"'
    if segment.date is not None:
        date = datetime.fromtimestamp(segment.date, UTC).isoformat(timespec="milliseconds")
        yield f"#EXT-X-PROGRAM-DATE-TIME:{date}"


def _part(part: Part) -> str:
    independent = ",INDEPENDENT=YES" if part.independent else ""
    return f'#EXT-X-PART:DURATION={part.duration:.6f},URI="{part.name}"{independent}'


def _report(report: Report) -> str:
    part = f",LAST-PART={report.part}" if report.part is not None else ""
    return f'#EXT-X-RENDITION-REPORT:URI="{report.playlist}",LAST-MSN={report.msn}{part}'
