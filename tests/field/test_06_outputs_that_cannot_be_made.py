"""A session hung in "starting" without a word when a folder or address of an output could not be
used; it must be refused in a sentence, or run without that output and say so in the API at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from server.sessions.daemon import Daemon
from server.sessions.spec import SpecError
from stream.errors import UserError
from tests.helpers.daemons import served
from tests.helpers.rtc import until

RECORDED = json.dumps([{"id": "s", "outputs": [{"record": "a.mp4"}]}])


async def _shown_failure(folder: str, log: pytest.LogCaptureFixture) -> str:
    """Why the recording fails of a session that nobody publishes to."""
    async with served(f"serve.recordings={folder}", f"serve.sessions={RECORDED}") as it:
        session = it.daemon.sessions["s"]
        await until(lambda: session.state == "waiting" and session.outputs[-1].failure is not None)
        shown = await it.shown("s")
        assert shown["state"] == "waiting" and shown["error"] is None
        recording = shown["outputs"][-1]  # type: ignore[index]
        assert recording["state"] == "failed"
        assert shown["outputs"][0]["state"] == "running"  # type: ignore[index]
        failure: str = recording["failure"]
        assert failure in log.text
        return failure


async def test_a_folder_that_cannot_be_made(caplog: pytest.LogCaptureFixture) -> None:
    failure = await _shown_failure("/proc/nothing", caplog)
    assert failure == "the recording 'a.mp4' has ended: No such file or directory"


async def test_a_folder_that_is_there_but_takes_no_file(caplog: pytest.LogCaptureFixture) -> None:
    # Not one without the right to write, which root has in spite of its mode.
    failure = await _shown_failure("/proc/self", caplog)
    assert failure.startswith("the recording 'a.mp4' has ended: ")


async def test_a_folder_that_is_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("")
    failure = await _shown_failure(str(tmp_path / "taken"), caplog)
    assert failure == "the recording 'a.mp4' has ended: File exists"


@pytest.mark.parametrize(
    "url",
    ["sftp://127.0.0.1:9000", "http://127.0.0.1/a", "rtsp://127.0.0.1/a", "rtmp:///a", "udp:"],
)
async def test_a_push_of_another_kind_is_refused_over_http_and_in_the_configuration(
    url: str,
) -> None:
    outputs = [{"url": url}]
    async with served("serve.hosts=[127.0.0.1]") as it:
        answer = await it.http.post("/sessions", json={"outputs": outputs})
        assert answer.status_code == 422
        assert "an output's url is rtmp://HOST" in answer.json()["detail"]
        assert it.daemon.sessions == {}
    with pytest.raises(SpecError, match="an output's url is rtmp://HOST"):
        async with served(f"serve.sessions={json.dumps([{'outputs': outputs}])}"):
            pass


async def test_no_place_for_the_files_of_hls(monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    from server.config import load

    monkeypatch.setattr(tempfile, "tempdir", "/proc/nothing")
    with pytest.raises(UserError, match="set TMPDIR"):
        Daemon(load(environment={}))


async def test_a_pulled_source_that_is_not_there_says_so(caplog: pytest.LogCaptureFixture) -> None:
    url = "rtmp://user:secret@127.0.0.1:9/live/secret"
    async with served("serve.hosts=[127.0.0.1]") as it:
        assert (await it.http.post("/sessions", json={"id": "p", "source": url})).status_code == 201
        session = it.daemon.sessions["p"]
        await until(lambda: session.describe().source_failure is not None)
        shown = await it.shown("p")
        assert shown["state"] == "waiting"
        assert shown["source_failure"] == "the source cannot be opened: Connection refused"
        await asyncio.sleep(1.3)  # the second attempt
    assert caplog.text.count("Connection refused") == 1 and "secret" not in caplog.text
