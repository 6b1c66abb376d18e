"""Over TLS nobody but the server that was named is pulled from or pushed to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import certifi
import pytest

from server.addresses.pinned import pinned
from server.addresses.reach import EVERYWHERE
from server.outputs.push_process import hello, sound_record
from stream.media.aac import AacPacket
from stream.media.muxer import SoundTrack
from stream.media.source import SourceError
from tests.helpers.http_servers import Site, serving
from tests.helpers.opened import samples, tone


def certificate(folder: Path, name: str) -> Path:
    """A certificate of its own for a name, with its key in the same file."""
    path = folder / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        + ["-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}"]
        + ["-keyout", str(path), "-out", str(folder / "cert.pem")],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + (folder / "cert.pem").read_bytes())
    return path


@pytest.fixture(name="site", params=["DNS:somebody-else.invalid", "IP:127.0.0.1"])
def _site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, request.param))
    with serving("127.0.0.1", context) as site:
        site.pages["/a.ts"] = tone(tmp_path / "a.ts", "mpegts")
        yield site


def test_pulls_are_refused_unless_the_certificate_is_right(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(SourceError, match="(?i)certificate"):
        samples(f"{site.url}/a.ts")
    assert samples(f"{site.url}/a.ts", verify=False) > 40_000
    monkeypatch.setattr(certifi, "where", lambda: str(tmp_path / "cert.pem"))
    if "somebody" in request.node.name:
        with pytest.raises(SourceError, match="(?i)certificate"):
            samples(f"{site.url}/a.ts")
    else:
        assert samples(f"{site.url}/a.ts") > 40_000


@pytest.mark.parametrize("verified", [True, False])
def test_pushes_tell_their_key_to_nobody_else(verified: bool, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, "DNS:somebody-else.invalid"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        got = Future[bytes]()
        threading.Thread(target=_take, args=(listening, context, got), daemon=True).start()
        url = f"rtmps://127.0.0.1:{listening.getsockname()[1]}/live/stream-key"
        known = pinned(url, EVERYWHERE, verify=verified)
        first = hello(known.url, "flv", None, [SoundTrack(1)], 0, protocol=known.options)
        pushed = subprocess.run(
            [sys.executable, "-m", "server.outputs.push_process"],
            input=first + sound_record(AacPacket(0, bytes(9))),
            capture_output=True,
            timeout=30,
        )
        assert pushed.returncode and not pushed.stdout, "nothing was accepted"
        if verified:
            with contextlib.suppress(ssl.SSLError):
                assert got.result(5) == b"", "nothing was said"
        else:
            assert got.result(5)[:1] == b"\3", "the RTMP handshake began"


def _take(listening: socket.socket, context: ssl.SSLContext, got: Future[bytes]) -> None:
    try:
        peer, _ = listening.accept()
        with peer, context.wrap_socket(peer, server_side=True) as secure:
            got.set_result(secure.recv(100))
    except OSError as error:
        got.set_exception(error)
