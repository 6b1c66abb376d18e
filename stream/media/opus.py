"""A sound track as Opus, coded once for all who listen to it."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np

from stream.frames import AudioChunk, Samples
from stream.timeline import FRAME, TICK, TICK_RATE

BITRATE = 96_000
"""Bits per second."""

CHANNELS = 2
"""Always stereo, so that tracks can be switched without a new description."""

EXPECTED_LOSS = 10
"""Per cent. libopus adds in-band repair data only when told that packets get lost."""

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """20 ms of coded sound.

    Attributes:
        time: media time, ticks, of the first sample that a decoder gets out of it. Opus looks
            ahead, so this is a little earlier than the block that it was made of.
        duration: ticks.
        data: the packet's bytes.
    """

    time: int
    duration: int
    data: bytes


class OpusEncoder:
    """Blocks of 20 ms in, packets out; not for use by two threads at once.

    Args:
        channels: of the blocks; more than two are mixed down to stereo.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._mixer: av.AudioResampler | None = None
        if channels > CHANNELS:
            self._mixer = av.AudioResampler("flt", "stereo", TICK_RATE)
        self._codec = av.CodecContext.create("libopus", "w")
        self._codec.bit_rate = BITRATE
        self._codec.format = av.AudioFormat("flt")
        self._codec.layout = av.AudioLayout("stereo")
        self._codec.sample_rate = TICK_RATE
        self._codec.time_base = TICK
        self._codec.options = {
            "application": "audio",
            "fec": "1",
            "packet_loss": str(EXPECTED_LOSS),
            "frame_duration": "20",
        }

    def convert(self, item: AudioChunk, lost: bool) -> list[OpusPacket]:
        """Code one block; a shorter last one is filled with silence."""
        frame = self._frame(item.samples)
        frame.pts = item.start
        frame.time_base = TICK
        # The codec takes its own look-ahead off the timestamp.
        return [
            OpusPacket(packet.pts or 0, FRAME, bytes(packet))
            for packet in self._codec.encode(frame)
        ]

    def _frame(self, samples: Samples) -> av.AudioFrame:
        if len(samples) < FRAME:
            samples = np.pad(samples, ((0, FRAME - len(samples)), (0, 0)))
        if self._channels == 1:
            samples = np.repeat(samples, CHANNELS, axis=1)
        layout = _LAYOUTS.get(samples.shape[1], f"{samples.shape[1]}c")
        packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate = TICK_RATE
        if self._mixer is None:
            return frame
        (mixed,) = self._mixer.resample(frame)
        return mixed
