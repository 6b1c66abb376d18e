"""One connection of a push: the process that holds it, and its reason for ending."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from server.addresses.relay import Relay
from server.addresses.shown import without_addresses
from stream.errors import LivedubError
from stream.live.link import Link

STALLED_S = 10.0
"""How long a server may take nothing before the connection is given up."""


_INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONHOME")
"""Variables that the process gets; others may hold tokens."""


class LinkError(LivedubError):
    """The connection is unusable; the message says why."""


class PushLink:
    """The process that holds one connection; see `server.outputs.push_process`.

    Args:
        url: where it goes.
        zero: media time at which its stream begins, ticks.
        opened: event-loop time.
        on_established: called once the server has accepted the beginning of the stream.

    Attributes:
        established: whether it has.
        relay: that it leads through, if any; ended with it.
    """

    def __init__(
        self, url: str, zero: int, opened: float, on_established: Callable[[PushLink], None]
    ) -> None:
        self._url = url
        self.zero = zero
        self.opened = opened
        self.established = False
        self.relay: Relay | None = None
        self._on_established = on_established
        self._process: asyncio.subprocess.Process | None = None
        self._last_words = ""
        self._reading: asyncio.Future[Any] | None = None
        self.link: Link | None = None
        """What the network does, as far as it is known."""

    async def open(self, first: bytes) -> None:
        """Start the process and send it its first record."""
        kept = {name: value for name in _INHERITED if (value := os.environ.get(name)) is not None}
        path = os.pathsep.join(one for one in sys.path if one)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server.outputs.push_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us: what was handed over must still be sent
            env={**kept, "PYTHONPATH": path},
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._reading = asyncio.gather(
            self._read_figures(self._process.stdout), self._read_words(self._process.stderr)
        )
        assert self._process.stdin is not None
        self._process.stdin.write(first)

    async def write(self, data: bytes) -> None:
        """Send data, waiting while the server takes none.

        Raises:
            LinkError: if the connection broke, or nothing moves.
        """
        assert self._process is not None and self._process.stdin is not None
        try:
            if self._process.returncode is not None:
                raise BrokenPipeError
            self._process.stdin.write(data)
            async with asyncio.timeout(STALLED_S):
                await self._process.stdin.drain()
        except TimeoutError:
            raise LinkError(f"the server took nothing for {STALLED_S:.0f} s") from None
        except (BrokenPipeError, ConnectionResetError):
            assert self._reading is not None
            await asyncio.wait([self._reading], timeout=5.0)  # a busy machine exits slowly
            raise LinkError(self._reason()) from None

    async def finish(self) -> None:
        """Let everything sent so far be written, then end."""
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            self._process.stdin.close()
            async with asyncio.timeout(5.0):
                await self._process.wait()
        if self.relay is not None:
            # What is on its way arrives, if the server takes it.
            self.relay.finish()
            asyncio.get_running_loop().call_later(STALLED_S, self.relay.close)
            self.relay = None
        await self.kill()

    async def kill(self) -> None:
        """End at once."""
        if self.relay is not None:
            self.relay.close()
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def _read_figures(self, output: asyncio.StreamReader) -> None:
        if await output.readline():
            self.established = True
            self._on_established(self)
        async for line in output:
            self.link = Link(**json.loads(line))

    async def _read_words(self, output: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError):  # a line too long to be a sentence
            async for line in output:
                self._last_words = line.decode(errors="replace").strip()

    def _reason(self) -> str:
        said = self._last_words or "the connection was closed"
        if self.relay is not None and self.relay.failure is not None:
            said = self.relay.failure
        return without_addresses(said, self._url, "the server")
