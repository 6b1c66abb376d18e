"""What a publisher sends is bounded in bytes wherever it waits, and before it is allocated."""

import io
import struct
import tracemalloc
from collections.abc import Iterator

import av
import numpy as np
import pytest

from server.webrtc.picture_transcode import PictureTranscoder
from stream.dub import delay_line
from stream.dub.delay_line import DelayLine
from stream.flow import broadcast
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.live.feed import Feed
from stream.media import reading
from stream.media.bounds import MOST_PIXELS, takes_sound
from stream.media.contiguous import ContiguousTrack
from stream.media.pictures import coded_size
from stream.timeline import TICK_RATE
from tests.helpers.bare_feed import bare_feed

FORMAT = PictureFormat("h264", b"", 160, 90)
MEGABYTE = bytes(1 << 20)
"""One object, so that the tests themselves take nothing."""


def picture(time: int, *, key: bool = True, data: bytes = MEGABYTE) -> PicturePacket:
    return PicturePacket(FORMAT, time, time, key, data)


def test_pictures_without_sound_do_not_pile_up_in_the_delay_line() -> None:
    line = DelayLine(2)
    line.push([AudioChunk(0, np.zeros((2 * TICK_RATE, 2), np.float32))])
    for number in range(1500):  # ten milliseconds apart, as fast as they are sent
        line.push([picture(2 * TICK_RATE + number * 480, key=number % 50 == 0)])
    most = delay_line.MOST_BYTES >> 20
    assert len(line._packets) <= most and line.dropped >= 1500 - most
    # They leave by the clock, and what then comes begins with a keyframe.
    line.packets(2 * TICK_RATE + 200 * 480)
    late = [picture(20 * TICK_RATE + n, key=n in (3, 4)) for n in range(6)]
    line.push(late)
    assert line.packets(30 * TICK_RATE)[-3:] == late[3:]


def test_an_honest_publisher_loses_none() -> None:
    line = DelayLine(2)
    frame = bytes(25_000_000 // 8 // 30)  # 25 Mbit/s
    for number in range(60 * 30):  # a delay of a minute
        line.push([picture(number * 1600, key=number % 60 == 0, data=frame)])
    assert line.dropped == 0


class _Sent:
    def __init__(self, count: int, data: bytes) -> None:
        self._count, self._data = count, data

    def __iter__(self) -> Iterator[PicturePacket]:
        return (picture(0, data=self._data) for _ in range(self._count))

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("count", "data"), [(64, MEGABYTE), (50_000, b"")])
def test_a_clock_that_stands_still_ends_a_batch(count: int, data: bytes) -> None:
    sizes = [len(batch) for batch in reading.batched(_Sent(count, data), TICK_RATE, close=True)]
    assert sum(sizes) == count
    assert max(sizes) * (len(data) + 512) <= reading.MOST_BYTES + len(data) + 512


async def test_a_slow_reader_holds_bytes_and_not_only_a_number() -> None:
    async with bare_feed() as feed:
        assert isinstance(feed, Feed)
        slow = feed.picture.subscribe(1200)
        for number in range(300):
            feed.picture.publish(picture(number))
        held = broadcast.MOST_BYTES >> 20
        assert len(slow) <= held and slow.missed >= 300 - held
        assert (await anext(slow)).time == slow.missed  # the oldest are lost
        for number in range(300, 1000):
            feed.picture.publish(picture(number, data=b"small"))
        assert slow.missed < 310  # small ones are bounded by their number alone
        huge = picture(2000, data=bytes(broadcast.MOST_BYTES + 1))
        feed.picture.publish(huge)
        assert len(slow) == 1 and await anext(slow) is huge


def _flac(rate: int, seconds: float) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as file:
        stream = file.add_stream("flac", rate=rate, layout="mono")
        stream.options = {"frame_size": "65535"}
        silence = np.zeros((1, int(rate * seconds)), np.int16)
        frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        frame.sample_rate = rate
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("rate", [1, 200, 1000, 3999])
def test_a_rate_that_makes_minutes_of_nothing_is_not_converted(rate: int) -> None:
    track = ContiguousTrack(av.AudioLayout("stereo"))
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 65_535), np.float32), "fltp", "mono")
    frame.sample_rate = rate
    tracemalloc.start()
    try:
        assert list(track.add(frame, 0)) == [] and track.refused == 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_long_block_at_a_low_rate_comes_in_pieces() -> None:
    track = ContiguousTrack(av.AudioLayout("stereo"))
    with av.open(io.BytesIO(_flac(8000, 8.0))) as file:
        for frame in file.decode(audio=0):
            chunks = [*track.add(frame, 0), *track.flush()]
            assert max(chunk.size for chunk in chunks) < 2 * 4 * TICK_RATE * 1.1
    packed = av.AudioFrame.from_ndarray(np.arange(32_000, dtype=np.int16)[None], "s16", "stereo")
    packed.sample_rate = 4000
    track = ContiguousTrack(av.AudioLayout("stereo"))
    chunks = [*track.add(packed, 0), *track.flush()]
    assert len(chunks) > 3 and sum(len(chunk.samples) for chunk in chunks) == 4 * TICK_RATE
    left = np.concatenate([chunk.samples[:, 0] for chunk in chunks])
    assert np.all(np.diff(left[100:-100]) >= -1e-4), "the pieces are in order and without a seam"


@pytest.mark.parametrize(
    ("rate", "channels", "taken"),
    [(8000, 1, True), (5512, 1, True), (192_000, 8, True), (48_000, 64, True)]
    + [(0, 1, False), (48_000, 0, False), (48_000, 65, False), (1_000_000, 2, False)],
)
def test_which_sound_is_taken(rate: int, channels: int, taken: bool) -> None:
    assert takes_sound(rate, channels) is taken


def _vp8_keyframe(width: int, height: int) -> bytes:
    """A keyframe of any size that says nothing more: the decoder allocates what it announces."""
    start = b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    first = 1000 << 5 | 1 << 4
    return struct.pack("<I", first)[:3] + start + bytes(2000)


def test_a_picture_is_not_decoded_because_it_says_that_it_is_large() -> None:
    assert coded_size("vp8", _vp8_keyframe(1920, 1080)) == (1920, 1080)
    assert (
        coded_size("vp8", _vp8_keyframe(4096, 2304)) == (4096, 2304) and MOST_PIXELS == 4096 * 2304
    )
    huge = _vp8_keyframe(8192, 8192)
    assert coded_size("vp8", huge) is None
    transcoder = PictureTranscoder()
    format_ = PictureFormat("vp8", b"", 8192, 8192)
    assert transcoder.convert(PicturePacket(format_, 0, 0, True, huge), lost=False) == []
