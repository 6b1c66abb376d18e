"""What encoders say, and what they are answered."""

import random

import pytest

from server.rtmp import amf0
from server.rtmp.commands import End, Publish
from server.rtmp.protocol import (
    Media,
    RtmpProtocol,
)
from tests.helpers.rtmp_exchange import (
    FLV_HEADER,
    commands,
    feed,
    media,
    published,
    replies,
    tags,
)
from tests.helpers.rtmp_peer import (
    AUDIO,
    C0C1,
    C2,
    DATA,
    HELLO,
    VIDEO,
    Chunker,
    Sent,
    command,
    control,
    introduction,
)


def test_an_encoder_is_answered_step_by_step() -> None:
    protocol = RtmpProtocol()
    protocol.receive_data(C0C1)
    hello = protocol.data_to_send()
    assert len(hello) == 1 + 2 * 1536
    assert hello[0] == 3
    assert hello[1537:] == C0C1[1:]
    protocol.receive_data(C2)
    assert protocol.handshaken
    chunker = Chunker()
    connect, release, announce, create, publish = introduction("live/", "KEY?user=me")
    protocol.receive_data(chunker.bytes(connect))
    sent = protocol.data_to_send()
    assert [kind for kind, _, _ in replies(sent)] == [5, 6, 1, 20]
    name, transaction, _, status = commands(sent)[0]
    assert (name, transaction) == ("_result", 1.0)
    assert status["code"] == "NetConnection.Connect.Success"  # type: ignore[call-overload,index]
    protocol.receive_data(chunker.bytes(release, announce, create))
    assert commands(protocol.data_to_send()) == [
        ["_result", 2.0, None, None],
        ["_result", 3.0, None, None],
        ["_result", 4.0, None, 1.0],
    ]
    protocol.receive_data(chunker.bytes(publish))
    assert protocol.events_received() == [Publish("live", "KEY", "user=me")]
    assert protocol.data_to_send() == b""
    protocol.accept()
    sent = protocol.data_to_send()
    assert [(kind, stream) for kind, stream, _ in replies(sent)] == [(20, 1), (4, 0), (20, 1)]
    assert [c[0] for c in commands(sent)] == ["onFCPublish", "onStatus"]
    assert commands(sent)[1][3]["code"] == "NetStream.Publish.Start"  # type: ignore[call-overload,index]
    assert protocol.events_received() == [Media(FLV_HEADER)]


def test_obs_is_understood() -> None:
    """OBS sends a digest in C1, its control messages with form 1, and bandwidth checks."""
    order = random.Random(1)
    c1 = b"\x03" + bytes(4) + b"\x80\x00\x07\x02" + order.randbytes(1528)
    chunker = Chunker()
    protocol = RtmpProtocol()
    protocol.receive_data(c1)
    assert protocol.data_to_send()[5:9] == bytes(4)  # "no digests here"
    protocol.receive_data(order.randbytes(1536))
    size = control(1, (4096).to_bytes(4, "big"))
    window = b"\x42\x00\x00\x00\x00\x00\x04\x05" + (2_500_000).to_bytes(4, "big")
    events = feed(protocol, window, chunker.bytes(size))
    chunker.size = 4096
    connect, *rest = introduction("live", "obs-key")
    for message in (connect, command("_checkbw", 6.0, None), *rest):
        events += feed(protocol, chunker.bytes(message))
    assert Publish("live", "obs-key", "") in events
    assert ["_result", 6.0, None, None] in commands(protocol.data_to_send())
    metadata = amf0.encode(["@setDataFrame", "onMetaData", {"width": 160.0}])
    events = feed(
        protocol,
        chunker.bytes(
            Sent(4, DATA, 1, 0, metadata),
            Sent(4, AUDIO, 1, 0, b"\xaf\x00\x12\x10"),
            Sent(4, VIDEO, 1, 0, b"\x17\x00" + bytes(300)),
            Sent(4, AUDIO, 1, 21, b"\xaf\x01abc"),
            Sent(4, VIDEO, 1, 33, b"\x17\x01" + bytes(9000)),
            Sent(4, AUDIO, 1, 42, b"\xaf\x01abd"),
        ),
    )
    found = tags(media(events))
    assert [(kind, time) for kind, time, _ in found] == [
        (DATA, 0), (AUDIO, 0), (VIDEO, 0), (AUDIO, 21), (VIDEO, 33), (AUDIO, 42),
    ]  # fmt: skip
    assert found[0][2] == amf0.encode(["onMetaData", {"width": 160.0}])
    assert found[4][2] == b"\x17\x01" + bytes(9000)
    assert feed(protocol, chunker.bytes(command("FCUnpublish", 7.0, None, "obs-key"))) == [End()]
    assert feed(protocol, b"whatever comes now") == []


def test_a_refused_publisher_hears_why() -> None:
    protocol = RtmpProtocol()
    protocol.receive_data(HELLO + Chunker().bytes(*introduction()))
    protocol.data_to_send()
    assert protocol.events_received() == [Publish("live", "KEY", "")]
    protocol.refuse("The key is wrong.")
    name, _, _, status = commands(protocol.data_to_send())[0]
    assert name == "onStatus"
    assert status == {
        "level": "error",
        "code": "NetStream.Publish.BadName",
        "description": "The key is wrong.",
    }
    protocol.receive_data(b"more")
    assert protocol.events_received() == []


def test_media_sent_before_the_answer_waits_for_it() -> None:
    chunker = Chunker()
    protocol = RtmpProtocol()
    early = Sent(6, AUDIO, 1, 7, b"sound")
    protocol.receive_data(HELLO + chunker.bytes(*introduction(), early))
    assert len(protocol.events_received()) == 1
    protocol.receive_data(chunker.bytes(Sent(6, AUDIO, 1, 8, b"more")))
    assert protocol.events_received() == []
    protocol.accept()
    flv = media(protocol.events_received())
    assert flv.startswith(FLV_HEADER)
    assert tags(flv[13:]) == [(AUDIO, 7, b"sound"), (AUDIO, 8, b"more")]


@pytest.mark.parametrize("start", [0, 5, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFC, 0xFFFFFFFB])
@pytest.mark.parametrize("bits", [31, 32])
def test_times_are_the_publishers(start: int, bits: int) -> None:
    """FFmpeg keeps 31 bits of the time, OBS 32."""
    chunker = Chunker()
    protocol = published(chunker)
    sent = [
        Sent(6, AUDIO, 1, (start + step) % (1 << bits), bytes([0x20, i]) * 150)
        for i, step in enumerate((0, 5, 10, 15, 15, 35, 35))
    ]
    found = tags(media(feed(protocol, chunker.bytes(*sent))))
    assert found == [(AUDIO, message.time, message.body) for message in sent]


def test_codecs_named_by_fourcc_pass_untouched() -> None:
    chunker = Chunker()
    protocol = published(chunker)
    body = b"\x91hvc1" + bytes(100)
    assert tags(media(feed(protocol, chunker.bytes(Sent(6, VIDEO, 1, 40, body))))) == [
        (VIDEO, 40, body)
    ]


def test_commands_and_metadata_in_amf3_are_understood() -> None:
    def amf3(message: Sent) -> Sent:
        return Sent(message.channel, 17, message.stream, 0, b"\0" + message.body)

    chunker = Chunker()
    protocol = RtmpProtocol()
    events = feed(protocol, HELLO, chunker.bytes(*map(amf3, introduction())))
    assert Publish("live", "KEY", "") in events
    data = b"\0" + amf0.encode(["@setDataFrame", "onMetaData", {}])
    found = tags(media(feed(protocol, chunker.bytes(Sent(6, 15, 1, 0, data)))))
    assert found == [(DATA, 0, amf0.encode(["onMetaData", {}]))]


def test_an_aborted_message_is_forgotten() -> None:
    chunker = Chunker()
    protocol = published(chunker)
    first, *_ = chunker.chunks(Sent(6, VIDEO, 1, 0, bytes(500)))
    abort = chunker.bytes(control(2, (6).to_bytes(4, "big")))
    rest = Chunker().bytes(Sent(6, VIDEO, 1, 40, b"whole"))
    assert tags(media(feed(protocol, first, abort, rest))) == [(VIDEO, 40, b"whole")]
    assert protocol.buffered == 0


def test_a_ping_is_answered_and_bytes_are_acknowledged() -> None:
    chunker = Chunker()
    protocol = published(chunker)
    feed(protocol, chunker.bytes(control(4, b"\x00\x06\x01\x02\x03\x04")))
    assert replies(protocol.data_to_send()) == [(4, 0, b"\x00\x07\x01\x02\x03\x04")]
    feed(protocol, chunker.bytes(control(5, (10_000).to_bytes(4, "big"))))
    protocol.data_to_send()
    feed(protocol, chunker.bytes(Sent(6, VIDEO, 1, 0, bytes(20_000))))
    (kind, _, total), *_ = replies(protocol.data_to_send())
    assert kind == 3
    assert int.from_bytes(total, "big") > 20_000 + len(HELLO)


@pytest.mark.parametrize("name", ["FCUnpublish", "deleteStream", "closeStream"])
def test_a_publisher_can_say_that_it_ends(name: str) -> None:
    chunker = Chunker()
    protocol = published(chunker)
    assert feed(protocol, chunker.bytes(command(name, 6.0, None, 1.0))) == [End()]


def test_streams_of_earlier_runs_may_be_deleted_first() -> None:
    chunker = Chunker()
    connect, *rest = introduction()
    old = command("deleteStream", 9.0, None, 1.0)
    events = feed(RtmpProtocol(), HELLO, chunker.bytes(connect, old, *rest))
    assert Publish("live", "KEY", "") in events
