"""Players of HLS are viewers from their first playlist until they have not asked for a while."""

from __future__ import annotations

import asyncio

import pytest

from server.hls.audience import LAPSE_S, Audience
from server.limits import Places
from tests.helpers.bare_feed import bare_feed
from tests.helpers.daemons import served

pytestmark = pytest.mark.virtual_time


async def test_who_asks_no_more_has_gone() -> None:
    audience = Audience(Places(9))
    async with bare_feed() as feed:
        for _ in range(4):
            audience.note(feed, "192.0.2.1", "vlc")
            audience.note(feed, "192.0.2.1", "safari")
            audience.note(feed, "192.0.2.2", "vlc")
            assert feed.viewers == 3
            await asyncio.sleep(LAPSE_S * 0.9)
        audience.note(feed, "192.0.2.2", "vlc")
        await asyncio.sleep(LAPSE_S * 0.2)
        assert feed.viewers == 1
        audience.close()
        assert feed.viewers == 0


async def test_nobody_makes_up_a_crowd() -> None:
    audience = Audience(Places(9, share=3))
    async with bare_feed() as feed:
        for number in range(100):
            audience.note(feed, "192.0.2.1", number)
        assert feed.viewers == 3
        audience.close()


async def test_they_are_shown_with_the_others() -> None:
    async with served() as it:
        assert (await it.http.post("/sessions", json={"id": "s"})).status_code == 201
        (it.daemon.sessions["s"].folder / "video.m3u8").write_text("#EXTM3U\n")
        for agent in ("one", "two", "two"):
            headers = {"User-Agent": agent}
            answer = await it.http.get("/sessions/s/hls/video.m3u8", headers=headers)
            assert answer.status_code == 200
        assert (await it.shown("s"))["viewers"] == 2
