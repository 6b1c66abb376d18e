"""Players that wait for what is next in a playlist, and for how long they may."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from server.access import Right
from server.hls.playlist import AHEAD_PARTS, MediaPlaylist, Part, Segment
from server.hls.reload import Directives, LivePlaylists
from server.hls.routes import hls_router
from server.http import problems
from server.limits import Places
from server.problems import Problem
from tests.helpers.hls_rules import read


def parts(number: int, count: int) -> tuple[Part, ...]:
    return tuple(Part(f"v-{number}-p{at}.m4s", 0.5, at == 0) for at in range(count))


def playlist(last: int, grown: int = 0, *, first: int = 0) -> MediaPlaylist:
    """Segments of 2 s up to number ``last``, and parts of the one that follows."""
    whole = tuple(
        Segment(f"v-{n}.m4s", 2.0, "v.mp4", parts=parts(n, 4)) for n in range(first, last + 1)
    )
    growing = Segment("", grown / 2, "v.mp4", parts=parts(last + 1, grown)) if grown else None
    return MediaPlaylist(whole, 2, first, growing=growing, hint=f"v-{last + 1}-p{grown}.m4s")


async def text(live: LivePlaylists, places: Places | None = None, **asked: int) -> str:
    held = places or Places(9)
    got = await live.text("v.m3u8", Directives(**asked), lambda: held.take("192.0.2.1"))
    assert got is not None
    return got


@pytest.mark.virtual_time
async def test_an_answer_waits_for_the_part_that_was_asked_for() -> None:
    live, places = LivePlaylists(), Places(9)
    live.post({"v.m3u8": playlist(4, 1), "a.m3u8": playlist(5)})
    assert read(await text(live, msn=5, part=0)).edge == (5, 0)
    waiting = asyncio.create_task(text(live, places, msn=5, part=2))
    whole = asyncio.create_task(text(live, places, msn=5))
    await asyncio.sleep(1)
    assert places.taken == 2
    live.post({"v.m3u8": playlist(4, 2)})
    await asyncio.sleep(1)
    assert not waiting.done()
    live.post({"v.m3u8": playlist(4, 3), "a.m3u8": playlist(5, 1)})
    got = read(await waiting)
    assert got.edge == (5, 2) and got.reports == {"a.m3u8": (6, 0)}
    assert got.hint == "v-5-p3.m4s" and places.taken == 1
    live.post({"v.m3u8": playlist(5)})
    assert read(await whole).last == 5 and places.taken == 0
    # A part that a whole segment does not have is the first one of the next.
    beyond = asyncio.create_task(text(live, msn=5, part=4))
    await asyncio.sleep(1)
    assert not beyond.done()
    live.post({"v.m3u8": playlist(5, 1)})
    assert read(await beyond).edge == (6, 0)


@pytest.mark.virtual_time
async def test_nobody_waits_for_long_or_for_what_is_far_away() -> None:
    live, now = LivePlaylists(), asyncio.get_running_loop().time
    live.post({"v.m3u8": playlist(4, 1)})
    began = now()
    with pytest.raises(Problem) as late:
        await text(live, msn=6)
    assert late.value.status == 503 and now() - began == 6
    for far in ({"msn": 7}, {"msn": 5, "part": AHEAD_PARTS + 1}):
        with pytest.raises(Problem) as early:
            await text(live, **far)
        assert early.value.status == 400
    with pytest.raises(Problem) as crowded:
        await text(live, Places(0), msn=5)
    assert crowded.value.status == 503
    ending = asyncio.create_task(text(live, msn=6))
    await asyncio.sleep(0)
    live.post({"v.m3u8": replace(playlist(5), ended=True)})
    assert "#EXT-X-ENDLIST" in await ending
    assert "SERVER-CONTROL" not in await text(live, msn=99)
    live.close()
    assert await live.text("absent.m3u8", Directives(), lambda: Places(0).take(None)) is None


@pytest.mark.virtual_time
async def test_a_part_that_was_announced_is_waited_for(tmp_path: Path) -> None:
    live = LivePlaylists()
    live.post({"v.m3u8": playlist(4, 1)})
    await live.hinted("v-9-p0.m4s", lambda: Places(0).take(None))  # nobody has announced it
    waiting = asyncio.create_task(live.hinted("v-5-p1.m4s", lambda: Places(1).take(None)))
    await asyncio.sleep(1)
    assert not waiting.done()
    live.post({"v.m3u8": playlist(4, 2)})
    await waiting
    with pytest.raises(Problem):
        await live.hinted("v-5-p2.m4s", lambda: Places(1).take(None))


@given(
    last=st.integers(0, 9),
    grown=st.integers(0, 3),
    msn=st.integers(0, 12),
    part=st.none() | st.integers(0, 5),
)
def test_what_is_there_is_told_from_what_is_not(
    last: int, grown: int, msn: int, part: int | None
) -> None:
    one = playlist(last, grown, first=max(0, last - 7))
    asked = (msn, 3 if part is None else part) if part is None or part < 4 else (msn + 1, 0)
    if msn < one.first:
        assert one.holds(msn, part)
    elif msn <= last + 1:
        assert one.holds(msn, part) == (asked <= (last + 1, grown - 1) and (
            part is not None or msn <= last
        ))  # fmt: skip
    else:
        assert not one.holds(msn, part)
    assert not (one.holds(msn, part) and one.ahead(msn, part))


def test_directives_are_read_or_refused() -> None:
    assert Directives.of({}) == Directives()
    asked = {"_HLS_msn": "7", "_HLS_part": "0", "_HLS_skip": "v2"}
    assert Directives.of(asked) == Directives(7, 0, skip=True)
    for wrong in ({"_HLS_part": "1"}, {"_HLS_msn": "-1"}, {"_HLS_msn": "9" * 99}):
        with pytest.raises(Problem) as refused:
            Directives.of(wrong)
        assert refused.value.status == 400


async def test_over_http(tmp_path: Path) -> None:
    def anyone(request: HTTPConnection, session: str, right: Right) -> None: ...

    live, app = LivePlaylists(), FastAPI()
    problems.install(app)
    places = Places(8, 1, called="requests that wait")
    app.include_router(hls_router(lambda _: tmp_path, anyone, live=lambda _: live, waiting=places))
    live.post({"v.m3u8": playlist(4, 1)})
    (tmp_path / "master.m3u8").write_text("#EXTM3U\n")
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        path = "/sessions/one/hls"
        assert (await client.get(f"{path}/master.m3u8")).text == "#EXTM3U\n"
        assert read((await client.get(f"{path}/v.m3u8")).text).edge == (5, 0)
        assert (await client.get(f"{path}/v.m3u8?_HLS_msn=x")).status_code == 400
        part = asyncio.create_task(client.get(f"{path}/v-5-p1.m4s"))
        while not places.taken:  # noqa: ASYNC110
            await asyncio.sleep(0)
        crowded = await client.get(f"{path}/v.m3u8?_HLS_msn=5&_HLS_part=1")
        assert crowded.status_code == 503 and "from your address" in crowded.json()["detail"]
        (tmp_path / "v-5-p1.m4s").write_bytes(b"part")
        live.post({"v.m3u8": playlist(4, 2)})
        assert (await part).content == b"part" and places.taken == 0
