"""Which of an engine's voices speaks for whom: the nearest in register that nobody else has."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stream.sound.pitch import Register, semitones

LOW_HZ = 165.0
"""Between men's voices and those of women and children (Titze, Principles of Voice Production,
1994, puts men at about 85 to 155 Hz and women at 165 to 255)."""

SURE_S = 2.0
"""Voiced seconds of a speaker from which on their voice is settled for good."""

_BEYOND_ST = 2.0
"""Semitones beyond ``LOW_HZ`` that a speaker must be before a voice is taken back."""


@dataclass(slots=True)
class _Part:
    """One speaker: the pitch so far, and voices by the media time from which on they speak."""

    octaves: float = 0.0
    voiced_s: float = 0.0
    since: list[int] = field(default_factory=list)
    voices: list[str] = field(default_factory=list)

    @property
    def hz(self) -> float:
        return float(2 ** (self.octaves / self.voiced_s))


class Cast:
    """The voices of one engine, given to speakers as they are first heard, and kept.

    A voice is taken back only while there are less than ``SURE_S`` of its speaker, and only if it
    turns out to be a man's where a woman speaks, or the other way round.

    Args:
        registers: median pitch of each voice, Hz; at least one.
    """

    def __init__(self, registers: Mapping[str, float]) -> None:
        self._registers = dict(registers)
        self._parts: dict[str, _Part] = {}

    def is_sure(self, speaker: str) -> bool:
        """Whether the speaker's voice is settled, so that nothing more need be heard of them."""
        return speaker in self._parts and self._parts[speaker].voiced_s >= SURE_S

    def heard(self, speaker: str, time: int, register: Register | None) -> None:
        """An utterance of a speaker's was recognised.

        Args:
            speaker: label.
            time: of the utterance, ticks; they come in order.
            register: of it; ``None`` where it has no voice.
        """
        if register is None or self.is_sure(speaker):
            return
        part = self._parts.setdefault(speaker, _Part())
        part.octaves += register.voiced_s * float(np.log2(register.hz))
        part.voiced_s += register.voiced_s
        if part.voices and not self._is_wrong(part.voices[-1], part.hz):
            return
        nearest = self._nearest(speaker, part.hz)
        if part.voices[-1:] != [nearest]:
            part.since.append(time)
            part.voices.append(nearest)

    def voice(self, speaker: str, time: int) -> str:
        """The voice for a media time, ticks; empty, the engine's own, before one is known.

        Whenever it is asked, the answer for one time is the same once that was heard.
        """
        part = self._parts.get(speaker)
        index = bisect_right(part.since, time) if part is not None else 0
        return part.voices[index - 1] if part is not None and index else ""

    def _is_wrong(self, voice: str, hz: float) -> bool:
        beyond = semitones(hz, LOW_HZ)
        low = self._registers[voice] < LOW_HZ
        return beyond > _BEYOND_ST if low else beyond < -_BEYOND_ST

    def _nearest(self, speaker: str, hz: float) -> str:
        voices = self._registers
        alike = [name for name in voices if (voices[name] < LOW_HZ) == (hz < LOW_HZ)]
        taken = [part.voices[-1] for label, part in self._parts.items()
                 if part.voices and label != speaker]  # fmt: skip
        return min(
            alike or voices, key=lambda name: (taken.count(name), abs(semitones(voices[name], hz)))
        )
