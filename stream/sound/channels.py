"""Mono speech out of a source's channels, chosen by what each of them carries."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from stream.frames import AudioChunk, Samples
from stream.timeline import TICK_RATE

log = logging.getLogger(__name__)

BLOCK = TICK_RATE // 50
"""Ticks (20 ms) for which the choice stays."""

MEMORY_S = 3.0
"""Seconds over which levels are averaged."""

LONG_MEMORY_S = 15.0
"""The same for what only several sentences can tell."""

FLOOR_DB = -70.0

FLOOR = 10 ** (FLOOR_DB / 10)
"""Power below which a channel is silent."""

STEADY_DB = 2.0
"""Standard deviation of the level below which sound is timecode, a tone or noise."""

LIVELY_DB = 4.0
"""The same from which it may be speech."""

CANCELLED = 1 / 6
"""Power of the mean, as a share of the louder channel's, below which they cancel each other out;
where one is silent it is 1/4."""

AUDIBLE = 1 / 100
"""Power of noise, as a share of the speech on the other channel, from which it matters."""

RISE_DB = 6.0
"""Above its mean, a level that is no longer steady."""

UNRELATED = 0.2
"""Correlation of two channels' waveforms below which they have nothing in common."""

INDEPENDENT = 0.4
"""Correlation of their levels above which they hear the same, though not at the same instant."""

TOGETHER = 0.4
"""Share of one's speech that falls into the other's, below which they take turns."""

SPOKEN = 0.15
"""Share of the time that a channel must be active to count as somebody's."""

ACTIVE = 1 / 10
"""Power, as a share of its mean, from which a channel is active."""

BACKGROUND = 1 / 300
"""Power, as a share of the louder channel's mean, that is noise and no speech."""


class Finding(StrEnum):
    """What was found about a pair of channels, as the user is told; nothing of a silent one."""

    DEAD = ""
    CANCEL = "the two channels cancel each other out: speech is taken from {one}"
    STEADY = "{other} carries timecode or noise and no speech: speech is taken from {one}"
    APART = (
        "the two channels carry different speech at the same time: {one} is dubbed; choose by "
        "input.channel"
    )


@dataclass(slots=True)
class _Average:
    """A mean that forgets; at first it is the plain mean."""

    memory: float
    value: float = 0.0
    count: int = 0

    def add(self, value: float) -> float:
        self.count += 1
        self.value += (value - self.value) / min(self.count, self.memory)
        return self.value


class _Moments:
    """Mean and variance of a pair of levels, dB, and how they go together."""

    def __init__(self, seconds: float) -> None:
        memory = seconds * TICK_RATE / BLOCK
        self._mean = [_Average(memory), _Average(memory)]
        self._square = [_Average(memory), _Average(memory)]
        self._product = _Average(memory)

    def add(self, levels: tuple[float, float]) -> None:
        for index, level in enumerate(levels):
            self._mean[index].add(level)
            self._square[index].add(level * level)
        self._product.add(levels[0] * levels[1])

    def mean(self, index: int) -> float:
        """Of the level, dB."""
        return self._mean[index].value

    def deviation(self, index: int) -> float:
        """Standard deviation, dB."""
        variance = self._square[index].value - self._mean[index].value ** 2
        return float(np.sqrt(max(0.0, variance)))

    def correlation(self) -> float:
        """Of the two, from -1 to 1."""
        both = self.deviation(0) * self.deviation(1)
        covariance = self._product.value - self._mean[0].value * self._mean[1].value
        return covariance / both if both > 0 else 1.0

    @property
    def blocks(self) -> int:
        return self._product.count


class SpeechChannels:
    """Takes speech from the channels that carry it.

    The front pair counts, and the centre where there is one. Its mean is taken, unless the two
    cancel each other out (one is inverted), one is dead or carries timecode, or each has a
    speaker of its own, such as an interpreter. The choice follows what has been heard so far, and
    does not depend on how the sound is divided into chunks.

    Args:
        centre: index of the centre channel, if there is one.
        choose: whether to choose; otherwise the mean is taken of whatever comes.
    """

    def __init__(self, centre: int | None, *, choose: bool = True) -> None:
        self._centre = centre
        self._choose = choose
        memory = MEMORY_S * TICK_RATE / BLOCK
        self._power = [_Average(memory), _Average(memory)]
        self._common = _Average(memory)
        self._levels = _Moments(MEMORY_S)
        self._long_levels = _Moments(LONG_MEMORY_S)
        self._long_common = _Average(LONG_MEMORY_S * TICK_RATE / BLOCK)
        self._long_power = [_Average(self._long_common.memory) for _ in range(2)]
        self._active = [_Average(self._long_common.memory) for _ in range(2)]
        self._both = _Average(self._long_common.memory)
        self._block = np.zeros((0, 2), np.float32)
        self._steady: int | None = None
        self._weights = np.full(2, 0.5, np.float32)
        self._ramp: Samples | None = None
        self.notes: list[str] = []
        """What was found so far, a sentence each."""

    def mono(self, chunk: AudioChunk) -> Samples:
        """The speech in a chunk, shape ``(n,)``."""
        samples = chunk.samples
        if samples.shape[1] == 1:
            return samples[:, 0]
        pair = samples[:, :2]
        front = self._front(pair) if self._choose else pair.mean(axis=1)
        return front if self._centre is None else samples[:, self._centre] + front

    def _front(self, pair: Samples) -> Samples:
        parts = []
        while len(pair):
            begun = len(self._block)
            piece, pair = pair[: BLOCK - begun], pair[BLOCK - begun :]
            weights = self._weights
            if self._ramp is not None:
                weights = self._ramp[begun : begun + len(piece)]
            parts.append((piece * weights).sum(axis=1))
            self._block = np.concatenate([self._block, piece])
            if len(self._block) == BLOCK:
                self._learn(self._block.astype(np.float64))
                self._block = self._block[:0]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _learn(self, block: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
        power = np.mean(block * block, axis=0)
        common = float(np.mean(block[:, 0] * block[:, 1]))
        levels = np.maximum(10 * np.log10(power + 1e-12), FLOOR_DB)
        for index in range(2):
            self._power[index].add(float(power[index]))
            self._long_power[index].add(float(power[index]))
        usual = np.array([average.value for average in self._long_power])
        active = power > np.maximum(usual * ACTIVE, usual.max() * BACKGROUND)
        for index in range(2):
            self._active[index].add(float(active[index]))
        self._both.add(float(active.all()))
        self._common.add(common)
        self._long_common.add(common)
        pair = (float(levels[0]), float(levels[1]))
        self._levels.add(pair)
        self._long_levels.add(pair)
        new = self._weights_now(pair)
        # The change is spread over a block, so that it does not click.
        fade = np.linspace(0, 1, BLOCK, dtype=np.float32)[:, None]
        changed = not np.array_equal(new, self._weights)
        self._ramp = self._weights + (new - self._weights) * fade if changed else None
        self._weights = new

    def _weights_now(self, levels: tuple[float, float]) -> Samples:
        found = self._found(levels)
        if found is None:
            return np.full(2, 0.5, np.float32)
        finding, one = found
        names = ("the left channel", "the right channel")
        note = finding.format(one=names[one], other=names[1 - one])
        if note and note not in self.notes and self._levels.blocks * BLOCK >= TICK_RATE:
            self.notes.append(note)
            log.info("%s", note)
        weights = np.zeros(2, np.float32)
        weights[one] = 1
        return weights

    def _found(self, levels: tuple[float, float]) -> tuple[Finding, int] | None:
        steady = self._steady_one(levels)
        if steady is not None:
            return Finding.STEADY, 1 - steady
        left, right = (average.value for average in self._power)
        louder = max(left, right)
        if min(left, right) < FLOOR < louder:
            return Finding.DEAD, int(right > left)
        if left + right + 2 * self._common.value < 4 * CANCELLED * louder:
            return Finding.CANCEL, int(right > left)
        if self._apart():
            return Finding.APART, 0
        return None

    def _steady_one(self, levels: tuple[float, float]) -> int | None:
        """The channel that carries timecode or the like while the other may carry speech.

        It stays so in the pauses of the other's speech.
        """
        now = self._steady
        if now is not None and levels[now] > self._levels.mean(now) + RISE_DB:
            now = None
        for index in range(2):
            one, other = self._levels.deviation(index), self._levels.deviation(1 - index)
            noise, speech = self._power[index].value, self._power[1 - index].value
            audible = noise > max(FLOOR, AUDIBLE * speech)
            if audible and one < STEADY_DB and other > LIVELY_DB:
                now = index
        self._steady = now
        return now

    def _apart(self) -> bool:
        """Whether each channel has speech of its own, and both at the same time."""
        moments = self._long_levels
        if moments.blocks * BLOCK < LONG_MEMORY_S * TICK_RATE:
            return False
        lively = min(moments.deviation(0), moments.deviation(1)) > LIVELY_DB
        power = self._long_power[0].value * self._long_power[1].value
        related = abs(self._long_common.value) > UNRELATED * float(np.sqrt(power))
        alike = moments.correlation() > INDEPENDENT
        spoken = min(average.value for average in self._active)
        together = spoken > SPOKEN and self._both.value > TOGETHER * spoken
        return lively and together and not related and not alike
