"""Addresses hold secrets: neither logs nor the API show more of them than scheme, host and port."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

import server.outputs.push_link
from server.addresses.shown import shown, without_addresses
from server.outputs.push_link import PushLink
from server.sessions.sources import Pull
from tests.helpers.http_servers import serving

SECRETS = ("hunter2", "SECRETSIG", "hidden-path", "next-secret")


@pytest.mark.parametrize("moved", ["", "/gone?next-secret", "rtmp://a/next-secret", "http://[x"])
async def test_of_sources(moved: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as site:
        if moved:
            site.moved["/hidden-path?signature=SECRETSIG"] = moved
        url = site.url.replace("//", "//user:hunter2@") + "/hidden-path?signature=SECRETSIG"
        pull = Pull(url)
        connecting = asyncio.create_task(pull.connect())
        async with asyncio.timeout(10):
            while pull.failure is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connecting
    assert "cannot be opened" in pull.failure
    for text in (pull.failure, caplog.text):
        assert not any(secret in text for secret in SECRETS)


def test_of_whatever_a_library_says() -> None:
    url = "rtmps://user:hunter2@example.org/live/hidden-path"
    said = f"{url} cannot be written: see rtmp://u:next-secret@192.0.2.1:99/SECRETSIG?x"
    assert without_addresses(said, url, "the server") == (
        "the server cannot be written: see rtmp://192.0.2.1:99"
    )
    assert shown("http://a:hunter2@[::1]:8/hidden-path?SECRETSIG") == "http://[::1]:8"


async def test_processes_of_pushes_get_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    monkeypatch.setenv("LIVEDUB_SERVE_TOKEN", "hunter2")
    given: dict[str, str] = {}

    async def start(*command: str, env: dict[str, str], **more: object) -> None:
        given.update(env)
        raise OSError

    monkeypatch.setattr(server.outputs.push_link.asyncio, "create_subprocess_exec", start)
    with pytest.raises(OSError):
        await PushLink("rtmp://a/b/c", 0, 0.0, lambda _: None).open(b"")
    assert "PYTHONPATH" in given and "hunter2" not in str(given)
