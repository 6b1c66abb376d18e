"""Speak in another language what a recogniser commits, as soon as possible."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.peers.recogniser import Commit
from server.evaluation.performance import Spoken
from stages.base import Synthesiser, Translator
from stages.text.sentences import ends_sentence
from stream.dub.lateness import Lateness
from stream.frames import Fate, Samples
from stream.timeline import ticks


async def sentences(commits: AsyncIterator[Commit]) -> AsyncIterator[Commit]:
    """Pieces joined until they end a sentence; the rest at the end."""
    held: Commit | None = None
    async for new in commits:
        if held is not None:
            new = replace(new, text=f"{held.text} {new.text}", start=held.start)
        held = new
        if ends_sentence(new.text):
            yield new
            held = None
    if held is not None:
        yield held


@dataclass
class Interpreter:
    """Translates and speaks, one piece after the other.

    Attributes:
        translator: livedub's.
        voice: livedub's.
        track: what has been said, in samples of the voice's rate from the clip's beginning.
    """

    translator: Translator
    voice: Synthesiser
    track: list[Samples] = field(default_factory=list)
    _at: int = 0

    async def say(self, piece: Commit, began: float) -> Spoken:
        """Say a piece now, or once what was said before is over."""
        translation = await self.translator.translate(piece.text)
        first: int | None = None
        ready = 0.0
        async for sound in self.voice.synthesise(translation):
            now = time.monotonic() - began
            start = max(self._at, round(now * self.voice.sample_rate))
            self.track += [np.zeros(start - self._at, np.float32), sound]
            self._at = start + len(sound)
            if first is None:
                first, ready = start, now
        spoken = Spoken(slot=(piece.start, piece.end), text=piece.text, translation=translation)
        if first is None:
            return spoken.model_copy(update={"fate": Fate.EMPTY})
        dub = first / self.voice.sample_rate, self._at / self.voice.sample_rate
        fate = Lateness().fate(ticks(max(dub[0] - piece.start, 0.0)))
        lag = ready - piece.start
        known = {"dub": dub, "fate": fate, "speed": 1.0, "tempo": 1.0, "ready": lag}
        return spoken.model_copy(update=known)
