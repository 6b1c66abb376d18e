"""WHEP against real aiortc peers on this machine."""

import asyncio
import random
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from server.webrtc import peer as webrtc_peer
from server.webrtc.peer import OfferError, UnsupportedOfferError, read_offer
from server.webrtc.whep import watch
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk
from stream.live.feed import Feed
from stream.timeline import FRAME, TICK_RATE
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import Viewer, cut_off, flashes, nothing_left, until
from tests.helpers.threads import ours_since

SCRAPS = [
    "m=audio 9 UDP/TLS/RTP/SAVPF 96 97", "m=video 9 UDP/TLS/RTP/SAVPF 97", "m=", "a=mid:0",
    "a=rtpmap:96 opus/48000/2", "a=rtpmap:", "a=fmtp:96 x=;", "a=ssrc:1 cname:", "a=group:BUNDLE",
    "a=fingerprint:sha-256 AA", "a=candidate:1 1 udp 1 x.local 1 typ host", "a=candidate:1",
    "a=ice-ufrag:a", "a=setup:active", "c=IN IP4", "o=- 1 1 IN IP4 0.0.0.0", "a=extmap:1", "s=-",
]  # fmt: skip

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashes(tmp_path_factory.mktemp("whep") / "flash.mkv", length=10)


@pytest.fixture(scope="module")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whep") / "b.mkv"
    return flashes(path, extra=("-preset", "fast", "-bf", "2"))


@pytest.fixture(scope="module")
def vp8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whep") / "vp8.mkv"
    extra = ("-c:v", "libvpx", "-deadline", "realtime", "-auto-alt-ref", "0", "-b:v", "1M")
    return flashes(path, extra=extra)


def offsets(viewer: Viewer, report: int = -1) -> list[float]:
    """Picture minus sound of every flash with its beep, seconds, as a receiver aligns them."""
    seen = [viewer.wall("video", t, report) for t in viewer.flash_times()]
    heard = [viewer.wall("audio", t, report) for t in viewer.beep_times()]
    pairs = [(s, min(heard, key=lambda h: abs(h - s))) for s in seen]
    return [s - h for s, h in pairs if abs(s - h) < 0.5]


@pytest.mark.parametrize("which", ["clip", "reordered", "vp8"])
async def test_picture_and_sound_align_by_their_reports(
    which: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)

    async with file_feed(path) as feed:
        await asyncio.sleep(1.4)  # a late joiner
        viewer = Viewer()
        peer = await watch(feed, ["pt"], await viewer.offer())
        await viewer.accept(peer.answer)
        await until(lambda: viewer.seen > 70)
        assert viewer.codec("video").name == ("VP8" if which == "vp8" else "H264")
        found = offsets(viewer)
        assert len(found) >= 2
        assert max(map(abs, found)) < 0.010, found
        # The very first reports already say the same.
        first = offsets(viewer, 0)
        assert max(abs(a - b) for a, b in zip(first, found, strict=True)) < 0.001
        print("offsets, ms:", [round(f * 1000, 2) for f in found])
        await peer.aclose()
        await viewer.close()


async def test_changing_the_track_leaves_no_gap(clip: Path) -> None:
    async with file_feed(clip) as feed:
        viewer = Viewer(("audio",))
        peer = await watch(feed, ["pt"], await viewer.offer())
        await viewer.accept(peer.answer)
        sound = viewer.packets["audio"]
        await until(lambda: len(sound) > 20)
        for track in ("original", "pt", "original"):
            before = len(sound)
            peer.select([track])
            await until(lambda before=before: len(sound) > before + 20)  # type: ignore[misc]
            assert peer.sounds == (track,)
        steps = np.diff([packet.timestamp for packet in sound])
        assert set(steps) == {960}
        with pytest.raises(KeyError):
            peer.select(["fr"])
        assert feed.tracks["pt"].readers == 0
        await peer.aclose()
        await viewer.close()
    await nothing_left()


async def test_a_voice_and_the_original_come_in_one_connection_on_one_clock(clip: Path) -> None:
    async with file_feed(clip) as feed:
        viewer = Viewer(("video", "audio", "audio2"))
        peer = await watch(feed, ["pt"], await viewer.offer())
        await viewer.accept(peer.answer)
        first, second = viewer.packets["audio"], viewer.packets["audio2"]
        await until(lambda: len(first) > 10)
        assert not second, "what nobody has asked for is sent"
        assert feed.voices["pt.voice"].readers == feed.tracks["original"].readers == 0
        peer.select(["pt.voice", "original"])
        assert peer.sounds == ("pt.voice", "original")
        await until(lambda: feed.tracks["pt"].readers == 0)
        switched = len(second)
        await until(lambda: len(second) > switched + 60)
        # The original beeps as loudly as published, the voice at half of that.
        voice, original = viewer.levels("audio"), viewer.levels("audio2")
        mixed = list(original.items())[switched + 5 :]
        beeps = [voice[at] / level for at, level in mixed if level > 0.1 and at in voice]
        assert len(beeps) >= 3
        assert np.median(beeps) == pytest.approx(0.5, rel=0.05)
        # Equal timestamps are equal times: browsers show pages nothing else to align them by.
        common = {p.timestamp for p in first} & {p.timestamp for p in second}
        assert len(common) > 50
        for timestamp in common:
            apart = viewer.wall("audio", timestamp) - viewer.wall("audio2", timestamp)
            assert abs(apart) < 1e-6
        peer.select(["pt"])
        await until(lambda: feed.tracks["original"].readers == 0)
        await until(lambda: feed.voices["pt.voice"].readers == 0)
        ended, before = len(second), len(first)
        await until(lambda: len(first) > before + 10)
        assert len(second) == ended
        with pytest.raises(KeyError):
            peer.select(["pt.voice", "fr.voice"])
        with pytest.raises(UnsupportedOfferError, match="3 tracks"):
            peer.select(["pt", "original", "pt.voice"])
        assert peer.sounds == ("pt",)
        await peer.aclose()
        await viewer.close()
    await nothing_left()


async def test_a_viewer_who_vanishes_is_dropped(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webrtc_peer, "SILENCE_S", 2.5)
    monkeypatch.setattr(webrtc_peer, "CHECK_INTERVAL_S", 0.25)

    before = set(threading.enumerate())
    async with file_feed(clip) as feed:
        viewer, other = Viewer(), Viewer()
        peers = []
        for v in (viewer, other):
            peers.append(await watch(feed, ["pt"], await v.offer()))
            await v.accept(peers[-1].answer)
        await until(lambda: bool(viewer.packets["audio"]))
        assert feed.tracks["pt"].readers == 1, "the encoder is not shared"
        cut_off(viewer.connection)
        await asyncio.wait_for(peers[0].closed.wait(), 8)
        assert not peers[1].closed.is_set()
        heard = len(other.packets["audio"])
        await until(lambda: len(other.packets["audio"]) > heard + 5)
        await peers[1].aclose()
        assert feed.tracks["pt"].readers == feed.picture.readers == 0
        await viewer.close()
        await other.close()
    await nothing_left()
    assert not ours_since(before)


async def test_a_viewer_who_never_comes_is_dropped(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webrtc_peer, "SILENCE_S", 0.5)
    monkeypatch.setattr(webrtc_peer, "CHECK_INTERVAL_S", 0.1)

    async with file_feed(clip) as feed:
        viewer = Viewer()
        peer = await watch(feed, ["pt"], await viewer.offer())
        await viewer.close()
        await asyncio.wait_for(peer.closed.wait(), 5)
    await nothing_left()


async def test_the_peer_ends_with_the_feed(clip: Path) -> None:
    async with file_feed(clip) as feed:
        viewer = Viewer()
        peer = await watch(feed, ["pt"], await viewer.offer())
        await viewer.accept(peer.answer)
        await until(lambda: bool(viewer.packets["audio"]))
        feed.close()
        await asyncio.wait_for(peer.closed.wait(), 5)
        await viewer.close()
    await nothing_left()


async def test_without_a_picture_the_answer_is_sound_alone() -> None:
    now = asyncio.get_running_loop().time()
    source = Broadcast[AudioChunk]()
    feed = Feed(lambda t: now - 10 + t / TICK_RATE, 1, {"original": source})
    viewer = Viewer()
    peer = await watch(feed, ["original"], await viewer.offer())
    await viewer.accept(peer.answer)
    sections = SessionDescription.parse(peer.answer).media
    assert {m.kind: m.direction for m in sections} == {"audio": "sendonly", "video": "inactive"}
    for n in range(500):
        source.publish(AudioChunk(10 * TICK_RATE + n * FRAME, np.zeros((FRAME, 1), np.float32)))
        await asyncio.sleep(0.01)
        if len(viewer.packets["audio"]) > 5:
            break
    assert len(viewer.packets["audio"]) > 5
    await peer.aclose()
    await viewer.close()
    await nothing_left()


async def test_big_pictures_arrive_whole(tmp_path: Path) -> None:
    noise = ("-vf", "scale=480:270,noise=alls=60", "-crf", "16", "-bf", "0")
    path = flashes(tmp_path / "big.mkv", length=3, extra=noise)

    async with file_feed(path) as feed:
        viewer = Viewer()
        peer = await watch(feed, ["pt"], await viewer.offer())
        await viewer.accept(peer.answer)
        await until(lambda: viewer.seen > 30)
        biggest = max(len(data) for _, data in viewer.frames())
        numbers = [packet.sequence_number for packet in viewer.packets["video"]]
        print("biggest picture, kB:", biggest // 1000)
        assert biggest > 100_000
        assert set(np.diff(numbers)) == {1}
        await peer.aclose()
        await viewer.close()


@given(st.text() | st.lists(st.sampled_from(SCRAPS)).map("\r\n".join))
def test_any_text_is_an_offer_or_a_sentence(text: str) -> None:
    for offer in (text, f"v=0\r\n{text}"):
        try:
            read_offer(offer)
        except (OfferError, UnsupportedOfferError) as error:
            assert "offer" in str(error)


async def test_a_damaged_offer_is_refused_or_answered(clip: Path) -> None:
    viewer = Viewer()
    lines = (await viewer.offer()).splitlines()
    await viewer.close()
    chance = random.Random(2)
    answered = 0
    async with file_feed(clip) as feed:
        for _ in range(60):
            damaged = list(lines)
            for _ in range(chance.randint(1, 3)):
                at = chance.randrange(len(damaged))
                line = damaged.pop(at)
                if chance.random() < 0.7:
                    cut = chance.randrange(len(line) + 1)
                    damaged.insert(at, line[:cut] + chance.choice(["", "x", " 1", ":-1"]))
            try:
                peer = await watch(feed, ["pt"], "\r\n".join(damaged))
            except (OfferError, UnsupportedOfferError):
                continue
            answered += 1
            await peer.aclose()
    assert 0 < answered < 60
    await nothing_left()
