"""Who speaks, told by how high they speak, and by their voice where an encoder knows it.

By register alone a man is told from a woman or a child; by voice alone, over music above all, a man
may be taken for a woman. The sorting sees numbers alone; it has no model, no clock and no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.frames import Embedding
from stream.sound.pitch import Register, semitones
from stream.speech.diarize import SHORTEST_S, SpeakerOptions

NEAR_ST, APART_ST = 5.0, 7.0
"""Semitones within which two registers are one person's as a rule, and beyond which they are two
people's: most men and women are nine apart, and of thirteen recordings of people one person's
sentences kept within six of their mean, but for one who changed languages."""

EASE, RIGOUR = 0.05, 0.1
"""By how much less, or more, like a speaker's a voice must be where the register is near, or apart;
parts of the cosine."""

HYSTERESIS_ST = 2.0
"""Semitones by which another speaker must be nearer than the one who spoke last."""

SURE_S = 0.8
"""Voiced seconds from which on a register may introduce a speaker."""


def as_embedding(register: Register | None, voice: Embedding | None = None) -> Embedding:
    """What ``RegisterDiarizer`` sorts by, in one vector: Hz, voiced seconds, and the voice.

    Args:
        register: ``None`` where there is none.
        voice: unit vector, or zeros; ``None`` where no encoder tells.
    """
    known = (register.hz, register.voiced_s) if register is not None else (0.0, 0.0)
    first = np.array(known, np.float32)
    return first if voice is None else np.concatenate([first, voice]).astype(np.float32)


@dataclass(slots=True)
class _Speaker:
    """Weighted sums of a speaker's pitch, in octaves, and of their voice."""

    octaves: float
    voiced_s: float
    voice: NDArray[np.float64]

    def distance(self, hz: float) -> float | None:
        """Semitones between a pitch and theirs; ``None`` where either is not known."""
        if hz <= 0 or not self.voiced_s:
            return None
        return abs(semitones(hz, 2 ** (self.octaves / self.voiced_s)))

    def cosine(self, voice: Embedding) -> float:
        length = float(np.linalg.norm(self.voice))
        return float(voice @ self.voice) / length if length else 0.0


class RegisterDiarizer:
    """Labels speakers S1, S2, ... in the order in which they are first heard.

    With voices, they are sorted as ``Diarizer`` sorts them, and the nearer the register, the less
    alike they need be. Without, whoever spoke last goes on unless the register is another's.

    Args:
        options: how near is near enough, and how many speakers there may be.
    """

    def __init__(self, options: SpeakerOptions) -> None:
        self._options = options
        self._speakers: list[_Speaker] = []
        self.last = "S1"
        """Who spoke last: the label of an utterance of which nothing is known."""

    def assign(self, voice: Embedding, seconds: float) -> str:
        """The label of the next utterance.

        Args:
            voice: see ``as_embedding``.
            seconds: of speech in it.
        """
        if not np.isfinite(voice).all():
            return self.last
        hz, voiced_s = float(voice[0]), float(voice[1])
        own = voice[2:]
        if own.any():
            self._sort_voice(hz, voiced_s, own, seconds)
        elif hz > 0 and voiced_s > 0:
            self._sort_register(hz, voiced_s)
        return self.last

    def nearness(self, label: str, voice: Embedding) -> float:
        """Cosine of a voice and its speaker's mean; 0 where either is not known."""
        index = int(label[1:]) - 1
        if index >= len(self._speakers) or not voice[2:].any():
            return 0.0
        return self._speakers[index].cosine(voice[2:])

    def _sort_voice(self, hz: float, voiced_s: float, voice: Embedding, seconds: float) -> None:
        cosines = [speaker.cosine(voice) for speaker in self._speakers]
        required = [self._required(speaker.distance(hz)) for speaker in self._speakers]
        near = [i for i, cosine in enumerate(cosines) if cosine >= required[i]]
        if seconds < SHORTEST_S:
            if near:
                self.last = f"S{max(near, key=cosines.__getitem__) + 1}"
            elif hz > 0:
                self._follow(self._distances(hz), APART_ST)
            return
        if near:
            nearest = max(near, key=cosines.__getitem__)
        elif len(self._speakers) < self._options.max:
            nearest = self._found(len(voice))
        else:
            nearest = int(np.argmax(cosines))
        speaker = self._speakers[nearest]
        if near or not speaker.voice.any():
            speaker.voice = speaker.voice + seconds * voice
        self._raise(speaker, hz, voiced_s)
        self.last = f"S{nearest + 1}"

    def _required(self, distance: float | None) -> float:
        threshold = self._options.threshold
        if distance is None or NEAR_ST < distance <= APART_ST:
            return threshold
        return threshold - EASE if distance <= NEAR_ST else threshold + RIGOUR

    def _sort_register(self, hz: float, voiced_s: float) -> None:
        distances = self._distances(hz)
        alone = all(distance > APART_ST for distance in distances)
        if alone and voiced_s >= SURE_S and len(distances) < self._options.max:
            self.last = f"S{self._found(0) + 1}"
        else:
            self._follow(distances, np.inf)
        if (index := int(self.last[1:]) - 1) < len(self._speakers):
            self._raise(self._speakers[index], hz, voiced_s)

    def _follow(self, distances: Sequence[float], farthest: float) -> None:
        """The nearest goes on, if within ``farthest``; who spoke last is preferred."""
        if not len(distances):
            return
        nearest, last = int(np.argmin(distances)), int(self.last[1:]) - 1
        if distances[nearest] <= farthest and (
            distances[last] > distances[nearest] + HYSTERESIS_ST
        ):
            self.last = f"S{nearest + 1}"

    def _distances(self, hz: float) -> list[float]:
        known = (speaker.distance(hz) for speaker in self._speakers)
        return [np.inf if distance is None else distance for distance in known]

    def _found(self, size: int) -> int:
        self._speakers.append(_Speaker(0.0, 0.0, np.zeros(size)))
        return len(self._speakers) - 1

    def _raise(self, speaker: _Speaker, hz: float, voiced_s: float) -> None:
        """Take a pitch into a speaker's mean, unless it is too far off to be theirs."""
        distance = speaker.distance(hz)
        if hz > 0 and (distance is None or distance <= APART_ST):
            speaker.octaves += voiced_s * float(np.log2(hz))
            speaker.voiced_s += voiced_s
