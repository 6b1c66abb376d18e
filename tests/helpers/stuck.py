"""A voice that never gets to the end of a sentence: the right moment to kill its process."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from benchmarks.sleeping import Synthesiser
from server.engines.warm_up import PHRASE
from stream.frames import PLAIN, Manner, Samples


class Stuck(Synthesiser):
    """Speaks ``STUCK_AFTER`` sentences, writes its process's id to ``STUCK_NOTE``, and hangs."""

    def __init__(self, **options: object) -> None:
        self.spoken = 0

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        if text not in ("1.", PHRASE):
            self.spoken += 1
            if self.spoken > int(os.environ["STUCK_AFTER"]):
                note = Path(os.environ["STUCK_NOTE"])
                part = note.with_suffix(".part")
                part.write_text(str(os.getpid()))
                part.rename(note)
                await asyncio.sleep(math.inf)
        async for piece in super().synthesise(text, manner):
            yield piece
