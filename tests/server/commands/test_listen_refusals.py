"""What ``livedub listen`` refuses, in a sentence; it runs in this process."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from server.cli import main
from server.websocket.client import _address
from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from tests.helpers.bare_feed import bare_feed
from tests.helpers.ws_server import serving


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    started: queue.Queue[tuple[str, Callable[[], object]]] = queue.Queue()

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with bare_feed() as feed:
            programmes = Programmes({"live": feed}.__getitem__)
            async with serving(listen_router(programmes, Gate())) as url:
                started.put((url, lambda: loop.call_soon_threadsafe(stop.set)))
                await stop.wait()
            await programmes.aclose()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    address, end = started.get(timeout=60)
    yield address
    end()
    thread.join()


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("http://host:8080/#session=ferry", "ws://host:8080/sessions/ferry/listen"),
        ("https://host/?session=a%2Fb", "wss://host/sessions/a%2Fb/listen"),
        ("https://host/dub/#session=ferry&token=x", "wss://host/dub/sessions/ferry/listen"),
        ("ws://host/sessions/ferry/listen?track=pt", "ws://host/sessions/ferry/listen?track=pt"),
    ],
)
def test_the_address_of_the_page_is_understood(given: str, asked: str) -> None:
    assert _address(given).geturl() == asked


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ftp://host/x"], "ftp://host/x is no address"),
        (["http://host/"], "names no session: give an address like ws://host/sessions/ID/listen"),
        (["ws://[broken/x"], "is no address"),
        (["ws://127.0.0.1:1/x"], "127.0.0.1:1 cannot be listened to: "),
        (["URL/sessions/live/other"], "it answered with HTTP status 403"),
        (["URL/sessions/dead/listen"], "There is no session 'dead'"),
        (["URL/sessions/live/listen", "--track", "xx"], "There is no track 'xx'"),
        (["URL/sessions/live/listen", "--out", "no/where.wav"], "no does not exist"),
        (["URL/sessions/live/listen", "--out", "."], ". is a folder"),
        (["URL/sessions/live/listen", "--out", "x.xyz", "--no-captions"], "names a container"),
        (["ws://user:secret@127.0.0.1:1/x"], "livedub: 127.0.0.1:1 cannot be listened to: nothing"),
        (["ws://a..b/x"], "a..b is no address"),
        (["ws://127.0.0.1:1/x", "--token", "a\nb"], "The token has characters"),
        (["URL/sessions/live/listen", "--no-captions"], "Nothing would be heard"),
    ],
)
def test_refusals_are_one_sentence(
    url: str, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["listen", *(a.replace("URL", url) for a in arguments)]) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
