"""One client cannot take every place: neither from viewers, nor from who holds a key."""

import asyncio

import httpx
import pytest
from websockets.asyncio.client import connect

from server.limits import Clients, Places
from server.problems import Problem
from server.rtmp.ingest import WAITING_PER_ADDRESS, RtmpOptions
from server.websocket.frames import FORMATS, Encoding, ProtocolError
from server.websocket.programme import MAX_RENDITIONS, USUAL, Programme
from tests.helpers.bare_feed import bare_feed
from tests.helpers.live_server import LiveServer
from tests.helpers.rtmp_peer import Chunker
from tests.helpers.rtmp_station import station

KEY = "the-publishers-key"


def test_one_address_has_its_share() -> None:
    places = Places(10, 3, Clients())
    taken = [places.take("192.0.2.1") for _ in range(3)]
    with pytest.raises(Problem, match="from your address"):
        places.take("192.0.2.1")
    with pytest.raises(Problem, match="from your address"):
        places.take("::ffff:192.0.2.1")
    others = [places.take(f"192.0.2.{n}") for n in range(2, 9)]
    with pytest.raises(Problem, match="there are 10 clients already"):
        places.take("192.0.2.99")
    taken[0]()
    taken[0]()  # only once
    assert places.taken == 9
    others.append(places.take("2001:db8::1"))
    for give_back in (*taken, *others):
        give_back()
    assert places.taken == 0 and not places._of


def test_ipv6_is_counted_by_what_one_customer_has() -> None:
    places = Places(10, 2, Clients())
    for host in ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"):
        places.take(host)
    with pytest.raises(Problem):
        places.take("2001:db8:0:1:1:2:3:4")
    places.take("2001:db8:0:2::1")


async def test_viewers_take_no_publishers_place() -> None:
    settings = ("serve.max_viewers=2", f"serve.sessions=[{{id: s, key: {KEY}}}]")
    server = await asyncio.to_thread(LiveServer, *settings)
    url = f"{server.url.replace('http', 'ws')}/sessions/s"
    try:
        async with connect(f"{url}/listen?format=none") as a, connect(f"{url}/listen?format=none"):
            assert "hello" in str(await a.recv())
            async with connect(f"{url}/listen?format=none") as third:
                await third.wait_closed()
                assert third.close_code == 1013
            async with httpx.AsyncClient(base_url=server.url) as http:  # as full for WebRTC
                headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/sdp"}
                whip = await http.post("/sessions/s/whip", content="v=0\r\n", headers=headers)
                assert whip.status_code != 503
            async with connect(f"{url}/publish?token={KEY}&framing=raw") as publisher:
                assert "hello" in str(await publisher.recv())
                await publisher.send(b"\0" * 4)
                await publisher.send('{"type":"end"}')
    finally:
        await asyncio.to_thread(server.close)


async def test_one_client_of_viewers_behind_a_proxy_has_its_share() -> None:
    server = await asyncio.to_thread(
        LiveServer, "serve.viewers_per_address=1", "serve.sessions=[{id: s}]"
    )
    url = f"{server.url.replace('http', 'ws')}/sessions/s/listen?format=none"

    def coming(client: str) -> connect:
        return connect(url, additional_headers={"X-Forwarded-For": client})

    try:
        async with coming("203.0.113.1") as first:
            assert "hello" in str(await first.recv())
            async with coming("203.0.113.1") as second:
                await second.wait_closed()
                assert second.close_code == 1013
            async with coming("203.0.113.2") as other:
                assert "hello" in str(await other.recv())
    finally:
        await asyncio.to_thread(server.close)


async def test_silent_connections_do_not_keep_an_encoder_out() -> None:
    async with station(RtmpOptions(connections=32)) as opened:
        silent = [await opened.peers.connect() for _ in range(64)]
        await asyncio.sleep(0.05)
        reader, _ = await opened.peers.publish("good", Chunker())
        assert len(await reader.readexactly(3073)) == 3073
        more = [await opened.peers.connect() for _ in range(64)]
        await asyncio.sleep(0.1)
        assert opened.ingest.publishers == 1  # who is in makes way for nobody
        still = sum(not reader.at_eof() for reader, _ in (*silent, *more))
        assert still <= WAITING_PER_ADDRESS


async def test_the_usual_encodings_are_there_whatever_others_ask_for() -> None:
    async with bare_feed() as feed:
        programme = Programme(feed, 1.0)
        rates = [rate for rate in (8000, 12000, 16000, 24000) for _ in FORMATS]
        odd = [Encoding(format_, rate, 1) for format_, rate in zip(FORMATS * 4, rates, strict=True)]
        refused = 0
        for encoding in (one for one in odd if one.format != "opus"):
            for track in feed.tracks:
                try:
                    programme.rendition(track, encoding)
                except ProtocolError:
                    refused += 1
        assert programme.renditions == MAX_RENDITIONS and refused > 0
        for track in feed.tracks:
            for format_ in USUAL:
                programme.rendition(track, Encoding(format_, 48_000, 1))
        await programme.aclose()
