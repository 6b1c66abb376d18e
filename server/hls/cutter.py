"""Where the segments of a live stream end: at keyframes, but in any case in time.

Players of HLS rely on segments that are no longer than was announced, and stop when picture or
sound has a hole. So a segment ends with the first keyframe after its intended length; without
one it ends at any picture; and when no picture arrives, the newest keyframe is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from server.hls.playlist import target_duration
from stream.frames import PictureFormat, PicturePacket
from stream.timeline import TICK_RATE, Interval, seconds

LONGEST = 6 * TICK_RATE
"""How long the first segment waits for a second keyframe; it tells how long others may be."""

PATIENCE = TICK_RATE
"""How far sound may be ahead before the picture counts as stalled."""

SHORTEST = TICK_RATE // 20
"""Shorter segments might hold no packet of sound."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A finished segment.

    Attributes:
        time: media interval; the next segment starts at its end.
        pictures: in decoding order, ``None`` while there is no picture at all.
        places: media times at which they are shown, as if that were in decoding order.
        until: decoding time of the picture that follows, ticks.
        key: whether it begins with a keyframe.
        discontinuity: whether its pictures are coded differently from those before.
    """

    time: Interval
    pictures: tuple[PicturePacket, ...] | None
    places: tuple[int, ...]
    until: int
    key: bool
    discontinuity: bool


@dataclass(frozen=True, slots=True)
class Growing:
    """What the segment that is next is certain to hold.

    Attributes:
        start: media time, ticks.
        pictures: in decoding order.
        places: media times at which they are shown one after the other, the first at ``start``.
        until: media time before which it does not end.
        discontinuity: see ``Cut``.
    """

    start: int
    pictures: tuple[PicturePacket, ...]
    places: tuple[int, ...]
    until: int
    discontinuity: bool


class Cutter:
    """Takes pictures and the clock of the sound, gives finished segments.

    Args:
        segment: intended length, ticks.
    """

    def __init__(self, segment: int) -> None:
        self._segment = segment
        self._pictures: list[PicturePacket] = []
        self._codings: dict[int, PictureFormat] = {}  # by decoding time, of the keyframes held
        self._coding: PictureFormat | None = None
        self._key: PicturePacket | None = None  # the newest that began or was in a segment
        self._reorder = 0  # from decoding to showing, of the newest keyframe
        self._wait_for_key = True
        self._origin: int | None = None
        self._clock = 0
        self._ended = False
        self.start: int | None = None
        """Media time at which the current segment starts, ``None`` until something can."""
        self.target: int | None = None
        """Seconds that no segment exceeds when rounded, ``None`` before the first one."""

    def add(self, picture: PicturePacket) -> None:
        """Take the next picture; those that cannot be decoded are left out."""
        if picture.key:
            self._wait_for_key = self.start is not None and picture.shown < self.start
        if not self._wait_for_key:
            if picture.key:
                self._codings[picture.time] = picture.format
                self._reorder = picture.shown - picture.time
            self._pictures.append(picture)

    def advance(self, clock: int) -> None:
        """Say that all sound before ``clock`` is there."""
        if self._origin is None:
            self._origin = clock
        self._clock = max(self._clock, clock)
        if self.start is None:
            if self._pictures:
                # Sound before the first picture is left out: all tracks begin together.
                self.start = max(0, self._pictures[0].shown)
            elif clock >= self._origin + self._segment or self._ended:
                self.start = self._origin

    def finish(self, clock: int) -> None:
        """Say that nothing follows after ``clock``."""
        self._ended = True
        self.advance(clock)

    def growing(self) -> Growing | None:
        """The next segment as far as it has come, once ``next`` has no more."""
        if self.start is None:
            return None
        if self._coding is None and not self._pictures:
            until = min(self._clock, self.start + self._segment)
            return Growing(self.start, (), (), until, discontinuity=False)
        found = self._key_ahead()
        held = self._pictures[:found]
        held = [one for one in held if self._shown(one) <= self._latest]
        if not held:
            return Growing(self.start, (), (), self.start, discontinuity=False)
        coding = self._codings.get(held[0].time, self._coding)
        held[0] = self._opening(held[0])
        places = tuple(map(self._shown, held))
        changed = self._coding is not None and coding != self._coding
        return Growing(self.start, tuple(held), places, places[-1], changed)

    def next(self) -> Cut | None:
        """The next segment, if it is finished."""
        if self.start is None:
            return None
        latest = self._latest
        found = self._key_ahead()
        if found is not None and self._fits(self._pictures[found].shown):
            end = self._pictures[found].shown
            return self._cut(end, found) if self._clock >= end or self._ended else None
        if self._ended and self._fits(self._clock):
            if self._clock - self.start < SHORTEST:
                return None
            return self._cut(self._clock, len(self._pictures))
        later = [at for at, one in enumerate(self._pictures) if self._shown(one) > self.start]
        reached = bool(later) and self._shown(self._pictures[-1]) >= self.start + self._segment
        if found is None and reached and self._clock < latest + PATIENCE // 2 and not self._ended:
            return None
        if reached:
            within = [at for at in later if at > 0 and self._shown(self._pictures[at]) <= latest]
            if within and self._shown(self._pictures[within[-1]]) - self.start >= SHORTEST:
                return self._cut(self._shown(self._pictures[within[-1]]), within[-1])
        end = self.start + self._segment
        late = PATIENCE if self._coding or self._pictures else 0
        if self._clock < end + late and not self._ended:
            return None
        shown = [at for at, one in enumerate(self._pictures) if self._shown(one) < end]
        return self._cut(end, len(shown))

    @property
    def _latest(self) -> int:
        """When the next segment ends at the latest, if a picture allows it."""
        assert self.start is not None
        return self.start + (LONGEST if self.target is None else self.target * TICK_RATE)

    def _opening(self, picture: PicturePacket) -> PicturePacket:
        """The first picture of a segment, shown from its start."""
        assert self.start is not None
        if self._shown(picture) == self.start:
            return picture
        return replace(picture, time=self.start - self._reorder, shown=self.start)

    def _key_ahead(self) -> int | None:
        """Index of the keyframe at which the segment should end."""
        assert self.start is not None
        at = 0
        while at < len(self._pictures):
            one = self._pictures[at]
            if one.key and (at > 0 or one.shown > self.start):
                if one.shown - self.start < SHORTEST:
                    # Too close to the start for a segment of its own: it becomes the start.
                    del self._pictures[:at]
                    at = 1
                    continue
                first = self._pictures[0]
                began = self._codings.get(first.time, self._coding) if at else None
                due = one.shown >= self.start + self._segment - self._segment // 10
                if due or at == 0 or self._codings[one.time] != began:
                    return at
            at += 1
        return None

    def _fits(self, end: int) -> bool:
        assert self.start is not None
        length = end - self.start
        if self.target is None:
            return length <= LONGEST
        return target_duration(seconds(length)) <= self.target

    def _shown(self, picture: PicturePacket) -> int:
        """When a picture is shown, as if pictures were shown in the order of decoding."""
        return picture.shown if picture.key else picture.time + self._reorder

    def _cut(self, end: int, count: int) -> Cut:
        assert self.start is not None
        time = Interval(self.start, end)
        pictures, self._pictures = self._pictures[:count], self._pictures[count:]
        until = 0
        before = self._coding
        for one in pictures:
            if one.key:
                self._key = one
                self._coding = self._codings.pop(one.time)
        if not pictures and self._key is not None:
            # Pictures that refer to others before the repeated one could not be decoded.
            pictures = [self._key]
            while self._pictures and not self._pictures[0].key:
                self._pictures.pop(0)
            self._wait_for_key = not self._pictures
        if pictures:
            pictures[0] = self._opening(pictures[0])
            following = self._pictures[0] if self._pictures else None
            follows = following is not None and self._shown(following) == end
            until = following.time if following is not None and follows else end - self._reorder
            until = max(pictures[-1].time + 1, until)
            if not follows or (following is not None and following.key):
                until = max(until, _stretched(pictures, until, end))
        self.start = end
        if self.target is None:
            intended = target_duration(seconds(self._segment))
            self.target = max(intended, target_duration(seconds(time.duration)))
        return Cut(
            time,
            tuple(pictures) or None,
            tuple(map(self._shown, pictures)),
            until,
            key=bool(pictures) and pictures[0].key,
            discontinuity=before is not None and self._coding != before,
        )


def _stretched(pictures: list[PicturePacket], until: int, end: int) -> int:
    """``until``, or later if players would see a hole before ``end``.

    A player holds each picture from when it is shown for as long as it is the newest decoded,
    and the last one decoded need not be the last one shown.
    """
    times = [*(one.time for one in pictures[1:]), until]
    held = [one.shown + after - one.time for one, after in zip(pictures, times, strict=True)]
    return until if max(held) >= end else pictures[-1].time + end - pictures[-1].shown
