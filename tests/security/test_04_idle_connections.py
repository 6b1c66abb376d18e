"""Connections that ask for nothing, or never finish asking, cost nobody else anything."""

import asyncio
import contextlib
import errno
import logging
import resource
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import uvicorn

from server import descriptors
from server.hls.files import PatientDisk
from server.http.transport import Connections, LiveHttpProtocol
from server.limits import Clients, Places

HEAD = b"POST /sessions HTTP/1.1\r\nHost: localhost\r\n"


async def _app(scope: dict[str, object], receive: Callable[..., object], send: object) -> None:
    assert scope["type"] == "http"
    body = await receive()  # type: ignore[misc]
    while body.get("more_body"):
        body = await receive()  # type: ignore[misc]
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]


class Port:
    """An HTTP port with short deadlines and few places."""

    def __init__(self, most: int = 50, share: int = 50) -> None:
        self.places = Places(most, share, Clients())
        protocol = type("Quick", (LiveHttpProtocol,), {"head": 0.3, "body": 0.6})
        made = partial(protocol, connections=Connections(self.places))
        config = uvicorn.Config(
            _app,
            http=made,  # type: ignore[arg-type]
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = self.listening.getsockname()
        self._task: asyncio.Task[None] | None = None
        self._kept: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "Port":
        self._task = asyncio.create_task(self.server.serve(sockets=[self.listening]))
        while not self.server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in self._kept:
            writer.transport.abort()
        self.server.should_exit = True
        assert self._task is not None
        await self._task
        self.listening.close()

    async def connect(self, said: bytes = b"", source: str = "127.0.0.1") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(*self.address, local_addr=(source, 0))
        writer.write(said)
        self._kept.append(writer)
        return reader

    async def healthy(self) -> bool:
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{self.address[1]}/", timeout=5)
            return answer.status_code == 200


async def _ends(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(5):
            return await reader.read()
    return b""


@pytest.mark.parametrize(
    "said",
    [
        b"",
        HEAD,
        HEAD + b"Content-Length: 9\r\n\r\n{",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",  # the next one is never finished
    ],
    ids=["nothing", "half a head", "half a body", "half of a second head"],
)
async def test_who_does_not_finish_asking_is_cut_off(said: bytes) -> None:
    async with Port() as port:
        await _ends(await port.connect(said))
        await asyncio.sleep(0.05)
        assert port.places.taken == 0


async def test_who_takes_time_within_reason_is_served() -> None:
    async with Port() as port:
        reader = await port.connect(HEAD + b"Connection: close\r\n")
        await asyncio.sleep(0.15)
        port._kept[0].write(b"Content-Length: 2\r\n\r\n{")
        await asyncio.sleep(0.35)
        port._kept[0].write(b"}")
        assert (await _ends(reader)).startswith(b"HTTP/1.1 200")


async def test_a_flood_of_idle_connections_makes_way() -> None:
    async with Port(most=20) as port:
        idle = [await port.connect() for _ in range(60)]
        assert await port.healthy()
        assert port.places.taken <= 20
        await asyncio.gather(*map(_ends, idle))


async def test_one_address_has_its_share_and_no_more() -> None:
    async with Port(most=40, share=10) as port:
        flood = [await port.connect(source="127.0.0.66") for _ in range(30)]
        assert await port.healthy()
        assert port.places.taken <= 11
        await asyncio.gather(*map(_ends, flood))


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 18, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_full_table_is_one_line_in_the_log(
    few_descriptors: None, caplog: pytest.LogCaptureFixture
) -> None:
    descriptors.be_quiet_without(asyncio.get_running_loop())
    accepted: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(
        lambda _, writer: accepted.append(writer), "127.0.0.1", 0, backlog=128
    )
    address = server.sockets[0].getsockname()
    clients = [socket.socket() for _ in range(10)]  # more than can be accepted
    for client in clients:
        client.setblocking(False)
    with caplog.at_level(logging.INFO):
        for client in clients:
            client.connect_ex(address)
        await asyncio.sleep(0.05)
    for client in clients:
        client.close()
    server.close()
    for writer in accepted:
        writer.transport.abort()
    await asyncio.sleep(0)
    said = [record for record in caplog.records if "cannot be accepted" in record.message]
    assert len(said) == 1 == len(caplog.records)


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
    try:
        assert descriptors.raise_limit() == min(descriptors.WANTED, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOSPC])
def test_hls_goes_on_when_there_is_room_again(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, write = 3, Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(code, "full")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    disk = PatientDisk(pause=0.001)
    disk.put(tmp_path / "a.m4s", b"media")
    assert (tmp_path / "a.m4s").read_bytes() == b"media" and disk.trouble is None


def test_it_does_not_wait_for_a_disk_that_is_broken_or_a_session_that_has_ended(
    tmp_path: Path,
) -> None:
    with pytest.raises(FileNotFoundError):
        PatientDisk(pause=0.001).put(tmp_path / "absent" / "a.m4s", b"media")
    disk = PatientDisk(pause=60)
    disk.give_up()
    began = time.monotonic()
    disk.put(tmp_path / "a.m4s", b"media")  # one try is always made
    assert time.monotonic() - began < 30
