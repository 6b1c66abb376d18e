"""What an srt URL says, and what it must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.addresses.pinned import pinned
from server.addresses.reach import EVERYWHERE, AddressError, Public
from server.addresses.srt_address import SrtAddress, SrtUrlError
from server.srt.ingest import key_in

NOTHING = Public.declared([])
LOCAL = Public.declared(["127.0.0.0/8"])

_TEXT = st.text(min_size=10, max_size=40).filter(
    lambda text: (
        10 <= len(text.encode("utf-8", "surrogatepass")) <= 79
        and not any("\ud800" <= char <= "\udfff" for char in text)
    )
)


@given(_TEXT, _TEXT, st.integers(20, 8000), st.sampled_from([16, 24, 32]))
def test_what_is_said_is_understood(
    passphrase: str, stream_id: str, latency: int, length: int
) -> None:
    address = SrtAddress("example.org", 9000, "caller", latency, passphrase, stream_id, length)
    assert SrtAddress.parsed(address.url) == address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("srt://host", "with a port"),
        ("srt://:9000?mode=listener", "SRT"),
        ("srt://host:99999", "no valid port"),
        ("srt://host:9000/path", "no path"),
        ("srt://user:hush@host:9000", "no path"),
        ("srt://host:9000?mode=rendezvous", "caller or listener"),
        ("srt://host:9000?latency=200000", "in milliseconds"),
        ("srt://host:9000?latency=-1", "in milliseconds"),
        ("srt://host:9000?passphrase=short", "10 to 79 characters"),
        ("srt://host:9000?streamid=" + "x" * 600, "512 bytes"),
        ("srt://host:9000?pbkeylen=8", "16, 24 or 32"),
        ("srt://host:9000?localaddr=1.2.3.4", "not 'localaddr'"),
    ],
)
def test_one_sentence_says_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(SrtUrlError, match=f"(?i){said}") as refused:
        SrtAddress.parsed(url)
    assert "hush" not in str(refused.value) and "short" not in str(refused.value)


def test_sessions_of_the_api_reach_what_others_do_and_listen_nowhere() -> None:
    with pytest.raises(AddressError, match="private"):
        pinned("srt://127.0.0.1:9000", NOTHING)
    found = SrtAddress.parsed(pinned("srt://localhost:9000?streamid=a%26b", LOCAL).url)
    assert (found.host, found.stream_id) == ("127.0.0.1", "a&b")
    with pytest.raises(AddressError, match="only sessions of the configuration"):
        pinned("srt://127.0.0.1:9000?mode=listener", LOCAL)
    assert SrtAddress.parsed(pinned("srt://0.0.0.0:1?mode=listener", EVERYWHERE).url).port == 1


@pytest.mark.parametrize(
    ("stream_id", "key"),
    [
        ("some-key", "some-key"),
        ("#!::r=some-key,m=publish", "some-key"),
        ("#!::u=obs,r=some-key", "some-key"),
        ("#!::r=some-key,m=request", ""),
        ("#!::m=publish", ""),
        ("#!::", ""),
        ("", ""),
    ],
)
def test_the_key_in_a_stream_id(stream_id: str, key: str) -> None:
    assert key_in(stream_id) == key
