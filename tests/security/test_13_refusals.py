"""A refusal is a line in the log with an address: no traceback, no flood, and no quick guessing."""

import asyncio
import io
import logging

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.access import Denied
from server.problems import Problem
from server.refusals import Refusals
from server.rtmp.ingest import RtmpIngest, RtmpOptions
from server.sessions import logs
from server.websocket.frames import SUBPROTOCOL
from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from tests.helpers.daemons import served
from tests.helpers.live_server import LiveServer
from tests.helpers.rtmp_peer import Chunker
from tests.helpers.rtmp_station import Peers
from tests.helpers.ws_server import serving


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.refusals.PAUSE_S", 0.05)


async def test_refused_websockets_leave_one_line(
    quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused(url: str, **options: object) -> int:
        async with connect(url, **options) as client:  # type: ignore[arg-type]
            with pytest.raises(ConnectionClosed):
                await client.recv()
            return client.close_code or 0

    def guard(connection: object, session: str, right: str) -> None:
        raise {"a": Denied(401, "no token"), "b": Denied(403, "wrong"), "c": Problem(503, "full")}[
            session
        ]

    programmes = Programmes({}.__getitem__)
    async with serving(listen_router(programmes, Gate(guard))) as url:
        for session, code in (("a", 4401), ("b", 4403), ("c", 1013)):
            for _ in range(4):
                address = f"{url}/sessions/{session}/listen"
                assert await refused(address) == code
                assert await refused(address, origin="https://evil.example") == 4403
                assert await refused(address, subprotocols=["other"]) == 4400
                assert await refused(address, subprotocols=[SUBPROTOCOL]) == code
    assert all(record.exc_info is None for record in caplog.records)
    assert _warnings(caplog) == [
        "from 127.0.0.1: a wrong key or token was shown to /sessions/b/listen"
    ]


async def test_a_wrong_key_is_answered_slowly_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("server.refusals.asyncio.sleep", pause)
    async with served("serve.sessions=[{id: s, key: the-right-key}]") as it:
        waited.clear()
        for number in range(5):
            headers = {"Authorization": f"Bearer guess-{number}", "Content-Type": "application/sdp"}
            answer = await it.http.post("/sessions/s/whip", content="v=0", headers=headers)
            assert answer.status_code == 403
    assert waited.count(1.0) == 5
    said = [one for one in _warnings(caplog) if "wrong key" in one]
    assert said == ["from 127.0.0.1: a wrong key or token was shown to /sessions/s/whip"]
    assert "guess" not in caplog.text and "the-right-key" not in caplog.text


@pytest.mark.virtual_time
async def test_what_was_left_unsaid_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    for _ in range(1000):
        refusals.note("2001:db8::1", "no")
        refusals.note("2001:db8::ffff", "no")  # the same customer
    refusals.note("192.0.2.1", "no")
    assert len(caplog.records) == 2
    await asyncio.sleep(11)
    refusals.note("2001:db8::2", "no")
    assert _warnings(caplog)[-1].endswith("and 1999 more refusals before")
    for number in range(5000):
        refusals.note(f"10.0.{number >> 8 & 255}.{number & 255}", "x" * 10_000)
    assert len(refusals._said) <= 4096 and len(_warnings(caplog)[-1]) < 200


@pytest.mark.parametrize("text", ["a\nX-Injected: 1", "\r\x1b[2Jgone", "\x9b1A", "a\u2028b"])
def test_a_text_log_has_one_line_for_each_record(text: str) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.TEXT)
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s cannot be opened", (text,), None)
    record.session = ""
    handler.handle(record)
    line = out.getvalue()
    assert line.endswith("cannot be opened\n") and len(line.splitlines()) == 1
    assert all(char.isprintable() for char in line[:-1])


def test_tracebacks_cannot_pass_for_lines_of_the_log() -> None:
    try:
        raise ValueError("no\n2026-01-01 00:00:00,000 INFO    a session was deleted")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "it failed", (), info)
    record.session = ""
    first, *rest = logs.TEXT.format(record).splitlines()
    assert first.endswith("it failed") and all(line.startswith("    ") for line in rest)


async def test_rtmp_says_it_as_slowly(quick: None, caplog: pytest.LogCaptureFixture) -> None:

    async def authorise(app: str, key: str) -> None:
        raise Denied(403, "there is no such stream, or the key is wrong")

    ingest = RtmpIngest("127.0.0.1", 0, authorise, RtmpOptions())  # type: ignore[arg-type]
    await ingest.start()
    try:
        peers = Peers(ingest)
        for _ in range(3):
            reader, writer = await peers.publish("guess", Chunker())
            assert b"the key is wrong" in (await reader.read()).lower()
            writer.close()
    finally:
        await ingest.aclose()
    assert _warnings(caplog) == ["from 127.0.0.1: a wrong key or token was shown to RTMP"]


def test_a_proxy_says_for_whom_it_asks(quick: None, caplog: pytest.LogCaptureFixture) -> None:
    server = LiveServer("serve.token=the-token-of-the-daemon")
    try:
        headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": "203.0.113.9"}
        with httpx.Client(base_url=server.url, headers=headers) as http:
            assert http.get("/metrics").status_code == 403
    finally:
        server.close()
    assert "from 203.0.113.9: a wrong key or token was shown to /metrics" in _warnings(caplog)
