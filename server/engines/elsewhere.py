"""Models that are not loaded by this process: what the pool asks of whoever has them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from server.config import Config
from server.engines.shared import Served


class Elsewhere(Protocol):
    """Where models are that this process does not load."""

    @property
    def kinds(self) -> Collection[str]:
        """Kinds of engines that are there."""
        ...

    async def key(self, kind: str, config: Config) -> str:
        """What is equal for equal engines."""
        ...

    async def find(self, kind: str, config: Config, instead: Served | None) -> Served:
        """The engine that stands for one that is there.

        Args:
            kind: one of ``kinds``.
            config: checked.
            instead: serves while there is none.
        """
        ...

    def instead(self, kind: str, config: Config) -> Config | None:
        """What is loaded here for when there is none; ``None`` if nothing is."""
        ...
