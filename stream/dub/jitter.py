"""The jitter buffer: dubs in by media time, continuous frames out on the playout clock.

Pure and clock-free: the caller says which stretch of media time it wants. A dub starts at
its planned time or, if its first samples come later, at once; two dubs never overlap, and a
gap in one never holds back what can be played.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from stream.frames import Samples
from stream.timeline import Interval


@dataclass(slots=True)
class _Dub:
    id: int
    start: int
    pieces: deque[Samples] = field(default_factory=deque)
    complete: bool = False
    first_played: int | None = None
    last_played: int = 0
    starved: int = 0

    @property
    def reach(self) -> int:
        """Where what is there of it ends, if it is played without a gap, ticks."""
        return max(self.start, self.last_played) + sum(map(len, self.pieces))


@dataclass(frozen=True, slots=True)
class Played:
    """A dub that has been played to its end, or to that of the media.

    Attributes:
        id: the utterance's.
        interval: media interval from its first to its last sample, ticks.
        starved: ticks of silence inside it because the next piece had not come.
    """

    id: int
    interval: Interval
    starved: int


class JitterBuffer:
    """Holds dubs, mono at 48 kHz, until their time comes.

    Args:
        on_played: called when a dub has ended.
    """

    def __init__(self, on_played: Callable[[Played], object]) -> None:
        self._dubs: deque[_Dub] = deque()
        self._on_played = on_played
        self._over = False
        self.position = 0

    def add(self, id_: int, start: int) -> None:
        """Announce a dub that is to start at ``start`` ticks; starts must not go back."""
        if self._dubs and start < self._dubs[-1].start:
            raise ValueError("dubs are announced in the order in which they are played")
        self._dubs.append(_Dub(id_, start))

    def append(self, id_: int, samples: Samples) -> None:
        """Add the next piece of a dub, shape ``(n,)``."""
        dub = self._find(id_)
        if len(samples):
            dub.pieces.append(samples)

    def replace(self, id_: int, start: int, samples: Samples) -> bool:
        """Play ``samples``, all of a dub, from ``start`` on in the place of the newest dub.

        Returns:
            ``False``, with nothing changed, if any of it was played or something was added since.
        """
        dub = self._dubs[-1] if self._dubs else None
        if dub is None or dub.id != id_ or not dub.complete or dub.start < self.position:
            return False
        dub.start = max(start, self._dubs[-2].start if len(self._dubs) > 1 else start)
        dub.pieces = deque([samples])
        return True

    def finish(self, id_: int) -> None:
        """Say that no more pieces will come."""
        dub = self._find(id_)
        dub.complete = True
        self._retire()

    def end(self) -> None:
        """Nothing more is played: a dub that is being heard ends here."""
        self._over = True
        self._retire()

    @property
    def waiting(self) -> bool:
        """Whether any dub is still to be played."""
        return bool(self._dubs)

    def incomplete_before(self, time: int) -> bool:
        """Whether a dub still lacks pieces and those that are there end before ``time``."""
        return any(not dub.complete and dub.reach < time for dub in self._dubs)

    def pull(self, length: int) -> Samples:
        """The next ``length`` ticks of dub, silence where there is none, shape ``(length,)``."""
        out = np.zeros(length, np.float32)
        frame_start, frame_end = self.position, self.position + length
        at = frame_start
        while self._dubs and at < frame_end:
            dub = self._dubs[0]
            at = max(at, dub.start)
            if at >= frame_end:
                break
            if not dub.pieces:
                if dub.complete:
                    self._retire()
                    continue
                if dub.first_played is not None:
                    dub.starved += frame_end - at
                break
            piece = dub.pieces.popleft()
            taken = min(len(piece), frame_end - at)
            out[at - frame_start : at - frame_start + taken] = piece[:taken]
            if dub.first_played is None:
                dub.first_played = at
            at += taken
            dub.last_played = at
            if taken < len(piece):
                dub.pieces.appendleft(piece[taken:])
        self.position = frame_end
        self._retire()
        return out

    def _find(self, id_: int) -> _Dub:
        for dub in self._dubs:
            if dub.id == id_:
                return dub
        raise KeyError(f"no dub {id_} in the buffer")

    def _retire(self) -> None:
        while self._dubs and self._dubs[0].complete:
            dub = self._dubs[0]
            if dub.pieces and not (self._over and dub.first_played is not None):
                return
            self._dubs.popleft()
            start = dub.start if dub.first_played is None else dub.first_played
            end = max(dub.last_played, start)
            self._on_played(Played(dub.id, Interval(start, end), dub.starved))
