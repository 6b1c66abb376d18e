"""Of several layers of one picture, whichever came first was shown for good, though it was the
smallest or paused; the largest that is being sent must be shown, without a jump in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtp import RtpPacket

from server.webrtc.whip import WhipSource, publish
from stream.frames import AudioChunk, PicturePacket
from stream.media.opus import OpusEncoder
from stream.timeline import FRAME, TICK_RATE
from tests.helpers.bare_feed import bare_feed
from tests.helpers.rtc import Publisher

FPS = 25
SMALL, MIDDLE, LARGE = (32, 18), (96, 54), (192, 108)


def coded(size: tuple[int, int], seconds: int) -> list[bytes]:
    """Pictures of noise, a keyframe every second."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.framerate, encoder.gop_size, encoder.profile = FPS, FPS, "Baseline"
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "30"}
    rng, out = np.random.default_rng(1), []
    for n in range(seconds * FPS):
        noise = rng.integers(0, 255, (size[1] * 3 // 2, size[0]), np.uint8)
        frame = av.VideoFrame.from_ndarray(noise, format="yuv420p")
        frame.pts = n
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return out


@dataclass
class Sender:
    """One layer: when it is sent, on a clock and a numbering of its own."""

    size: tuple[int, int]
    ssrc: int
    sent: Callable[[float], bool] = lambda wall: True
    pictures: list[bytes] = field(default_factory=list)
    number: int = 0

    def packets(self, n: int, payload_type: int) -> list[RtpPacket]:
        if not self.sent(n / FPS):
            return []
        encoder = cast(Any, H264Encoder)
        payloads = encoder._packetize(encoder._split_bitstream(self.pictures[n]))
        made = []
        for at, payload in enumerate(payloads):
            self.number += 1
            stamp = (self.ssrc * 977_777 + n * 90_000 // FPS) % (1 << 32)
            packet = RtpPacket(payload_type, at == len(payloads) - 1, self.number, stamp, self.ssrc)
            packet.payload = payload
            made.append(packet)
        return made


async def shown(senders: list[Sender], seconds: int = 8) -> list[tuple[float, PicturePacket]]:
    """What comes of the layers, with the second at which it did."""
    async with bare_feed() as feed:
        publisher = Publisher(feed)
        source: WhipSource = await publish(await publisher.offer())
    wall, out = 1000.0, []
    sound, picture = source._sound, source._picture
    assert sound is not None and picture is not None
    for one in (source, sound, picture):
        one._now = lambda: wall  # type: ignore[method-assign, union-attr]
    (opus,) = OpusEncoder(2).convert(AudioChunk(0, np.zeros((FRAME, 2), np.float32)), False)
    payload_type = next(pt for pt, codec in picture._codecs.items() if codec.name == "H264")
    sound_type = next(iter(sound._codecs))
    for sender in senders:
        sender.pictures = coded(sender.size, seconds)

    async def take(reception: Any, packet: RtpPacket) -> None:
        receive: Callable[..., Awaitable[None]] = reception._take
        await receive(packet, arrival_time_ms=0)

    for n in range(seconds * 50):
        wall = 1000.0 + n / 50
        packet = RtpPacket(sound_type, False, n, n * 960, 1)
        packet.payload = opus.data
        await take(sound, packet)
        if n % 2 == 0:
            for sender in senders:
                for packet in sender.packets(n // 2, payload_type):
                    await take(picture, packet)
        await source._decoded(wall)
        out += [(wall - 1000.0, one) for one in await source._pictures(wall)]
    await source.aclose()
    await publisher.close()
    return out


def sizes(pictures: list[tuple[float, PicturePacket]], begin: float, end: float) -> set[Any]:
    return {(p.format.width, p.format.height) for wall, p in pictures if begin <= wall < end}


def in_time(pictures: list[tuple[float, PicturePacket]]) -> bool:
    """Whether every picture has the time at which it was sent, and none comes twice."""
    times = [one.time for _, one in pictures]
    # In the first second reports of the sender are waited for.
    late = [abs(one.time / TICK_RATE - wall) for wall, one in pictures if wall > 1.1]
    return times == sorted(set(times)) and max(late) < 0.06


async def test_the_largest_layer_is_shown() -> None:
    pictures = await shown([Sender(SMALL, 11), Sender(LARGE, 12), Sender(MIDDLE, 13)], 5)
    assert sizes(pictures, 2.2, 5) == {LARGE}
    assert in_time(pictures)
    assert len([1 for wall, _ in pictures if wall >= 2.2]) == pytest.approx(2.8 * FPS, abs=2)


async def test_a_layer_that_is_paused_gives_way_and_comes_back() -> None:
    large = Sender(LARGE, 12, lambda wall: not 3 <= wall < 6)
    pictures = await shown([large, Sender(SMALL, 11)], 9)
    assert sizes(pictures, 1.2, 3) == {LARGE}
    assert sizes(pictures, 4.2, 6) == {SMALL}
    assert sizes(pictures, 8.2, 9) == {LARGE}
    assert in_time(pictures)
    walls = [wall for wall, _ in pictures]
    assert max(b - a for a, b in zip(walls, walls[1:], strict=False)) < 1.2


async def test_an_encoder_that_is_restarted_has_a_new_name() -> None:
    """No simulcast: a new SSRC, clock and numbering in the place of the old."""
    before = Sender(LARGE, 5, lambda wall: wall < 2.5)
    pictures = await shown([before, Sender(LARGE, 900, lambda wall: wall >= 3)], 6)
    assert len([1 for wall, _ in pictures if wall > 4.99]) == FPS
    assert in_time(pictures)


async def test_layers_alike_do_not_take_turns() -> None:
    pictures = await shown([Sender(MIDDLE, 11), Sender(MIDDLE, 12)], 4)
    assert len(pictures) == 4 * FPS and in_time(pictures)


async def test_a_stranger_with_many_names_costs_little() -> None:
    many = [Sender(SMALL, 20 + n) for n in range(30)]
    pictures = await shown(many, 2)
    assert len(pictures) >= 2 * FPS - 2
