"""The deployment in examples/compose: it parses, and its nginx and coturn do their part.

They run here with the very files, but for ports, host names and the place of the certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aioice
import httpx
import pytest
import yaml
from aioice.ice import TransportPolicy
from websockets.asyncio.client import connect

from server.config import load
from server.sessions.spec import SessionSpec
from tests.helpers.live_server import LiveServer
from tests.helpers.nginx_rtmp import free_port
from tests.helpers.rtc import Viewer, until
from tests.helpers.streams import small_source

COMPOSE = Path(__file__).parents[2] / "examples" / "compose"

needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
needs_coturn = pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="coturn is not installed"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("source") / "source.mp4", length=30)


@pytest.fixture
def server(source: Path) -> Iterator[LiveServer]:
    running = LiveServer("playout.delay=1.5", f"serve.files={source.parent}")
    yield running
    running.close()


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """A configuration with what belongs to its machine exchanged; each must occur."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < deadline
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def test_every_file_that_compose_names_is_there_and_every_service_can_start() -> None:
    compose = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    assert set(compose["services"]) == {"livedub", "nginx", "coturn"}
    ours = {"./certs"}  # to be brought along
    for service in compose["services"].values():
        assert "image" in service or (COMPOSE / service["build"] / "Dockerfile").exists()
        for volume in service.get("volumes", ()):
            place = volume.partition(":")[0]
            if place.startswith("."):
                assert place in ours or (COMPOSE / place).is_file(), place
            else:
                assert place in compose["volumes"]


def test_the_daemons_configuration_is_one() -> None:
    config = load(COMPOSE / "config.yaml", environment={})
    (session,) = config.serve.sessions
    SessionSpec.model_validate(session).configured(config)
    turn = (COMPOSE / "turnserver.conf").read_text()
    (server_,) = config.serve.ice_servers
    user, password = server_.removeprefix("turn:").partition("@")[0].split(":")
    assert f"user={user}:{password}\n" in turn
    assert f"listening-port={server_.rpartition(':')[2]}\n" in turn


@needs_nginx
def test_through_nginx_everything_is_reached_with_tls(
    server: LiveServer, source: Path, tmp_path: Path
) -> None:
    http, https = free_port(), free_port()
    (tmp_path / "certs").mkdir()
    certificate = tmp_path / "certs" / "fullchain.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-keyout", tmp_path / "certs" / "privkey.pem", "-out", certificate),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    upstream = server.url.removeprefix("http://")
    (tmp_path / "nginx.conf").write_text(
        replaced(
            (COMPOSE / "nginx.conf").read_text(),
            (
                "pid /var/run/nginx.pid;",
                f"pid {tmp_path}/pid; error_log log; daemon off;",
            ),
            ("server livedub:8080;", f"server {upstream};"),
            ("listen 80;", f"listen 127.0.0.1:{http};"),
            ("listen 443 ", f"listen 127.0.0.1:{https} "),
        )
    )
    trusted = ssl.create_default_context(cafile=str(certificate))
    nginx = ["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "log"]

    async def visit() -> None:
        base = f"https://localhost:{https}"
        async with httpx.AsyncClient(base_url=base, verify=trusted, timeout=60) as client:
            plain = await client.get(f"http://localhost:{http}/a?b=c", follow_redirects=False)
            assert plain.status_code == 301
            assert plain.headers["location"] == "https://localhost/a?b=c"
            assert (await client.get("/")).text.startswith("<!doctype html>")
            created = await client.post("/sessions", json={"id": "a", "source": str(source)})
            assert created.status_code == 201, created.text
            large = await client.post("/sessions", content=b"{" + b" " * 70_000)
            assert large.status_code == 413
            async with asyncio.timeout(60):
                playlist = "/sessions/a/hls/master.m3u8"
                while (await client.get(playlist)).status_code != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            # A page's origin is this server's name and port, so both must reach the daemon.
            address = f"wss://localhost:{https}/sessions/a/listen"
            async with connect(address, ssl=trusted, origin=base) as listening:  # type: ignore[arg-type]
                assert json.loads(await listening.recv())["type"] == "hello"
                assert isinstance(await listening.recv(), bytes | str)
            viewer = Viewer()
            try:
                headers = {"Content-Type": "application/sdp"}
                answer = await client.post(
                    "/sessions/a/whep", content=await viewer.offer(), headers=headers
                )
                assert answer.status_code == 201, answer.text
                assert (await client.delete(answer.headers["location"])).status_code == 200
            finally:
                await viewer.close()

    with running(nginx, https):
        asyncio.run(visit())


@needs_coturn
def test_media_flows_through_coturn_alone(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = aioice.Connection.__init__

    def behind_a_firewall(self: aioice.Connection, **options: Any) -> None:
        """Whoever has a TURN server, which is the daemon, has no other way out."""
        if options.get("turn_server") is not None:
            options["transport_policy"] = TransportPolicy.RELAY
        made(self, **options)

    monkeypatch.setattr(aioice.Connection, "__init__", behind_a_firewall)
    port, address = free_port(), _own_address()
    (tmp_path / "turnserver.conf").write_text(
        replaced(
            (COMPOSE / "turnserver.conf").read_text(),
            ("listening-port=3478", f"listening-port={port}"),
            ("realm=dub.example.org", f"realm=localhost\npidfile={tmp_path}/pid"),
            # The viewer is on this machine, which has a private address.
            ("no-multicast-peers", f"no-multicast-peers\nallowed-peer-ip={address}"),
        )
    )
    secret = "livedub:REPLACE-turn-password"
    live = LiveServer(
        "playout.delay=1.5",
        f"serve.files={source.parent}",
        f'serve.ice_servers=["turn:{secret}@{address}:{port}"]',
    )

    async def watch() -> None:
        async with httpx.AsyncClient(base_url=live.url, timeout=60) as client:
            await client.post("/sessions", json={"id": "a", "source": str(source)})
            async with asyncio.timeout(60):
                while not (await client.get("/sessions/a")).json()["position"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            viewer = Viewer()
            try:
                headers = {"Content-Type": "application/sdp"}
                answer = await client.post(
                    "/sessions/a/whep", content=await viewer.offer(), headers=headers
                )
                assert answer.status_code == 201, answer.text
                ways = [line for line in answer.text.splitlines() if "candidate:" in line]
                assert ways and all("typ relay" in way for way in ways)
                await viewer.accept(answer.text)
                await until(lambda: min(map(len, viewer.packets.values())) > 20)
            finally:
                await viewer.close()

    command = ["turnserver", "-c", str(tmp_path / "turnserver.conf"), "-L", address]
    command += ["-L", "127.0.0.1", "-E", address]
    try:
        with running(command, port):
            asyncio.run(watch())
    finally:
        live.close()


def _own_address() -> str:
    """This machine's address, as another one would see it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
