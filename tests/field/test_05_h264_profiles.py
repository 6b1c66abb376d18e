"""Publishers that offer H.264 as Main or High only were refused; they must be let in as they are,
and each viewer be told what it gets: the pictures untouched, or transcoded to what it takes."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import av
import pytest

from server.problems import Problem
from server.webrtc.h264 import BASELINE, H264, HIGH, best, covers, profile_of
from server.webrtc.peer import read_offer
from server.webrtc.whep import watch
from server.webrtc.whip import WhipSource, publish
from stream.frames import PictureFormat, PicturePacket
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import Publisher, Viewer, flashes, until

OTHERS = [
    "4d001f", "4d401f", "64001f", "640c1f", "640032", "42e03c", "42c02a", "42e034", "f4001f",
]  # fmt: skip


@pytest.fixture(scope="module")
def high(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("high") / "high.mkv"
    return flashes(path, length=4, extra=("-preset", "fast", "-profile:v", "high", "-bf", "0"))


def only(sdp: str, parameters: str) -> str:
    """An offer whose one way to send H.264 has these parameters; VP8 is not offered."""
    video = sdp.index("m=video")
    head, body = sdp[:video], sdp[video:]
    kept = re.search(r"a=rtpmap:(\d+) H264", body)
    assert kept is not None
    body = re.sub(r"(m=video \d+ \S+)[ \d]+", rf"\1 {kept[1]}", body)
    lines = [
        line
        for line in body.split("\r\n")
        if not re.match(r"a=(rtpmap|fmtp|rtcp-fb):", line) or re.match(rf"a=\S+:{kept[1]} ", line)
    ]
    body = re.sub(r"a=fmtp:(\d+) .*", rf"a=fmtp:\1 {parameters}", "\r\n".join(lines))
    return head + body


def agreed(answer: str) -> list[tuple[str, str]]:
    """Profile and packetization mode of every way that an answer agrees to."""
    body = answer[answer.index("m=video") :]
    found = re.findall(r"a=fmtp:\d+ (.*)", body)
    return [
        (
            re.findall("profile-level-id=([0-9a-f]+)", one)[0],
            re.findall("packetization-mode=(.)", one)[0],
        )
        for one in found
        if "profile-level-id" in one
    ]


async def _publisher_offer(path: Path, parameters: str) -> str:
    async with file_feed(path) as feed:
        publisher = Publisher(feed)
        try:
            return only(await publisher.offer(), parameters)
        finally:
            await publisher.close()


@pytest.mark.parametrize("level_id", OTHERS)
async def test_every_profile_is_taken_and_named_in_the_answer(high: Path, level_id: str) -> None:
    given = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={level_id}"
    source = await publish(await _publisher_offer(high, given))
    await source.aclose()
    assert agreed(source.answer) == [(level_id, "1")]


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("profile-level-id=42e01f", ("42e01f", "0")),
        ("packetization-mode=0;profile-level-id=64001F", ("64001f", "0")),
        ("packetization-mode=1", ("42e01f", "1")),
    ],
)
async def test_single_units_and_silence_about_the_profile(
    high: Path, given: str, answered: tuple[str, str]
) -> None:
    source = await publish(await _publisher_offer(high, given))
    await source.aclose()
    assert agreed(source.answer) == [answered]


async def test_interleaved_packets_are_not_taken(high: Path) -> None:
    offer = await _publisher_offer(high, "packetization-mode=2;profile-level-id=42e01f")
    with pytest.raises(Problem, match="neither as H.264 nor as VP8"):
        await publish(offer)


async def _watched(feed_path: Path, level_id: str) -> tuple[list[tuple[str, str]], str]:
    """What a viewer is told who takes one profile, and the profile that it gets."""
    async with file_feed(feed_path) as feed:
        await until(lambda: feed.picture_format is not None)
        viewer = Viewer()
        given = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={level_id}"
        peer = await watch(feed, ["pt"], only(await viewer.offer(), given))
        told = agreed(peer.answer)
        await viewer.accept(peer.answer.replace(f"level-id={level_id}", "level-id=42e01f"))
        await until(lambda: viewer.seen > 12)
        decoder = av.CodecContext.create("h264", "r")
        for _, data in viewer.frames()[:10]:
            decoder.decode(av.Packet(data))
        await viewer.close()
        await peer.aclose()
        return told, str(decoder.profile)


async def test_a_viewer_who_takes_high_gets_it_untouched(high: Path) -> None:
    assert await _watched(high, "640c1f") == ([("640c1f", "1")], "High")


async def test_a_viewer_who_takes_baseline_alone_gets_that(high: Path) -> None:
    told, profile = await _watched(high, "42e01f")
    assert told == [("42e01f", "1")] and "Baseline" in profile


async def test_payload_types_below_those_of_old_are_repeated(high: Path) -> None:
    """Chromium offers what covers High as 41, where there is no room left from 96 on."""
    given = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=f4001f"
    offer = await _publisher_offer(high, given)
    (way,) = read_offer(offer).h264
    low = re.sub(rf"\b{way.payload_type}(?= H264| level-asym| goog| nack|\r)", "41", offer)
    source = await publish(low)
    await source.aclose()
    assert "a=rtpmap:41 H264/90000" in source.answer
    assert agreed(source.answer) == [("f4001f", "1")]


async def test_a_publisher_of_high_is_received(high: Path) -> None:
    async with file_feed(high) as feed:
        publisher = Publisher(feed)
        given = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"
        source = await publish(only(await publisher.offer(), given))
        await publisher.accept(source.answer.replace("64001f", "42e01f"))
        pictures = await asyncio.wait_for(_pictures(source, 20), 20)
        await publisher.close()
        await source.aclose()
    assert {profile_of(one.format) for one in pictures} == {HIGH}


async def _pictures(source: WhipSource, count: int) -> list[PicturePacket]:
    found: list[PicturePacket] = []
    async for batch in source.batches():
        found += [item for item in batch if isinstance(item, PicturePacket)]
        if len(found) >= count:
            break
    return found


async def test_of_several_ways_the_plainest_that_will_do_is_chosen() -> None:
    viewer = Viewer()
    offer = read_offer(await viewer.offer())
    await viewer.close()
    assert {way.profile for way in offer.h264} == {BASELINE}
    given = [("640c1f", 0), ("64001f", 1), ("4d001f", 1), ("42e01f", 1), ("580028", 1)]
    ways = [H264(100 + n, level_id, mode) for n, (level_id, mode) in enumerate(given)]

    def chosen(profile: int | None, *, reordered: bool = False) -> str:
        sets = bytes([0, 0, 0, 1, 0x67, profile or 0, 0, 31])
        format_ = PictureFormat("h264", sets, 16, 16, reordered) if profile else None
        way = best(ways, format_)
        assert way is not None
        return way.level_id

    assert chosen(66) == "42e01f" and chosen(77) == "4d001f" and chosen(100) == "64001f"
    assert chosen(110) == "42e01f", "what no way covers is transcoded"
    assert chosen(100, reordered=True) == "42e01f"
    assert chosen(None) == "64001f", "not known yet"
    assert best([way for way in ways if way.mode == 0], None) is None
    assert covers(88, 88) and not covers(88, 100) and not covers(100, 88)
