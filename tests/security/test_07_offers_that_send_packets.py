"""An offer must not make the daemon send packets to whomever it names, nor stand still over it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCIceServer

from server.limits import Clients, Pace, Places
from server.problems import Problem
from server.webrtc import peer
from server.webrtc.peer import MAX_CANDIDATES, Peer, read_offer
from server.webrtc.peers import Peers
from server.webrtc.whep import WhepPeer, watch
from stream.live.feed import ORIGINAL, Feed
from tests.helpers.bare_feed import bare_feed
from tests.helpers.rtc import Viewer

MANY = 1000


@contextlib.asynccontextmanager
async def live() -> AsyncIterator[Feed]:
    async with bare_feed() as feed:
        now = asyncio.get_running_loop().time()
        feed.due = lambda time: now
        yield feed


async def _naming(port: int, count: int = MANY) -> str:
    """An offer of a viewer who says to be at many addresses; none is its own."""
    viewer = Viewer(("audio",))
    offer = await viewer.offer()
    await viewer.close()
    kept = [line for line in offer.splitlines() if not line.startswith("a=candidate")]
    lines = [f"a=candidate:1 1 udp {n} 127.0.0.1 {port} typ host" for n in range(count)]
    return "\r\n".join([*kept, *lines, "a=end-of-candidates", ""])


async def test_nobody_is_called_whom_an_offer_names() -> None:
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target.bind(("127.0.0.1", 0))
    target.setblocking(False)
    async with live() as feed:
        watching = await watch(feed, [ORIGINAL], await _naming(target.getsockname()[1]))
        await asyncio.sleep(1.0)
        with pytest.raises(BlockingIOError):
            target.recv(2000)
        await watching.aclose()
    target.close()


@pytest.mark.parametrize(("servers", "most"), [((), 0), (("stun:192.0.2.1",), MAX_CANDIDATES)])
async def test_behind_a_nat_only_a_few_are_called(servers: tuple[str, ...], most: int) -> None:
    watching = Peer([RTCIceServer(url) for url in servers])
    offer = await watching.read(await _naming(9))
    assert offer.sdp.count("a=candidate") == most and "end-of-candidates" not in offer.sdp
    await watching.aclose()


async def test_a_viewer_without_any_candidate_is_found() -> None:
    async with live() as feed:
        viewer = Viewer(("audio",))
        lines = (await viewer.offer()).splitlines()
        offer = "\r\n".join(line for line in lines if not line.startswith("a=candidate")) + "\r\n"
        watching = await watch(feed, [ORIGINAL], offer)
        await viewer.accept(watching.answer)
        async with asyncio.timeout(20):
            while viewer.connection.connectionState != "connected":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await viewer.close()
        await watching.aclose()


def test_an_offer_of_nothing_but_lines_is_not_parsed() -> None:
    with pytest.raises(peer.OfferError, match="more than 2000 lines"):
        read_offer("v=0\r\n" + "a=\r\n" * 12_000)


@pytest.mark.virtual_time
async def test_offers_of_one_client_have_a_pace() -> None:
    pace = Pace(5, 1.0, Clients())
    made = 0

    async def make() -> Peer:
        nonlocal made
        made += 1
        raise Problem(422, "no")

    peers = Peers({"play": Places(9), "publish": Places(9)}, offers=pace)

    async def offered(host: str) -> int:
        with pytest.raises(Problem) as told:
            await peers.admit("s", "play", host, make)
        if told.value.status == 429:
            assert told.value.headers == {"Retry-After": "1"}
        return told.value.status

    assert [await offered("192.0.2.1") for _ in range(7)] == [422] * 5 + [429] * 2
    assert await offered("192.0.2.2") == 422  # another client
    await asyncio.sleep(2.1)
    assert [await offered("192.0.2.1") for _ in range(3)] == [422] * 2 + [429]
    assert [await offered("2001:db8::%x" % n) for n in range(6)] == [422] * 5 + [429]  # noqa: UP031
    assert made == 5 + 1 + 2 + 5


@pytest.mark.virtual_time
async def test_who_never_connects_gives_the_place_back() -> None:
    async with live() as feed:
        viewer = Viewer(("audio",))
        places = Places(1)
        peers = Peers({"play": places, "publish": Places(1)})

        async def make() -> WhepPeer:
            return await watch(feed, [ORIGINAL], await viewer.offer())

        await peers.admit("s", "play", "192.0.2.1", make)
        assert places.taken == 1
        began = asyncio.get_running_loop().time()
        while places.taken:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        assert asyncio.get_running_loop().time() - began <= 13
        await viewer.close()
        await peers.aclose()
