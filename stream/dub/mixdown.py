"""The mix of one lane: the bed's level around each dub, the dub on top, and the limiter."""

from __future__ import annotations

import numpy as np

from stream.frames import Samples
from stream.sound.limiter import Limiter
from stream.sound.mix import Ducker, Lift, MixOptions, add_dub
from stream.timeline import TICK_RATE, Interval, ticks

LONGEST_LEAD = ticks(0.05)
"""A dub may begin this long before its slot, with sound too quiet to be noticed."""


FADE = ticks(0.05)
"""How long a dub takes to go off the air, or to come back."""


class Fader:
    """How much of a dub is on air, faded where that changes.

    Attributes:
        on: whether the dub is on air; where it is not, the original is, at its full level.
    """

    def __init__(self) -> None:
        self.on = True
        self._level = 1.0

    @property
    def open(self) -> bool:
        """Whether all of the dub is on air, and stays so."""
        return self.on and self._level == 1.0

    def gain(self, length: int) -> Samples:
        """Of the dub for the next ``length`` samples, shape ``(length,)``, 0 to 1."""
        step = (1 if self.on else -1) / FADE
        ramp = self._level + step * np.arange(1, length + 1, dtype=np.float32)
        gain: Samples = np.clip(ramp, 0.0, 1.0)
        self._level = float(gain[-1])
        return gain


class Mixdown:
    """Mixes frame by frame; the mix is behind by the limiter's latency.

    Args:
        channels: of the source's sound.
        centre: index of its centre channel, if it has one.
        options: levels.
    """

    def __init__(self, channels: int, centre: int | None, options: MixOptions) -> None:
        self._channels = channels
        self._centre = centre
        self._ducker = Ducker(options)
        self._lift = Lift(options) if options.bed == "lift" else None
        self.fader = Fader()
        self._limiter = Limiter(channels, ceiling_db=options.ceiling)
        self._priming = self._limiter.latency
        self.lead = ticks(options.attack) + LONGEST_LEAD
        """Ticks before a dub's slot at which the bed may begin to give way."""

    def make_way(self, id_: int, slot: Interval, dub: Interval, now: int) -> None:
        """The bed gives way to a dub and to its slot, from ``now`` on at the earliest."""
        covered = Interval(min(dub.start, slot.start), _covered_until(slot, dub))
        self._ducker.dubbed(id_, covered, now)

    def fall_back(self, id_: int, slot: Interval, now: int) -> None:
        """The original is heard over a slot."""
        self._ducker.fell_back(id_, slot, now)

    def release(self, id_: int, slot: Interval, dub: Interval, now: int, *, at_once: bool) -> None:
        """A dub is complete and ends with ``dub``; the original comes back after its slot.

        Args:
            id_: the utterance's.
            slot: the utterance's.
            dub: where it is heard after all.
            now: playout position.
            at_once: whether the original comes back when the dub ends, since it broke off.
        """
        end = dub.end if at_once else _covered_until(slot, dub)
        self._ducker.ended(id_, max(end, now), at_once=at_once)

    @property
    def lookahead(self) -> int | None:
        """Ticks by which the bed's speech is wanted before it is played; ``None`` if it is not."""
        return None if self._lift is None else self._lift.fade

    def mix(
        self,
        start: int,
        bed: Samples,
        dub: Samples,
        speech: Samples | None = None,
        gain: Samples | None = None,
    ) -> Samples:
        """The mix of a frame that starts at ``start`` ticks.

        Args:
            start: ticks.
            bed: the source's own sound, shape ``(n, channels)``.
            dub: shape ``(n,)``.
            speech: the part of the bed that is speech, as far as ``lookahead`` beyond it, where
                that is known.
            gain: how much of the dub is on air, shape ``(n,)``; all where it is ``None``.

        Returns:
            Shape ``(n, channels)``; the first frames are shorter by the limiter's latency.
        """
        if self._lift is None:
            audible = bed * self._ducker.gain(start, len(bed))
        else:
            audible = self._lift.under(bed, self._ducker.depth(start, len(bed)), speech)
        if dub.any():
            audible = add_dub(audible, dub, self._centre)
        if gain is not None:
            audible = bed + gain[:, None] * (audible - bed)
        out = self._limiter.process(audible)
        priming = min(self._priming, len(bed))
        self._priming -= priming
        return out[priming:]

    def flush(self) -> Samples:
        """What the limiter still holds, shape ``(n, channels)``."""
        return self._limiter.flush()[self._priming :]

    def silence(self) -> Samples:
        """No sound at all, shape ``(0, channels)``."""
        return np.zeros((0, self._channels), np.float32)


def _covered_until(slot: Interval, dub: Interval) -> int:
    """Media time until which the original gives way: a short dub leaves it a second at most."""
    return max(dub.end, min(slot.end, dub.end + TICK_RATE))
