"""RTSP, RTMP and TLS lead nowhere but to addresses that were checked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import certifi
import pytest

from server.outputs.push import Push
from server.sessions.sources import Pull
from stream.media.source import SourceError
from tests.helpers.bare_feed import bare_feed, play
from tests.helpers.nginx_rtmp import Nginx, needs_nginx
from tests.helpers.opened import asked, samples, terms
from tests.helpers.rtsp_camera import camera
from tests.security.test_11_certificates import certificate

ALLOWED = terms("127.0.0.1")


@pytest.fixture(name="nginx")
def _nginx(tmp_path: Path) -> Iterator[Nginx]:
    (tmp_path / "nginx").mkdir()
    nginx = Nginx(tmp_path / "nginx")
    try:
        yield nginx
    finally:
        nginx.kill()


async def pulled(url: str) -> int:
    return await asyncio.to_thread(samples, asked(url, ALLOWED), ALLOWED.reach)


async def a_second_of(pull: Pull) -> None:
    async with asyncio.timeout(20):
        connection = await pull.connect()
        assert connection is not None
        async with contextlib.aclosing(connection.batches()) as batches:
            async for batch in batches:
                if batch[-1].end > 48_000:
                    return
    raise AssertionError("it ended early")


@pytest.mark.parametrize(
    "location",
    [
        "rtsp://127.0.0.2:{port}/admin",
        "rtsp://127.0.0.1:{port}@127.0.0.2:{port}/admin",
        "rtsp://127.0.0.2:{port}/admin\r\nLocation: rtsp://127.0.0.2:{port}/b",
        "rtsps://127.0.0.2:{port}/admin",
        "http://127.0.0.2:{port}/admin",
        "",
    ],
)
async def test_rtsp_redirects_nowhere_private(location: str) -> None:
    async with camera() as public, camera(host="127.0.0.2") as private:
        public.moved = location.format(port=private.port)
        with pytest.raises(SourceError):
            await pulled(f"rtsp://127.0.0.1:{public.port}/a")
        assert any("DESCRIBE" in line for line in public.asked)
        assert private.asked == []


async def test_the_reason_is_told() -> None:
    async with camera() as public, camera(host="127.0.0.2") as private:
        public.moved = f"rtsp://127.0.0.2:{private.port}/admin"
        pull = Pull(f"rtsp://127.0.0.1:{public.port}/a?secret", reach=ALLOWED.reach)
        with pytest.raises(SourceError, match="'127.0.0.2' is private"):
            await asyncio.to_thread(pull.open)


async def test_an_honest_rtsp_redirect_is_followed() -> None:
    async with camera() as public, camera() as other:
        public.moved = f"rtsp://user:word@127.0.0.1:{other.port}/deep/b?x=1"
        await a_second_of(Pull(f"rtsp://127.0.0.1:{public.port}/a", reach=ALLOWED.reach))
        assert other.asked[0].endswith("/deep/b?x=1 RTSP/1.0")
        assert "TCP" in other.setups[0]


async def test_rtsp_redirects_in_a_circle_end() -> None:
    async with camera() as public:
        public.moved = f"rtsp://127.0.0.1:{public.port}/a"
        with pytest.raises(SourceError):
            await pulled(f"rtsp://127.0.0.1:{public.port}/a")
        assert len(public.asked) < 30


async def test_rtsp_sends_no_datagrams_for_a_stranger() -> None:
    """`Transport: source=` would say where to."""
    async with camera(tcp=False) as public:
        with pytest.raises(SourceError):
            await pulled(f"rtsp://127.0.0.1:{public.port}/a")
        assert all("TCP" in one for one in public.setups)


async def test_rtmp_redirects_nowhere() -> None:
    """FFmpeg knows Adobe's `ex.redirect` as little as any other; this is told if that changes."""
    with socket.create_server(("127.0.0.2", 0)) as private:
        private.settimeout(0.5)
        url = f"rtmp://127.0.0.2:{private.getsockname()[1]}/live/a"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                hello = await reader.readexactly(1537)
                writer.write(b"\3" + bytes(1536) + hello[1:])
                await reader.readexactly(1536 + 20)
                writer.write(_moved(url))
                await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(SourceError):
                await pulled(f"rtmp://127.0.0.1:{port}/live/a")
        with pytest.raises(TimeoutError):
            private.accept()


def _moved(url: str) -> bytes:
    """`_error` of `connect`, as AMF0 in one chunk."""

    def text(value: str, kind: bytes = b"\2") -> bytes:
        return kind + len(value).to_bytes(2, "big") + value.encode()

    def fields(*pairs: tuple[str, bytes]) -> bytes:
        inner = b"".join(text(name, b"") + value for name, value in pairs)
        return b"\3" + inner + b"\0\0\x09"

    ex = fields(("code", b"\0" + b"\x40\x72\xe0" + bytes(5)), ("redirect", text(url)))
    info = fields(
        ("level", text("error")),
        ("code", text("NetConnection.Connect.Rejected")),
        ("description", text(f"[ code=302 redirect={url} ]")),
        ("ex", ex),
    )
    body = text("_error") + b"\0\x3f\xf0" + bytes(6) + b"\5" + info
    size = b"\2" + bytes(3) + b"\1" + (4096).to_bytes(4, "big")  # chunk size
    head = b"\2" + bytes(3) + (4).to_bytes(3, "big") + size[:1].replace(b"\2", b"\1") + bytes(4)
    chunk = b"\3" + bytes(3) + len(body).to_bytes(3, "big") + b"\x14" + bytes(4)
    return head + size[5:] + chunk + body


async def test_rtmps_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a certificate to check, a second answer of the name server would do."""
    real, answers = socket.getaddrinfo, iter(["1.1.1.1"])

    def resolve(host: str, *args: object, **more: object) -> list[object]:
        if host != "rebinding.example":
            return list(real(host, *args, **more))  # type: ignore[arg-type]
        address = next(answers, "127.0.0.2")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with socket.create_server(("127.0.0.2", 0)) as private:
        private.settimeout(0.3)
        url = f"rtmps://rebinding.example:{private.getsockname()[1]}/live/a"
        pull = Pull(asked(url, ALLOWED), reach=ALLOWED.reach, verify=False)
        with pytest.raises(Exception, match="private"):
            await asyncio.to_thread(pull.open)
        with pytest.raises(TimeoutError):
            private.accept()


@contextlib.asynccontextmanager
async def tls_before(port: int, folder: Path) -> AsyncIterator[int]:
    """A port that leads to another one, by TLS, as in front of a service that takes pushes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(folder, "IP:127.0.0.1"))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(copy(reader, back), copy(there, writer))
        finally:
            back.transport.abort()
            writer.transport.abort()

    serving: list[asyncio.Task[None] | None] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
    tasks = [task for task in serving if task is not None and task.cancel()]
    await asyncio.gather(*tasks, return_exceptions=True)


@needs_nginx
async def test_rtmps_is_pushed_and_pulled_by_way_of_here(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(nginx.start)
    async with tls_before(nginx.port, tmp_path) as port, bare_feed() as feed:
        url = f"rtmps://127.0.0.1:{port}/live/show"
        refused = Push(feed, ("pt",), url, ALLOWED.reach)
        running = [asyncio.create_task(refused.run())]
        playing = asyncio.create_task(play(feed, [], 0, 40, pace=2))
        async with asyncio.timeout(20):
            while refused.status().failure is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert "certificate is not accepted" in str(refused.status().failure)
        await refused.aclose()
        monkeypatch.setattr(certifi, "where", lambda: str(tmp_path / "cert.pem"))
        push = Push(feed, ("pt",), url, ALLOWED.reach)
        running.append(asyncio.create_task(push.run()))
        async with asyncio.timeout(20):
            while not push.connected:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await a_second_of(Pull(asked(url, ALLOWED), reach=ALLOWED.reach))
        playing.cancel()
        await push.aclose()
        await asyncio.gather(*running)
    assert "show" not in caplog.text
