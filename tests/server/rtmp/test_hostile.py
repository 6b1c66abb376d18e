"""Whatever a peer sends: an RTMP error at worst, in bounded memory."""

import random
import re
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtmp import amf0
from server.rtmp.chunks import (
    MAX_CHUNK_STREAMS,
    MAX_MEDIA,
    MAX_OTHER,
    MAX_UNFINISHED,
    RtmpError,
)
from server.rtmp.protocol import (
    PENDING_BYTES,
    PREAMBLE_BYTES,
    PREAMBLE_MESSAGES,
    RtmpProtocol,
)
from tests.helpers.rtmp_exchange import (
    feed,
    media,
    published,
    tags,
)
from tests.helpers.rtmp_peer import (
    AUDIO,
    COMMAND,
    DATA,
    HELLO,
    VIDEO,
    Chunker,
    Sent,
    command,
    control,
    interleaved,
    introduction,
)


def after(*messages: Sent) -> bytes:
    return HELLO + Chunker().bytes(*introduction()[:1], *messages)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/1.1\r\n", "not RTMP"),
        (HELLO + Chunker().bytes(command("createStream", 1.0, None)), "before connect"),
        (HELLO + Chunker().bytes(command("connect", 1.0, {"x": 1.0})), "names no app"),
        (HELLO + Chunker().bytes(command("connect")), "names no app"),
        (after(command("publish", 5.0, None)), "names no stream"),
        (after(command("publish", 5.0, None, 3.0)), "names no stream"),
        (after(command("play", 5.0, None, "KEY")), "publishers only"),
        (after(Sent(4, AUDIO, 1, 0, b"x")), "before anything was published"),
        (after(Sent(4, DATA, 1, 0, amf0.encode(["x"]))), "before anything was published"),
        (after(Sent(4, 22, 1, 0, b"\x08\x00\x01" + bytes(8))), "aggregate"),
        (after(Sent(4, COMMAND, 0, 0, b"\x02\xff\xff")), "cut short"),
        (after(control(1, bytes(4))), "chunk size of 0"),
        (after(control(1, b"\xff\xff\xff\xff")), "chunk size of 4294967295"),
        (after(control(1, b"\x00")), "cut short"),
        (HELLO + b"\xc3", "never sent"),
        (HELLO + b"\x83\x00\x00\x00", "never sent"),
        (HELLO + b"\x03" + bytes(3) + b"\x01\x00\x01\x14" + bytes(4), "is the limit"),
        (HELLO + b"\x03" + bytes(3) + b"\x40\x00\x01\x09" + bytes(4), "is the limit"),
        (HELLO + (b"\x03" + bytes(4) + b"\x01\x00\x14" + bytes(132)) * 2, "had ended"),
        (
            HELLO
            + b"".join(
                Chunker().bytes(Sent(channel, 3, 0, 0, bytes(4)))
                for channel in range(100, 101 + MAX_CHUNK_STREAMS)
            ),
            "chunk streams are open",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(data: bytes, message: str) -> None:
    protocol = RtmpProtocol()
    with pytest.raises(RtmpError, match=message):
        protocol.receive_data(data)
    protocol.receive_data(data)  # of no more use, but harmless
    assert protocol.buffered <= MAX_OTHER


def test_only_so_much_is_read_before_somebody_publishes() -> None:
    protocol = RtmpProtocol()
    protocol.receive_data(HELLO)
    buffer_length = Chunker(compress=False).bytes(control(4, b"\x00\x03" + bytes(8)))
    for _ in range(PREAMBLE_MESSAGES):
        protocol.receive_data(buffer_length)
    with pytest.raises(RtmpError, match="nothing was published in 64 messages"):
        protocol.receive_data(buffer_length)
    protocol = RtmpProtocol()
    protocol.receive_data(HELLO)
    long = b"".join(Chunker().chunks(Sent(3, 20, 0, 0, bytes(MAX_OTHER))))
    with pytest.raises(RtmpError, match="nothing was published in the first"):
        for start in range(0, PREAMBLE_BYTES, 1000):
            protocol.receive_data(long[start : start + 1000])


def test_only_so_much_is_held_while_the_application_decides() -> None:
    protocol = RtmpProtocol()
    protocol.receive_data(HELLO + Chunker().bytes(*introduction()))
    with pytest.raises(RtmpError, match="without waiting"):
        for _ in range(PENDING_BYTES // 1000 + 2):
            protocol.receive_data(bytes(1000))
            assert protocol.buffered <= PENDING_BYTES + 1000


def test_unfinished_messages_cannot_pile_up() -> None:
    protocol = published(Chunker())
    channels = range(10, 20)
    large = control(1, (1 << 20).to_bytes(4, "big"))
    feed(protocol, Chunker().bytes(large))
    with pytest.raises(RtmpError, match="unfinished messages"):
        for channel in channels:
            head = bytes([channel]) + bytes(3) + MAX_MEDIA.to_bytes(3, "big") + b"\x09" + bytes(4)
            part = bytes(1 << 20)
            feed(protocol, head + part, *([bytes([0xC0 | channel]) + part] * 2))
    assert protocol.buffered <= MAX_UNFINISHED + (2 << 20)


def test_a_decision_needs_a_publisher() -> None:
    protocol = published(Chunker())
    with pytest.raises(RuntimeError):
        protocol.accept()
    with pytest.raises(RuntimeError):
        RtmpProtocol().refuse("No.")


messages = st.lists(
    st.builds(
        Sent,
        st.sampled_from([4, 6, 63, 64, 319, 320, 65_599]),
        st.sampled_from([AUDIO, VIDEO]),
        st.just(1),
        st.integers(0, 1000) | st.integers(0xFFFF00, 0x1000100) | st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=700),
    ),
    max_size=12,
)


@given(
    messages,
    st.sampled_from([1, 10, 128, 4096]),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_any_cut_and_any_interleaving_gives_the_same_messages(
    sent: list[Sent], size: int, order: random.Random, compress: bool
) -> None:
    sent = [replace(m, body=bytes([number]) + m.body) for number, m in enumerate(sent)]
    chunker = Chunker(compress=compress)
    opening = HELLO + chunker.bytes(*introduction(), control(1, size.to_bytes(4, "big")))
    chunker.size = size
    data = opening + interleaved(chunker, sent, order)
    cuts = sorted(order.randrange(len(data) + 1) for _ in range(order.randrange(30)))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    flv = media(feed(RtmpProtocol(), *parts))
    assert flv == media(feed(RtmpProtocol(), data))
    found = tags(flv[13:])
    assert sorted((kind, body) for kind, _, body in found) == sorted((m.kind, m.body) for m in sent)
    for channel in {message.channel for message in sent}:
        numbers = {m.body[0] for m in sent if m.channel == channel}
        got = [body[0] for _, _, body in found if body[0] in numbers]
        assert got == sorted(numbers)


@given(st.binary(max_size=4000), st.booleans())
def test_random_bytes_are_an_rtmp_error_at_worst(data: bytes, shaken: bool) -> None:
    protocol = published(Chunker()) if shaken else RtmpProtocol()
    try:
        feed(protocol, data if shaken else HELLO + data)
    except RtmpError as error:
        assert re.fullmatch(r"[\w ,.:-]+", str(error))


SESSION = HELLO + Chunker().bytes(
    *introduction(),
    Sent(4, DATA, 1, 0, amf0.encode(["@setDataFrame", "onMetaData", {"width": 160.0}])),
    Sent(6, AUDIO, 1, 0, b"\xaf\x00\x12\x10"),
    Sent(7, VIDEO, 1, 0, b"\x17\x00" + bytes(300)),
    Sent(6, AUDIO, 1, 21, b"\xaf\x01" + bytes(200)),
    control(4, b"\x00\x06\x01\x02\x03\x04"),
    command("FCUnpublish", 7.0, None, "KEY"),
)


@given(st.data())
def test_a_damaged_session_is_an_rtmp_error_at_worst(data: st.DataObject) -> None:
    damaged = bytearray(SESSION)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(len(HELLO), len(damaged) - 1))
        match data.draw(st.sampled_from(["set", "insert", "delete"])):
            case "set":
                damaged[place] = data.draw(st.integers(0, 255))
            case "insert":
                damaged[place:place] = data.draw(st.binary(max_size=20))
            case _:
                del damaged[place : place + data.draw(st.integers(1, 20))]
    protocol = RtmpProtocol()
    try:
        while damaged:
            feed(protocol, bytes(damaged[:100]))
            del damaged[:100]
    except RtmpError:
        assert protocol.events_received() is not None


def test_memory_stays_bounded_whatever_sizes_are_claimed() -> None:
    """A peer that was not let in claims large messages on every channel and fills them."""
    chunker = Chunker()
    claims = [
        bytes([channel]) + bytes(3) + MAX_MEDIA.to_bytes(3, "big") + b"\x09" + bytes(4)
        for channel in range(3, 30)
    ]
    tracemalloc.start()
    try:
        protocol = RtmpProtocol()
        with pytest.raises(RtmpError):
            feed(protocol, HELLO, chunker.bytes(*introduction()[:2]))
            while True:
                for channel, claim in enumerate(claims, 3):
                    feed(protocol, claim + bytes(128))
                    claims[channel - 3] = bytes([0xC0 | channel])
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
