"""RTSP where UDP is blocked was given up after ten seconds, again and again; it must play by TCP at
once, and by UDP from servers that know nothing else."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from server.sessions.sources import Pull
from stream.clock.playout_clock import PlayoutClock
from stream.live.source import LiveSource
from stream.timeline import TICK_RATE
from tests.helpers.rtsp_camera import camera


@pytest.mark.parametrize("tcp", [True, False])
async def test_sound_comes_by_what_passes(tcp: bool) -> None:
    async with camera(tcp=tcp) as one:
        source = LiveSource(Pull(f"rtsp://127.0.0.1:{one.port}/").connect, PlayoutClock(1.0))
        async with asyncio.timeout(20), contextlib.aclosing(source.batches()) as batches:
            async for batch in batches:
                if batch[-1].end > 2 * TICK_RATE:
                    await source.aclose()
        assert source.connections == 1
        assert "TCP" in one.setups[0]
        assert ("TCP" in one.setups[-1]) == tcp
