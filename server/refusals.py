"""Refusals of strangers: slow for who guesses, and in the log once, so that it cannot be filled."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict

from server.limits import KNOWN, Clients

PAUSE_S = 1.0
"""Seconds until a wrong key or token is answered."""

QUIET_S = 10.0
"""Seconds for which nothing more is logged of a client."""

LONGEST = 120
"""Characters of a line that a stranger may determine."""

_log = logging.getLogger(__name__)


class Refusals:
    """Says who was refused what."""

    def __init__(self) -> None:
        self._clients = Clients()
        self._said: OrderedDict[str | None, tuple[float, int]] = OrderedDict()

    async def wrong(self, host: str | None, where: str) -> None:
        """A wrong key or token came: log it, then wait until it may be answered."""
        self.note(host, f"a wrong key or token was shown to {where}")
        await asyncio.sleep(PAUSE_S)

    def note(self, host: str | None, what: str) -> None:
        """Log a refusal with its address, unless the same client was just refused something."""
        now = asyncio.get_running_loop().time()
        client = self._clients.tell(host)
        last, unsaid = self._said.pop(client, (-math.inf, 0))
        if now - last < QUIET_S:
            self._said[client] = last, unsaid + 1
            return
        before = f", and {unsaid} more refusals before" if unsaid else ""
        _log.warning("from %s: %s%s", host or "an unknown host", what[:LONGEST], before)
        self._said[client] = now, 0
        if len(self._said) > KNOWN:
            self._said.popitem(last=False)
