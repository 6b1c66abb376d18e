"""A datagram that is a playlist of local files plays none of them."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

import server.addresses.opening
from server.sessions.spec import SpecError
from stream.media.source import SourceError
from tests.helpers.nginx_rtmp import free_port
from tests.helpers.opened import asked, samples, terms, tone


@pytest.mark.parametrize(
    "query", ["localaddr=0.0.0.0", "sources=10.0.0.1", "timeout=x", "localport=5"]
)
def test_where_to_listen_is_not_the_strangers_to_say(query: str) -> None:
    with pytest.raises(SpecError, match="a udp URL takes"):
        asked(f"udp://1.1.1.1:15563/x.m3u8?{query}", terms())


def test_ordinary_options_stay() -> None:
    url = "udp://1.1.1.1:15563?pkt_size=1316&fifo_size=100"
    assert asked(url, terms()) == url


def test_no_recording_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.addresses.opening, "ANSWER_TIMEOUT_S", 0.6)
    recording = tone(tmp_path / "ferry.ts", "mpegts")
    playlist = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:60\n#EXTINF:60,\nfile://{recording}\n#EXT-X-ENDLIST\n"
    ).encode()
    port, stop = free_port(socket.SOCK_DGRAM), threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not stop.is_set():
                out.sendto(playlist, ("127.0.0.1", port))
                time.sleep(0.02)

    sender = threading.Thread(target=send)
    sender.start()
    threading.Timer(0.8, stop.set).start()
    try:
        with pytest.raises(SourceError):
            samples(f"udp://127.0.0.1:{port}/x.m3u8")
    finally:
        stop.set()
        sender.join()
