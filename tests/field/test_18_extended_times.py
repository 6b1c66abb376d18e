"""After 4 h 40 min some RTMP encoders leave the extended time out of continuation chunks, and the
connection broke; every byte must arrive from those that repeat it and from those that do not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.rtmp_exchange import feed, media, published, tags
from tests.helpers.rtmp_peer import AUDIO, VIDEO, Chunker, Sent

EXTENDED = 0xFFFFFF


class Leaving(Chunker):
    """Leaves the extended time out of some continuation chunks, or repeats the absolute one."""

    def __init__(self, size: int, how: str, order: random.Random) -> None:
        super().__init__(size, compress=how == "absolute")
        self._how, self._order = how, order

    def chunks(self, message: Sent) -> list[bytes]:
        first, *rest = super().chunks(message)
        extended = first[0] >> 6 == 0 and message.time >= EXTENDED
        if not extended or self._how == "kept":
            return [first, *rest]
        time = message.time.to_bytes(4, "big")
        assert all(part[1:5] == time for part in rest)
        leave = {"never": lambda: False, "always": lambda: True}.get(self._how)
        leave = leave or (lambda: self._order.random() < 0.5)
        return [first, *(part[:1] + part[5:] if leave() else part for part in rest)]


def bodies(order: random.Random, sizes: list[int]) -> list[bytes]:
    return [b"\x27\x01" + order.randbytes(size) for size in sizes]


@pytest.mark.parametrize("how", ["never", "always", "sometimes"])
@examples(0.6)
@given(
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=6),
    size=st.sampled_from([128, 200, 4096]),
    step=st.integers(1, 300),
    seed=st.integers(0, 1000),
)
def test_every_byte_arrives(how: str, sizes: list[int], size: int, step: int, seed: int) -> None:
    order = random.Random(seed)
    chunker = Leaving(size, how, order)
    protocol = published(Chunker())
    protocol.receive_data(Chunker().bytes(Sent(2, 1, 0, 0, size.to_bytes(4, "big"))))
    sent = [
        Sent(6 if n % 2 else 7, AUDIO if n % 2 else VIDEO, 1, EXTENDED - 2 * step + n * step, body)
        for n, body in enumerate(bodies(order, sizes))
    ]
    data = b"".join(b"".join(chunker.chunks(message)) for message in sent)
    cuts = sorted(order.randrange(len(data) + 1) for _ in range(4))
    edges = [0, *cuts, len(data)]
    parts = [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    # What ends a publication follows, so that nothing waits for more.
    found = tags(media(feed(protocol, *parts, Chunker().bytes(Sent(9, 4, 0, 0, bytes(6))))))
    assert found == [(message.kind, message.time, message.body) for message in sent]


def test_a_message_that_ends_within_four_bytes_does_not_wait() -> None:
    protocol = published(Chunker())
    sent = Sent(6, AUDIO, 1, EXTENDED + 5, b"\xaf\x01" + bytes(128))
    data = b"".join(Leaving(128, "always", random.Random(0)).chunks(sent))
    assert tags(media(feed(protocol, data))) == [(AUDIO, sent.time, sent.body)]


def test_a_time_may_be_cut_by_the_network_anywhere() -> None:
    chunker = Leaving(128, "kept", random.Random(0))
    sent = Sent(6, AUDIO, 1, EXTENDED + 5, b"\xaf\x01" + bytes(200))
    data = b"".join(chunker.chunks(sent))
    for cut in range(len(data)):
        assert tags(media(feed(published(Chunker()), data[:cut], data[cut:]))) == [
            (AUDIO, sent.time, sent.body)
        ]


@pytest.mark.parametrize("leave", [False, True])
def test_messages_of_the_shortest_header_go_on_in_steps(leave: bool) -> None:
    """A new message of form 3 stands for the same step again, with the extended time or not."""
    protocol = published(Chunker())
    step = 0x1000000
    head = b"\x46" + b"\xff\xff\xff" + (2).to_bytes(3, "big") + bytes([AUDIO])
    first = b"\x06" + bytes(3) + (2).to_bytes(3, "big") + bytes([AUDIO]) + b"\1\0\0\0" + b"\xaf\1"
    again = b"\xc6" + (b"" if leave else step.to_bytes(4, "big")) + b"\xaf\x03"
    tail = Chunker().bytes(Sent(9, 4, 0, 0, bytes(6)))
    data = first + head + step.to_bytes(4, "big") + b"\xaf\x02" + again + tail
    times = [(time, body) for _, time, body in tags(media(feed(protocol, data)))]
    assert times == [(0, b"\xaf\1"), (step, b"\xaf\2"), (2 * step, b"\xaf\3")]
