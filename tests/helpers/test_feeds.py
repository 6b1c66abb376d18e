import asyncio

import pytest

from benchmarks.demo_clip import Clip
from tests.helpers.feeds import file_feed


@pytest.mark.virtual_time
async def test_a_file_played_as_a_feed_keeps_its_clock(clip: Clip) -> None:
    loop = asyncio.get_running_loop()
    async with file_feed(clip.path, speed=4.0) as feed:
        sound = feed.tracks["pt"].subscribe(1000)
        picture = feed.picture.subscribe(1000)
        async for block in sound:
            late = loop.time() - feed.due(block.start)
            assert abs(late) < 1e-6
        times = [packet.time async for packet in picture]
        assert times == sorted(times)
        assert len(times) > 50
