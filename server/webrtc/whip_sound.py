"""A publisher's Opus as contiguous samples, with losses concealed by the decoder itself.

A packet whose frame has no bytes stands for one that did not come, and every decoder conceals it
(RFC 6716, 3.2.1; RFC 7845, 4.1 fills gaps so). libopus goes on with the last pitch periods, fades
within some 200 ms, and cross-fades into what follows, so nothing clicks. The repair data that
packets may hold of the one before (LBRR) cannot be asked for through FFmpeg.
"""

from __future__ import annotations

from typing import Any

import av
import av.error
import numpy as np

from stream.frames import AudioChunk, Samples
from stream.timeline import TICK_RATE

CHANNELS = 2
"""Always stereo; a mono publisher is on both channels."""

LONGEST_CONCEALED = 10 * TICK_RATE
"""A longer gap (10 s) is left as it is: the publisher was muted, and nothing was lost."""

_ONE_FRAME = 0xFC
"""Masks all but the mode and frame length in a packet's first byte: a packet of one frame."""


class SoundDecoder:
    """Packets in order in, chunks out; blocking, and for one thread at a time.

    Packets come with their times on a clock that passes as they arrive (`RtpClock`).
    """

    def __init__(self) -> None:
        self._codec: Any = av.CodecContext.create("libopus", "r")
        self._codec.format = av.AudioFormat("flt")
        self._codec.layout = av.AudioLayout("stereo")
        self._codec.sample_rate = TICK_RATE
        self.origin: int | None = None
        """Time on the sender's clock, ticks, of media time 0."""
        self._out = 0
        self._empty_packet = b""  # a packet without a frame, of the kind that came last
        self.concealed = 0
        """Ticks of sound concealed so far."""

    def decode(self, packets: list[tuple[int, bytes]]) -> list[AudioChunk]:
        """Decode packets, each with its time on the sender's clock in ticks."""
        chunks = [chunk for packet in packets for chunk in self._decode(*packet)]
        return [chunk for chunk in chunks if len(chunk.samples)]

    def _decode(self, time: int, data: bytes) -> list[AudioChunk]:
        if self.origin is None:
            self.origin = time
        gap = time - self.origin - self._out
        if gap > LONGEST_CONCEALED:
            self._out += gap
            gap = 0
        chunks = []
        if gap > 0:
            # Before the packet: a decoder knows only its past.
            self.concealed += gap
            chunks.append(self._give(self._conceal(gap)))
        # One that cannot be decoded is a gap by the time the next one arrives.
        chunks.append(self._give(self._samples(data)[max(0, -gap) :]))
        self._empty_packet = bytes([data[0] & _ONE_FRAME])
        return chunks

    def _conceal(self, gap: int) -> Samples:
        """``gap`` ticks of concealment from the decoder; silence where it gives none."""
        sound, at = np.zeros((gap, CHANNELS), np.float32), 0
        while at < gap and len(made := self._samples(self._empty_packet)):
            sound[at : at + len(made)] = made[: gap - at]
            at += len(made)
        return sound

    def _samples(self, data: bytes) -> Samples:
        """A packet decoded; nothing if it cannot be."""
        try:
            frames = [_samples(frame) for frame in self._codec.decode(av.Packet(data))]
        except (av.error.FFmpegError, OSError):
            frames = []
        return np.concatenate(frames) if frames else np.zeros((0, CHANNELS), np.float32)

    def _give(self, samples: Samples) -> AudioChunk:
        chunk = AudioChunk(self._out, samples)
        self._out += len(samples)
        return chunk


def _samples(frame: av.AudioFrame) -> Samples:
    array = frame.to_ndarray()
    samples = array.reshape(-1, CHANNELS) if array.shape[0] == 1 else array.T
    scale = 32768 if samples.dtype == np.int16 else 1
    return np.asarray(samples, np.float32) / np.float32(scale)
