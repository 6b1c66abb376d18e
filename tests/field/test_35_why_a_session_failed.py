"""Of a session that failed, the API said "ExceptionGroup" and an encoder "the key is wrong"; the
cause must stand in one sentence in API and log, every door say that it has failed, and the session
start again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from server.outputs.recording import Recording
from server.rtmp.amf0 import decode
from server.sessions import daemon as daemon_module
from server.sessions.live import LiveSession
from stages.base import EngineError
from stream.errors import cause
from stream.live.connection import ConnectionStatus, LiveBatch
from stream.media.sink import SinkError
from tests.helpers.bare_feed import bare_feed, play
from tests.helpers.daemons import Served, served
from tests.helpers.rtc import until
from tests.helpers.rtmp_peer import HELLO, Chunker, introduction
from tests.helpers.scripted import ScriptedPool

KEY = "the-right-key"
FAULT = "a fault in livedub: IndexError: deque index out of range"


class Breaks:
    """Makes the pipelines of the first sessions break down as soon as they run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, error: Exception) -> None:
        self.left = times
        run = LiveSession.run

        async def breaking(session: LiveSession) -> None:
            if self.left:
                self.left -= 1
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._raise(error))
                finally:
                    session.feed.close()
            await run(session)

        monkeypatch.setattr(LiveSession, "run", breaking)

    async def _raise(self, error: Exception) -> None:
        raise error


class Waiting:
    """A publisher that sends nothing."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        await self.closed.wait()
        return
        yield

    async def aclose(self) -> None:
        self.closed.set()

    def status(self) -> ConnectionStatus:
        return ConnectionStatus("rtmp")


async def _failed(it: Served) -> dict[str, Any]:
    await it.http.post("/sessions", json={"id": "s", "key": KEY})
    await until(lambda: it.daemon.sessions["s"].state == "failed")
    return await it.shown("s")


async def _waits_for_its_restart(it: Served) -> dict[str, Any]:
    await _failed(it)
    await until(lambda: it.daemon.sessions["s"].restart_at is not None)
    return await it.shown("s")


async def test_the_api_and_the_log_say_what_happened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon_module, "FIRST_PAUSE_S", 60)
    Breaks(monkeypatch, 1, IndexError("deque index out of range"))
    async with served() as it:
        shown = await _waits_for_its_restart(it)
        assert shown["error"] == FAULT
        assert 0 < shown["restart_in_s"] <= 60
    assert f"session s has failed by {FAULT}" in caplog.text
    assert "session s starts again in 60 s" in caplog.text
    assert "Traceback" in caplog.text, "it is a fault to be looked into"


async def _told_by_rtmp(port: int, key: str) -> str:
    """What a publisher is told who is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HELLO + Chunker().bytes(*introduction("live", key)))
    async with asyncio.timeout(60):
        said = await reader.read()
    writer.close()
    at = said.rindex(b"\x02\x00\x08onStatus")
    values = decode(said[at:])
    assert isinstance(values[3], dict) and values[3]["level"] == "error"
    return str(values[3]["description"])


async def test_every_door_says_what_happened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon_module, "FIRST_PAUSE_S", 60)
    Breaks(monkeypatch, 1, IndexError("deque index out of range"))
    async with served("serve.rtmp_port=0") as it:
        await _waits_for_its_restart(it)
        assert it.daemon.rtmp is not None
        told = await _told_by_rtmp(it.daemon.rtmp.port, KEY)
        assert told.startswith("Session 's' has failed (it starts again in ")
        assert "was refused: session 's' has failed" in caplog.text
        wrong = await _told_by_rtmp(it.daemon.rtmp.port, "another-key")
        assert wrong == "There is no such stream, or the key is wrong."
        bearer = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/sdp"}
        for asked in (
            it.http.post("/sessions/s/whip", content="v=0", headers=bearer),
            it.http.post("/sessions/s/whep", content="v=0", headers=bearer),
            it.http.get("/sessions/s/hls/master.m3u8"),
        ):
            answer = await asked
            assert answer.status_code == 503, answer.text
            assert "has failed" in answer.json()["detail"] and FAULT not in answer.text
            assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_it_starts_again_and_takes_the_publisher_who_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemon_module, "FIRST_PAUSE_S", 0.05)
    Breaks(monkeypatch, 2, IndexError("deque index out of range"))
    async with served() as it:
        first = await _failed(it)
        assert first["restarts"] in (0, 1)
        await until(lambda: it.daemon.sessions["s"].state == "waiting")
        shown = await it.shown("s")
        assert (shown["error"], shown["restarts"], shown["restart_in_s"]) == (None, 2, None)
        await it.daemon.admit("s", Waiting())
        await until(lambda: it.daemon.sessions["s"].state == "live")


async def test_what_was_recorded_before_a_failure_is_kept(tmp_path: Path) -> None:
    """A session that starts again, or a daemon that does, goes on in the next file."""
    (tmp_path / "a.mp4").write_text("of an earlier run")
    (tmp_path / ".a-2.part.mp4").write_text("of a run that was killed")
    async with bare_feed() as feed:
        recording = Recording(feed, tmp_path / "a.mp4")
        running = asyncio.create_task(recording.run())
        await play(feed, [], 0, 3)
    await running
    assert [path.name for path in recording.files] == ["a-3.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "of an earlier run"


async def test_engines_that_come_later_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """At boot the network, and so the weights, may come after the daemon."""

    class LatePool(ScriptedPool):
        tries = 0

        async def source(self, config: Any, owner: str) -> Any:
            self.tries += 1
            if self.tries == 1:
                raise EngineError("asr.model 'tiny' cannot be fetched: no network.")
            return await super().source(config, owner)

    monkeypatch.setattr(daemon_module, "FIRST_PAUSE_S", 0.3)
    async with served(pool=LatePool()) as it:
        shown = await _failed(it)
        assert shown["error"] == "asr.model 'tiny' cannot be fetched: no network."
        await until(lambda: it.daemon.sessions["s"].state == "waiting")


async def test_a_publisher_who_waited_for_the_engines_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class NoPool(ScriptedPool):
        async def source(self, config: Any, owner: str) -> Any:
            await asyncio.sleep(0.2)
            raise EngineError("no engine.")

    async with served(pool=NoPool()) as it:
        await it.http.post("/sessions", json={"id": "s"})
        publisher = Waiting()
        await it.daemon.admit("s", publisher)
        await asyncio.wait_for(publisher.closed.wait(), 60)


async def test_a_failed_session_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    Breaks(monkeypatch, 99, IndexError())
    async with served() as it:
        await _failed(it)
        assert (await it.http.delete("/sessions/s")).status_code == 204
        assert it.daemon.sessions == {} and it.daemon.running == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "TimeoutError"),
        (ExceptionGroup("a", [ExceptionGroup("b", [ValueError("c\nd")])]), "ValueError: c"),
        (OSError(28, "No space left on device", "/secret/path"), "No space left on device"),
        (SinkError("out.mp4 is full"), "out.mp4 is full"),
    ],
)
def test_a_cause_is_a_sentence_without_paths(error: Exception, said: str) -> None:
    assert cause(error) == said
