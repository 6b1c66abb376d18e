"""Sound and picture coded once for all viewers."""

import asyncio
import random
import shutil
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from server.webrtc.opus import opus_packets
from server.webrtc.opus_listener import OpusListener
from server.webrtc.picture_transcode import PictureTranscoder, from_key, transcoded
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.live.feed import Feed
from stream.media.opus import OpusEncoder
from stream.timeline import FRAME, TICK, TICK_RATE, rescale
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import brightenings, flashes, nothing_left, until
from tests.helpers.threads import ours_since

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def pictures(path: Path) -> list[PicturePacket]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        format_ = PictureFormat(
            context.name, context.extradata or b"", context.width, context.height, True
        )
        return [
            PicturePacket(
                format_,
                # Matroska does not say when the first of reordered pictures are decoded.
                n - 100 if p.dts is None else rescale(p.dts, p.time_base, TICK),
                rescale(p.pts or 0, p.time_base, TICK),
                p.is_keyframe,
                bytes(p),
            )
            for n, p in enumerate(container.demux(stream))
            if p.size
        ]


@needs_ffmpeg
@pytest.mark.parametrize(
    "extra",
    [
        ("-preset", "fast", "-bf", "3"),
        ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
        ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "1M"),
        ("-vf", "scale=161:91", "-pix_fmt", "yuv444p"),
    ],
    ids=["b-frames", "vp9", "mpeg2", "odd-size"],
)
def test_every_codec_becomes_baseline_in_time(tmp_path: Path, extra: tuple[str, ...]) -> None:
    transcoder = PictureTranscoder()
    source = pictures(flashes(tmp_path / "a.mkv", length=5, extra=extra))
    coded = [out for packet in source for out in transcoder.convert(packet, False)]
    assert len(coded) > len(source) - 6
    times = [p.time for p in coded]
    assert times == sorted(set(times)) == [p.shown for p in coded]
    keys = [p.time / TICK_RATE for p in coded if p.key]
    assert max(np.diff([*keys, 5])) <= 2.1
    turns = brightenings("h264", [(p.shown, p.data) for p in coded])
    expected = [n * TICK_RATE for n in range(5)]
    assert np.abs(np.array(turns) - expected).max() <= TICK_RATE // 1000
    decoder = av.CodecContext.create("h264", "r")
    decoder.decode(av.Packet(coded[0].data))
    assert "Baseline" in str(decoder.profile)


@needs_ffmpeg
def test_after_a_loss_it_goes_on_with_a_keyframe(tmp_path: Path) -> None:
    source = pictures(flashes(tmp_path / "a.mkv", length=3))
    transcoder = PictureTranscoder()
    assert transcoder.convert(source[1], False) == []
    coded = [transcoder.convert(packet, n == 30) for n, packet in enumerate(source)]
    assert all(coded[:30]) and not any(coded[30:50]) and all(coded[50:])


@needs_ffmpeg
async def test_one_encoder_serves_all_and_ends_with_the_last(tmp_path: Path) -> None:
    path = flashes(tmp_path / "a.mkv", length=3, extra=("-preset", "fast", "-bf", "2"))

    before = set(threading.enumerate())

    async def run() -> None:
        async with file_feed(path) as feed:
            async with transcoded(feed) as first:
                early = asyncio.create_task(take(first))
                async with transcoded(feed) as second:
                    assert feed.picture.readers == 1
                    late = asyncio.create_task(take(second))
                    assert len(await late) > 20
                assert feed.picture.readers == 1
                assert len(await early) > 20
            assert feed.picture.readers == 0
        await nothing_left()
        assert not ours_since(before)

    async def take(reader: object) -> list[PicturePacket]:
        got = []
        async for packet in from_key(reader):  # type: ignore[arg-type]
            got.append(packet)
            if len(got) > 20:
                break
        return got

    await run()


async def test_who_falls_behind_starts_again_at_a_keyframe() -> None:
    format_ = PictureFormat("h264", b"", 2, 2)
    source = Broadcast[PicturePacket]()
    reader = source.subscribe(10)
    got = from_key(reader)

    def publish(*times: int) -> None:
        for time in times:
            source.publish(PicturePacket(format_, time, time, time % 8 == 0, b""))

    publish(5, 6, 7, 8, 9)
    assert [(await anext(got)).time for _ in range(2)] == [8, 9]
    publish(*range(10, 30))
    source.close()
    assert [packet.time async for packet in got] == [24, 25, 26, 27, 28, 29]


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_opus_says_which_instant_it_holds(channels: int) -> None:
    sound = np.zeros((TICK_RATE, channels), np.float32)
    sound[24_000:24_480] = np.sin(np.arange(480) / 480 * np.pi)[:, None]  # peak at 24 240
    encoder = OpusEncoder(channels)
    decoder = av.CodecContext.create("libopus", "r")
    start = 7 * FRAME
    out = np.zeros(TICK_RATE)
    for at in range(0, TICK_RATE, FRAME):
        (packet,) = encoder.convert(AudioChunk(start + at, sound[at : at + FRAME]), False)
        assert packet.duration == FRAME
        (frame,) = decoder.decode(av.Packet(packet.data))
        decoded = frame.to_ndarray().reshape(-1, 2).astype(float).sum(axis=1)
        position = packet.time - start
        if position >= 0:
            out[position : position + FRAME] = decoded[: TICK_RATE - position]
    assert abs(int(np.argmax(np.abs(out))) - 24_240) < 240


def test_a_short_last_block_is_filled_up() -> None:
    (packet,) = OpusEncoder(2).convert(AudioChunk(0, np.zeros((100, 2), np.float32)), False)
    assert packet.time < 0 and packet.data


async def test_opus_ends_with_its_source_and_an_unknown_track_is_an_error() -> None:
    source = Broadcast[AudioChunk]()
    feed = Feed(lambda _: 0.0, 1, {"original": source})
    async with opus_packets(feed, "original"):
        pass  # left before anything ran
    assert source.readers == 0
    async with opus_packets(feed, "original") as packets:
        for n in range(3):
            source.publish(AudioChunk(n * FRAME, np.zeros((FRAME, 1), np.float32)))
        await until(lambda: len(packets) == 3)
    assert source.readers == 0
    with pytest.raises(KeyError):
        async with opus_packets(feed, "fr"):
            pass
    source.close()
    async with opus_packets(feed, "original") as packets:
        assert [packet async for packet in packets] == []
    await nothing_left()


async def test_changing_tracks_leaves_no_gap_however_the_encoders_hurry() -> None:
    sources = {name: Broadcast[AudioChunk]() for name in ("original", "pt", "fr")}
    feed = Feed(lambda _: 0.0, 1, sources)
    listener = OpusListener(feed, "original")
    chance = random.Random(3)
    times: list[int] = []

    async def listen() -> None:
        while (packet := await listener.next()) is not None:
            times.append(packet.time)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    for n in range(150):
        for source in sources.values():
            source.publish(AudioChunk(n * FRAME, np.zeros((FRAME, 1), np.float32)))
        if n % 7 == 6:
            listener.select(chance.choice(list(sources)))
        if chance.random() < 0.5:
            await asyncio.sleep(chance.choice([0, 0.001, 0.02]))
        while len(times) < n - 20:  # no farther behind than an encoder may be  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await until(lambda: len(times) == 150, 5)
    for source in sources.values():
        source.close()
    await listening
    assert set(np.diff(times)) == {FRAME}
    await listener.aclose()
    assert not any(source.readers for source in sources.values())
    await nothing_left()
