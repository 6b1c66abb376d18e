"""Aggregate messages, as Flash-era encoders and relays send them, ended the connection; what they
hold must be seen and heard as if it had come message by message."""

from __future__ import annotations

import pytest

from server.rtmp.chunks import RtmpError
from tests.helpers.made_sources import Tag, beeping, flv_tags
from tests.helpers.rtmp_exchange import feed, media, published, tags
from tests.helpers.rtmp_peer import AUDIO, HELLO, VIDEO, Chunker, Sent, command, introduction
from tests.helpers.rtmp_publisher import publish_bytes

AGGREGATE = 22


def together(sent: list[Tag], *, origin: int = 0) -> bytes:
    """The body of an aggregate: tags of FLV whose times count from ``origin``."""
    body = b""
    for tag in sent:
        time = (tag.time + origin).to_bytes(4, "big")
        head = bytes([tag.kind]) + len(tag.body).to_bytes(3, "big") + time[1:] + time[:1] + bytes(3)
        body += head + tag.body + (11 + len(tag.body)).to_bytes(4, "big")
    return body


@pytest.mark.parametrize("origin", [0, 5000])
def test_times_count_from_the_first(origin: int) -> None:
    sent = [Tag(AUDIO, 0, b"\x2f1"), Tag(VIDEO, 10, b"\x22picture"), Tag(AUDIO, 26, b"\x2f2")]
    chunker = Chunker()
    body = together(sent, origin=origin)
    found = feed(published(chunker), chunker.bytes(Sent(6, AGGREGATE, 1, 1000, body)))
    assert tags(media(found)) == [(tag.kind, 1000 + tag.time, tag.body) for tag in sent]


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_damaged_one_is_said_to_be(cut: int) -> None:
    body = together([Tag(AUDIO, 0, b"\x2f" + bytes(40))])[: 11 + 41 - cut]
    chunker = Chunker()
    with pytest.raises(RtmpError, match="aggregate"):
        feed(published(chunker), chunker.bytes(Sent(6, AGGREGATE, 1, 0, body)))


async def test_a_publication_of_aggregates_is_whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("flv") / "a.flv"
    sent = flv_tags(beeping(path))
    chunker = Chunker(4096)
    data = HELLO + Chunker().bytes(*introduction(), Sent(2, 1, 0, 0, (4096).to_bytes(4, "big")))
    for at in range(0, len(sent), 10):
        group = sent[at : at + 10]
        data += chunker.bytes(Sent(6, AGGREGATE, 1, group[0].time, together(group)))
    heard = await publish_bytes(data + chunker.bytes(command("FCUnpublish", 7.0, None, "KEY")))
    assert len(heard.pictures) == 75
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.06)
