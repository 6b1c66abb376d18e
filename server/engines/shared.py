"""One engine that several sessions share: the turns at it, and its health."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from server.engines.turns import Turns
from stages.registry import create
from stream.clock.due import DUE
from stream.flow.waited import WAITED

log = logging.getLogger(__name__)

FAULTS = 2
"""Failed calls in a row after which an engine is reloaded."""

HUNG_S = 1.5
"""Seconds that a cancelled call must have taken to count as failed: word times are given up after
one, on a busy machine too, where reloading a model would only make things worse."""

SLOW_FACTOR = 3.0
"""Multiple of the usual time that a cancelled call may take: the machine is just busy."""

LONGEST_S = 4.0
"""Seconds after which a cancelled call counts as failed in any case."""

NEWEST_WEIGHT = 0.25
"""Weight of the newest call in the usual time."""


class Served(Protocol):
    """An engine that sessions share, wherever it is."""

    kind: str
    """``asr``, ``mt``, ``tts`` or ``speakers``."""
    name: str
    """In the registry."""
    pace: float
    """Seconds that a synthesiser takes for a second of speech."""
    owners: set[str]
    """Sessions that use it."""
    idle_since: float
    """Event-loop time at which the last of them left."""

    @property
    def engine(self) -> Any:
        """What keeps the kind's contract; it is to be called through ``use`` only."""
        ...

    @property
    def waiting(self) -> int:
        """Calls that wait for it."""
        ...

    def use(self, owner: str) -> AbstractAsyncContextManager[Any]:
        """The engine, for one call of ``owner``'s."""
        ...

    async def aclose(self) -> None:
        """Free it."""
        ...


class SharedEngine:
    """An engine, the turns at it, and its health.

    Args:
        kind: ``asr``, ``mt``, ``tts`` or ``speakers``.
        name: in the registry.
        options: that it was made with.
        engine: loaded.
        on_restart: called with the kind when the engine was reloaded.
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
        self.engine: Any = engine
        self.turns = Turns()
        self.pace = 0.0
        """Seconds that a synthesiser takes for a second of speech, when it was loaded."""
        self.owners: set[str] = set()
        """Sessions that use it."""
        self.idle_since = 0.0
        """Event-loop time at which the last of them left."""
        self._options = options
        self._on_restart = on_restart
        self._faults = 0
        self._usual = 0.0  # seconds that a call takes
        self._restarting: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return self.turns.waiting

    @contextlib.asynccontextmanager
    async def use(self, owner: str) -> AsyncIterator[Any]:
        """The engine, for one call of ``owner``'s."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self.turns.turn(owner, DUE.get()):
            began = clock()
            if (waited := WAITED.get()) is not None:
                waited.seconds += began - asked
            try:
                yield self.engine
            except GeneratorExit:
                raise
            except asyncio.CancelledError:
                if clock() - began >= max(HUNG_S, min(SLOW_FACTOR * self._usual, LONGEST_S)):
                    self._failed()
                raise
            except Exception:
                self._failed()
                raise
            self._faults = 0
            self._usual += NEWEST_WEIGHT * (clock() - began - self._usual)

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
            "%s engine '%s' failed %d times in a row: reloading it",
            self.kind,
            self.name,
            FAULTS,
        )
        try:
            fresh = await asyncio.to_thread(create, self.kind, self.name, **self._options)
        except Exception as error:
            log.error("%s engine '%s' cannot be reloaded: %s", self.kind, self.name, error)
            return
        stale, self.engine = self.engine, fresh
        self._on_restart(self.kind)
        await stale.aclose()
