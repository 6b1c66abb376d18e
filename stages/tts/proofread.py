"""A synthesiser whose speech a recogniser proofreads before it is played, time permitting."""

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
from stream.errors import message
from stream.frames import PLAIN, SPEECH_RATE, Manner, Samples, letters
from stream.sound.resample import resample

TAKES = 3
"""Takes of a text at most, until one is understood."""

UNDERSTOOD_SHARE = 0.8
"""Share of letters that text and transcript have in common from which a take is accepted."""

_SLACK = 1.5
"""Time that a take may need, as a multiple of what takes of that length needed so far."""
_LONGEST_SAMPLES = 30 * SPEECH_RATE

log = logging.getLogger(__name__)


def likeness(text: str, recognised: str) -> float:
    """Share of letters and digits that two texts have in common in the same order, 0 to 1."""
    ours, theirs = (letters(one) for one in (text, recognised))
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio()


class Proofread:
    """See ``Synthesiser``; speech that a recogniser does not understand is made again.

    The take it understands best is played. A text that is due before it could be made and checked
    streams unchecked, and a recogniser that fails costs only the check.

    Args:
        synthesiser: speaks differently with another ``Manner.take``; its owner closes it.
        recogniser: of the language of the dub; its owner closes it.
        patience: seconds after which no other take of a text is begun.
    """

    def __init__(self, synthesiser: Synthesiser, recogniser: Recogniser, patience: float) -> None:
        self._synthesiser = synthesiser
        self._recogniser = recogniser
        self._patience = patience
        self.sample_rate = synthesiser.sample_rate
        self.rate_range = synthesiser.rate_range
        self.characters_per_second = synthesiser.characters_per_second
        self._seconds_per_character = 0.1
        self._recognition_s = 0.5

    @property
    def clones(self) -> bool:
        """Whether the synthesiser does."""
        return self._synthesiser.clones

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` unless the synthesiser has the voice."""
        self._synthesiser.check_voice(name)

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak the take that was understood best, or the first one while it is made."""
        best: list[Samples] | None = None
        highest = -1.0
        until = time.monotonic() + self._patience
        until = min(until, math.inf if manner.deadline is None else manner.deadline)
        for number in range(TAKES):
            if not self._has_time(text, until):
                break
            other = replace(manner, take=manner.take + number)
            pieces = [piece async for piece in self._take(text, other)]
            understood = await self._understood(text, pieces)
            if understood > highest:
                best, highest = pieces, understood
            if highest >= UNDERSTOOD_SHARE:
                break
        if best is None:
            async with contextlib.aclosing(self._take(text, manner)) as take:
                async for piece in take:
                    yield piece
            return
        for piece in best:
            yield piece

    async def aclose(self) -> None:
        """Both stay open."""

    def _has_time(self, text: str, until: float) -> bool:
        needed = _SLACK * len(text) * self._seconds_per_character + self._recognition_s
        return time.monotonic() + needed < until

    async def _take(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        """One take, timed without what happens to its pieces meanwhile."""
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
        """``likeness`` of the text and its transcript; 1 where there is none to compare."""
        sound = np.concatenate([np.zeros(0, np.float32), *pieces])
        began = time.monotonic()
        try:
            audio = resample(sound, self.sample_rate, SPEECH_RATE)[:_LONGEST_SAMPLES]
            recognised = (await self._recogniser.recognise(audio)).text
        except Exception as error:
            log.warning("the dub was not proofread: %s", message(error))
            return 1.0
        self._recognition_s = time.monotonic() - began
        found = likeness(text, recognised)
        if found < UNDERSTOOD_SHARE:
            log.debug("'%s' was recognised as '%s'", text, recognised)
        return found
