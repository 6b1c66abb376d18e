"""A synthesiser that is listened to before anybody hears it, where there is time for that."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from difflib import SequenceMatcher

import numpy as np

from stages.base import Recogniser, Synthesiser
from stream.frames import PLAIN, SPEECH_RATE, Manner, Samples, letters
from stream.sound.resample import resample

READINGS = 3
"""Times that a text is read at most, until one is understood."""

UNDERSTOOD = 0.8
"""Share of letters that text and transcript have in common from which a reading is taken."""

_SLACK = 1.5
"""What a reading may take, as a multiple of what readings of that length took so far."""
_LONGEST = 30 * SPEECH_RATE

log = logging.getLogger(__name__)


def likeness(text: str, heard: str) -> float:
    """Share of letters and digits that two texts have in common in the same order, 0 to 1."""
    ours, theirs = (letters(one) for one in (text, heard))
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio()


class Proofread:
    """See ``Synthesiser``; a text that a recogniser does not understand is read again.

    What it understands best is spoken. A text whose time comes before it could be read and
    heard streams unheard, and a recogniser that fails costs only the check.

    Args:
        synthesiser: reads, differently with another ``Manner.take``; stays its owner's to close.
        listener: knows the language of the dub; the same.
        patience: seconds after which no other reading of a text is begun.
    """

    def __init__(self, synthesiser: Synthesiser, listener: Recogniser, patience: float) -> None:
        self._synthesiser = synthesiser
        self._listener = listener
        self._patience = patience
        self.sample_rate = synthesiser.sample_rate
        self.rate_range = synthesiser.rate_range
        self.characters_per_second = synthesiser.characters_per_second
        self._seconds_per_character = 0.1
        self._hearing = 0.5

    @property
    def clones(self) -> bool:
        """Whether the synthesiser does."""
        return self._synthesiser.clones

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` unless the synthesiser has the voice."""
        self._synthesiser.check_voice(name)

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak the reading that was understood best, or the first one while it is made."""
        best: list[Samples] | None = None
        highest = -1.0
        until = time.monotonic() + self._patience
        until = min(until, math.inf if manner.deadline is None else manner.deadline)
        for number in range(READINGS):
            if not self._has_time(text, until):
                break
            reading = replace(manner, take=manner.take + number)
            pieces = [piece async for piece in self._read(text, reading)]
            understood = await self._understood(text, pieces)
            if understood > highest:
                best, highest = pieces, understood
            if highest >= UNDERSTOOD:
                break
        if best is None:
            async with contextlib.aclosing(self._read(text, manner)) as read:
                async for piece in read:
                    yield piece
            return
        for piece in best:
            yield piece

    async def aclose(self) -> None:
        """Both stay open."""

    def _has_time(self, text: str, until: float) -> bool:
        needed = _SLACK * len(text) * self._seconds_per_character + self._hearing
        return time.monotonic() + needed < until

    async def _read(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        """One reading, timed without what becomes of its pieces meanwhile."""
        spent = 0.0
        async with contextlib.aclosing(self._synthesiser.synthesise(text, manner)) as pieces:
            while True:
                began = time.monotonic()
                piece = await anext(pieces, None)
                spent += time.monotonic() - began
                if piece is None:
                    break
                yield piece
        self._seconds_per_character = spent / max(len(text), 1)

    async def _understood(self, text: str, pieces: list[Samples]) -> float:
        """``likeness`` of the text and what is heard; 1 where that cannot be told."""
        sound = np.concatenate([np.zeros(0, np.float32), *pieces])
        began = time.monotonic()
        try:
            audio = resample(sound, self.sample_rate, SPEECH_RATE)[:_LONGEST]
            heard = (await self._listener.recognise(audio)).text
        except Exception as error:
            log.warning("the dub was not listened to: %s", error or type(error).__name__)
            return 1.0
        self._hearing = time.monotonic() - began
        found = likeness(text, heard)
        if found < UNDERSTOOD:
            log.info("'%s' was heard as '%s'", text, heard)
        return found
