"""Redirects, playlists, keys and resolvers do not lead where the first address may not."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from server.addresses.opening import opening
from server.addresses.reach import AddressError
from server.sessions.spec import SpecError
from stream.media.source import SourceError
from tests.helpers.http_servers import Site, serving
from tests.helpers.opened import asked, samples, terms, tone

HEAD = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
SEGMENT = "#EXTINF:1,\n"
END = "#EXT-X-ENDLIST\n"


@pytest.fixture(name="public")
def _public() -> Iterator[Site]:
    with serving("127.0.0.1") as site:
        yield site


@pytest.fixture(name="private")
def _private() -> Iterator[Site]:
    with serving("127.0.0.2") as site:
        yield site


@pytest.fixture(name="segment", scope="module")
def _segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tone(tmp_path_factory.mktemp("tone") / "a.ts", "mpegts").read_bytes()


ALLOWED = terms("127.0.0.1")


def test_a_redirect_is_checked_like_the_address(public: Site, private: Site) -> None:
    public.moved["/r"] = f"{private.url}/latest/meta-data"
    with pytest.raises(SourceError, match="private"):
        samples(asked(f"{public.url}/r", ALLOWED), ALLOWED.reach)
    assert public.asked == ["/r"]
    assert private.asked == []


@pytest.mark.parametrize(
    "line",
    [
        SEGMENT + "{private}/admin/delete?x=1.ts\n",
        '#EXT-X-KEY:METHOD=AES-128,URI="{private}/key"\n' + SEGMENT + "a.ts\n",
        '#EXT-X-MAP:URI="{private}/init.mp4"\n' + SEGMENT + "a.ts\n",
        SEGMENT + "moved.ts\n",
        SEGMENT + "httpproxy://127.0.0.2:{port}/a.ts\n",
        SEGMENT + "tcp://127.0.0.2:{port}\n",
        SEGMENT + "file:///etc/hostname\n",
        "#EXT-X-STREAM-INF:BANDWIDTH=1\n{private}/variant.m3u8\n",
    ],
)
def test_what_a_playlist_names_is_too(
    line: str, public: Site, private: Site, segment: bytes
) -> None:
    port = private.url.rpartition(":")[2]
    named = line.format(private=private.url, port=port)
    public.pages["/a.ts"] = segment
    public.pages["/list.m3u8"] = (HEAD + named + END).encode()
    public.moved["/moved.ts"] = f"{private.url}/b.ts"
    with contextlib.suppress(SourceError):
        assert samples(asked(f"{public.url}/list.m3u8", ALLOWED), ALLOWED.reach) == 0
    assert "/list.m3u8" in public.asked
    assert private.asked == []


def test_honest_hops_are_followed(public: Site, private: Site, segment: bytes) -> None:
    """A redirected playlist of relative, encrypted and partial segments plays as a whole."""
    key, iv = b"k" * 16, bytes(16)
    padding = PKCS7(128).padder()
    cipher = Cipher(algorithms.AES128(key), modes.CBC(iv)).encryptor()
    plain = padding.update(segment) + padding.finalize()
    half = len(segment) // 188 // 2 * 188
    public.pages |= {"/deep/key": key, "/deep/parts.ts": segment, "/deep/a.ts": segment}
    public.pages["/deep/secret.ts"] = cipher.update(plain) + cipher.finalize()
    public.moved["/list.m3u8"] = "/deep/list.m3u8"
    public.pages["/deep/list.m3u8"] = (
        HEAD.replace("VERSION:3", "VERSION:4")
        + SEGMENT
        + "a.ts\n#EXT-X-DISCONTINUITY\n"
        + f"{SEGMENT}#EXT-X-BYTERANGE:{half}@0\nparts.ts\n"
        + f"{SEGMENT}#EXT-X-BYTERANGE:{len(segment) - half}@{half}\nparts.ts\n"
        + f'#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x{iv.hex()}\n{SEGMENT}'
        + "secret.ts\n"
        + END
    ).encode()
    heard = samples(asked(f"{public.url}/list.m3u8", ALLOWED), ALLOWED.reach)
    assert heard > 2.8 * 48_000
    assert private.asked == []


def test_a_file_with_its_index_at_the_end_is_read(public: Site, tmp_path: Path) -> None:
    public.pages["/a.mp4"] = tone(tmp_path / "a.mp4", length=8)
    assert samples(f"{public.url}/a.mp4", ALLOWED.reach) > 7.5 * 48_000


def test_radio_that_answers_with_icy(segment: bytes) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"

    def answer() -> None:
        peer, _ = listening.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"ICY 200 OK\r\nicy-name: x\r\n\r\n" + segment)

    threading.Thread(target=answer, daemon=True).start()
    with listening:
        assert samples(url, ALLOWED.reach) > 40_000


def test_a_name_that_is_private_the_second_time(
    public: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is connected to is what was checked, at every connection."""
    port = public.url.rpartition(":")[2]
    answers = iter(["1.1.1.1", "127.0.0.1"])

    def resolve(host: str, *_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    strict = terms()
    source = asked(f"http://rebinding.example:{port}/a", strict)
    with pytest.raises(SourceError, match="private"):
        samples(source, strict.reach)
    assert public.asked == []


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_other_protocols_are_given_the_address_that_was_checked(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ["1.1.1.1"]

    def resolve(host: str, *_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    strict, url = terms(), f"{scheme}://user:pass@cdn.example:1234/live/name?x=1"
    opened = opening(asked(url, strict), strict.reach)
    if scheme == "rtmp":
        assert opened.address == f"{scheme}://user:pass@1.1.1.1:1234/live/name?x=1"
        assert opened.options["rtmp_tcurl"] == "rtmp://cdn.example:1234/live"
    found[:] = ["1.1.1.1", "10.0.0.1"]
    with pytest.raises(AddressError, match="private"):
        opening(url, strict.reach)
    with pytest.raises(SpecError, match="private"):
        asked(url, strict)
