"""The mix on the viewer's side: the bed's level around each dub, and the dub on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import annotated_types as at
import numpy as np

from stream.frames import Samples
from stream.timeline import Interval, ticks

Bed = Literal["duck", "lift", "mute", "keep"]
"""The original under the dub: quieter, without its speech (quieter where that cannot be told),
silent except where a dub failed, or as it was."""


@dataclass(frozen=True, slots=True)
class MixOptions:
    """Levels in dB, times in seconds."""

    __pydantic_config__ = {"extra": "forbid"}

    bed: Bed = "duck"
    duck: Annotated[float, at.Ge(-60), at.Le(0)] = -18.0
    lift: Annotated[float, at.Ge(-60), at.Le(0)] = -3.0
    attack: Annotated[float, at.Ge(0.005), at.Le(1)] = 0.05
    release: Annotated[float, at.Ge(0.005), at.Le(3)] = 0.3
    hold: Annotated[float, at.Ge(0), at.Le(3)] = 0.2
    ceiling: Annotated[float, at.Ge(-12), at.Le(0)] = -1.0


class Ducker:
    """The bed's gain over media time.

    ``duck`` and ``lift`` lower the gain over the intervals of dubs; ``mute`` keeps it at zero and
    opens it over the intervals that fall back to the original; ``keep`` leaves it alone. Ramps are
    linear, so that any division into frames gives the same gain.
    """

    def __init__(self, options: MixOptions) -> None:
        self._ducks = options.bed in ("duck", "lift")
        self._mutes = options.bed == "mute"
        self._rest = 0.0 if self._mutes else 1.0
        self._other = 1.0 if self._mutes else 10 ** (options.duck / 20)
        self._attack = ticks(options.attack)
        self._hold = ticks(options.hold)
        self._release = ticks(options.release)
        self._ramps: dict[int, tuple[int, int, int, int]] = {}

    def dubbed(self, id_: int, interval: Interval, now: int) -> None:
        """A dub plays over ``interval``; a ramp that would have begun before ``now`` begins now."""
        if self._ducks:
            self._add(id_, interval, now)
        elif self._mutes:
            self.ended(id_, now)

    def fell_back(self, id_: int, interval: Interval, now: int) -> None:
        """The original is to be heard over ``interval``; saying it again changes nothing."""
        if self._mutes and id_ not in self._ramps:
            self._add(id_, interval, now)

    def ended(self, id_: int, time: int, *, at_once: bool = False) -> None:
        """What was announced for ``id_`` is over by ``time`` already."""
        if id_ in self._ramps:
            down, flat, up, _ = self._ramps[id_]
            up = max(flat, min(up, time if at_once else time + self._hold))
            self._ramps[id_] = (down, flat, up, up + self._release)

    def gain(self, start: int, length: int) -> Samples | float:
        """Gain for ``length`` ticks from ``start``: shape ``(length, 1)``, or one number."""
        return self._rest + self.depth(start, length) * (self._other - self._rest)

    def depth(self, start: int, length: int) -> Samples | float:
        """How far it has gone from rest, 0 to 1, likewise."""
        over = [id_ for id_, ramp in self._ramps.items() if ramp[3] <= start]
        for id_ in over:
            del self._ramps[id_]
        if all(ramp[0] >= start + length for ramp in self._ramps.values()):
            return 0.0
        time = np.arange(start, start + length)
        depth = np.zeros(length)
        for ramp in self._ramps.values():
            if ramp[0] >= start + length:
                continue
            depth = np.maximum(depth, np.interp(time, ramp, (0.0, 1.0, 1.0, 0.0)))
        return depth.astype(np.float32)[:, None]

    def _add(self, id_: int, interval: Interval, now: int) -> None:
        down = max(interval.start - self._attack, now)
        flat = down + self._attack
        up = max(interval.end + self._hold, flat)
        self._ramps[id_] = (down, flat, up, up + self._release)


class Lift:
    """The bed without its speech; where that is not known, ducked. From one to the other it fades.

    What is left of the speech is about 16 dB lower than it was, over music or a crowd that is 12 dB
    below it, and 30 dB where nothing else is to be heard.

    Args:
        options: ``lift`` is the gain of the rest.
    """

    def __init__(self, options: MixOptions) -> None:
        self.fade = ticks(options.attack)
        """Ticks from one to the other: speech has to be known so far ahead."""
        self._ducked = 10 ** (options.duck / 20)
        self._lifted = 10 ** (options.lift / 20)
        self._share = 0.0

    def under(self, bed: Samples, depth: Samples | float, speech: Samples | None) -> Samples:
        """The bed of a frame.

        Args:
            bed: shape ``(n, channels)``.
            depth: how far it gives way, 0 to 1; one number, or shape ``(n, 1)``.
            speech: the part of it that is speech, and what follows for at least ``fade`` ticks;
                shorter where that ends, and ``None`` where it is not known.
        """
        n = len(bed)
        if speech is not None:
            speech, known = speech[:n], len(speech) >= n + self.fade
        else:
            known = False
        steps = np.arange(1, n + 1) / self.fade
        turned = np.clip(self._share + (steps if known else -steps), 0, 1)
        share: Samples = turned.astype(np.float32)[:, None]
        self._share = float(share[-1, 0]) if n else self._share
        if not np.any(depth):
            return bed.copy()
        gain = 1 + depth * (self._ducked + share * (self._lifted - self._ducked) - 1)
        under = bed * gain
        if speech is not None:
            under[: len(speech)] -= speech * (depth * share * self._lifted)[: len(speech)]
        return under.astype(np.float32, copy=False)


def add_dub(bed: Samples, dub: Samples, centre: int | None) -> Samples:
    """Lay a mono dub over the bed.

    Args:
        bed: shape ``(n, channels)``.
        dub: shape ``(n,)``.
        centre: index of the centre channel, which carries dialogue where there is one; else
            the dub goes to the front pair, or to the only channel.
    """
    mixed = bed.copy()
    if centre is not None:
        mixed[:, centre] += dub
    else:
        mixed[:, :2] += dub[:, None]
    return mixed
