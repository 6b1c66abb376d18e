"""The daemon said too little or the wrong thing: viewers where nobody watched, addresses without
their session, a pattern for a key that is too short; each must be what an operator takes it for."""

from __future__ import annotations

import asyncio
from io import StringIO

import pytest
from rich.console import Console

from server.access import peer_name
from server.commands.serve import _announce
from server.webrtc.whep import watch
from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from stream.frames import PictureFormat, PicturePacket
from stream.live.intake import Intake
from stream.timeline import FRAME, TICK_RATE
from tests.helpers.bare_feed import bare_feed, tone
from tests.helpers.daemons import served
from tests.helpers.rtc import Viewer, until
from tests.helpers.ws_server import listening, serving


async def test_outputs_are_no_viewers() -> None:
    async with served("serve.sessions=[{id: s}]") as it:
        shown = await it.shown("s")
        assert shown["viewers"] == 0
        assert it.daemon.sessions["s"].outputs, "there is one, for HLS"


async def test_who_watches_or_listens_is_counted_until_it_leaves() -> None:
    async with bare_feed() as feed:
        begun = asyncio.get_running_loop().time()
        feed.due = lambda time: begun + time / TICK_RATE
        programmes = Programmes(lambda name: feed)
        viewer = Viewer(("audio",))
        peer = await watch(feed, ["pt"], await viewer.offer())
        assert feed.viewers == 1
        async with serving(listen_router(programmes, Gate())) as url:
            async with listening(url, "format=pcm_s16le"):
                assert feed.viewers == 2
                async with listening(url, "format=none"):
                    assert feed.viewers == 2, "captions alone are no viewer"
            await until(lambda: feed.viewers == 1)
        await viewer.close()
        await peer.aclose()
        assert feed.viewers == 0
        await programmes.aclose()


async def test_an_address_to_publish_to_names_its_session() -> None:
    sessions = "serve.sessions=[{id: a, key: key-of-a-1}, {id: b, key: key-of-b-1}]"
    async with served(sessions, "serve.rtmp_port=0") as it:
        out = StringIO()
        _announce(it.daemon, 8080, Console(file=out, width=200))
    lines = out.getvalue().splitlines()
    assert lines[1].startswith("Publish to rtmp://")
    assert lines[1].endswith("/live/KEY (session a, with its key)")
    assert lines[2].endswith("/live/KEY (session b, with its key)")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"key": "seven77"}, "key: a key or token has 8 to 128 letters, digits and _-"),
        ({"play_token": "a b c d e f"}, "a key or token has 8 to 128 letters, digits and _-"),
        ({"id": "Ferry"}, "id: a session's name is of at most 63"),
        ({"outputs": [{"record": "../a.mp4"}]}, "a recording is a name of letters"),
    ],
)
async def test_what_is_spelt_wrong_gets_a_sentence(asked: dict[str, object], said: str) -> None:
    async with served() as it:
        answer = await it.http.post("/sessions", json=asked)
        assert answer.status_code == 422
        assert said in answer.json()["detail"] and "pattern" not in answer.text


def test_the_picture_is_measured_as_it_comes() -> None:
    intake, coded = Intake(), PictureFormat("h264", b"", 1280, 720)
    assert intake.status(0.0) is None
    changes = [
        intake.note([PicturePacket(coded, n, n, n == 0, bytes(1000)), tone(n * FRAME)], n / 25)
        for n in range(250)
    ]
    assert changes == [True] + [False] * 249, "a line in the log when it changes, and once"
    found = intake.status(10.0)
    assert found is not None and found.format == coded
    assert found.frame_rate == pytest.approx(25, abs=0.3)
    assert found.bitrate == pytest.approx(200_000, rel=0.02)
    turned = PictureFormat("h264", b"", 720, 1280)
    assert intake.note([PicturePacket(turned, 300, 300, True, b"")], 10.0)
    assert str(intake) == "h264, 720x1280"
    assert intake.status(20.0) is None, "nothing comes any more"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (("127.0.0.1", 5000), "127.0.0.1:5000"),
        (("fd00::2", 5000, 0, 0), "[fd00::2]:5000"),
        (None, "an unknown host"),
    ],
)
def test_a_publisher_is_named_as_people_write_it(address: object, name: str) -> None:
    assert peer_name(address) == name
