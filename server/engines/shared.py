"""One engine that several sessions share: the turns at it, and its health."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from server.engines.turns import Turns
from stages.registry import create
from stream.clock.due import DUE

log = logging.getLogger(__name__)

FAULTS = 2
"""Failed calls in a row after which an engine is made anew."""


HUNG = 1.5
"""Seconds that a cancelled call must have taken to count as failed: word times are given up after
one, on a busy machine too, and to load a model anew would make that worse."""


SLOW = 3.0
"""Times what calls usually take, which a cancelled one may take as well: the machine is busy."""


LONGEST = 4.0
"""Seconds after which one has failed in any case."""


MEMORY = 0.25
"""Weight of the newest call in what they usually take."""


class SharedEngine:
    """An engine, the turns at it, and its health.

    Args:
        kind: ``asr``, ``mt``, ``tts`` or ``speakers``.
        name: in the registry.
        options: it was made with.
        engine: loaded.
        on_restart: called with the kind when the engine had to be made anew.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        options: dict[str, Any],
        engine: Any,
        on_restart: Callable[[str], None],
    ) -> None:
        self.kind = kind
        self.name = name
        self.engine = engine
        self.turns = Turns()
        self.pace = 0.0
        """Seconds that a synthesiser takes for a second of speech, when it was loaded."""
        self._options = options
        self._on_restart = on_restart
        self._faults = 0
        self._usual = 0.0  # seconds that a call takes
        self._restarting: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def use(self, owner: str) -> AsyncIterator[Any]:
        """The engine, for one call of ``owner``'s."""
        async with self.turns.turn(owner, DUE.get()):
            clock = asyncio.get_running_loop().time
            began = clock()
            try:
                yield self.engine
            except GeneratorExit:
                raise
            except asyncio.CancelledError:
                if clock() - began >= max(HUNG, min(SLOW * self._usual, LONGEST)):
                    self._failed()
                raise
            except Exception:
                self._failed()
                raise
            self._faults = 0
            self._usual += MEMORY * (clock() - began - self._usual)

    async def aclose(self) -> None:
        """Free the engine."""
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        await self.engine.aclose()

    def _failed(self) -> None:
        self._faults += 1
        busy = self._restarting is not None and not self._restarting.done()
        if self._faults >= FAULTS and not busy:
            self._faults = 0
            self._restarting = asyncio.create_task(self._restart(), name=f"restart {self.kind}")

    async def _restart(self) -> None:
        log.warning(
            "%s engine '%s' failed %d times in a row: restart", self.kind, self.name, FAULTS
        )
        try:
            fresh = await asyncio.to_thread(create, self.kind, self.name, **self._options)
        except Exception as error:
            log.error("%s engine '%s' cannot be restarted: %s", self.kind, self.name, error)
            return
        stale, self.engine = self.engine, fresh
        self._on_restart(self.kind)
        await stale.aclose()
