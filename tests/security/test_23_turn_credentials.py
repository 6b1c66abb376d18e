"""TURN credentials that viewers are told end by themselves, and do not tell the secret."""

import base64
import hashlib
import hmac
import time

import pytest

from server.webrtc import ice_servers
from server.webrtc.ice_servers import SharedSecret, ice_links, ice_server
from server.webrtc.peers import Peers

SECRET = "what-we-share"


def test_credentials_are_what_the_server_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ice_server(f"turn:{SECRET}@turn.example.org:3478?transport=udp")
    assert isinstance(made, SharedSecret) and SECRET not in repr(made)
    peers = Peers(ice_servers=[made, ice_server("stun:stun.example.org")])
    (turn, stun) = peers.ice_servers
    assert turn.urls == "turn:turn.example.org:3478?transport=udp" and stun.username is None
    expires, _, _ = str(turn.username).partition(":")
    assert 0 < int(expires) - time.time() <= ice_servers.LIFETIME_S
    wanted = hmac.new(SECRET.encode(), str(turn.username).encode(), hashlib.sha1).digest()
    assert turn.credential == base64.b64encode(wanted).decode()
    assert SECRET not in str(ice_links(peers.ice_servers))
    monkeypatch.setattr(time, "time", lambda: int(expires) + 1.0)
    assert peers.ice_servers[0].username != turn.username, "each gets its own"


@pytest.mark.parametrize("url", ["turn:@host", "turn::@host", "turn:a:@host", "stun:a@host"])
def test_what_is_neither_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="turn:secret@host") as told:
        ice_server(url)
    assert "'stun:a@" not in str(told.value)
