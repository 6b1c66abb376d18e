"""A publisher's Opus as contiguous samples: what is lost is silence of its own length."""

from __future__ import annotations

import logging
from typing import Any

import av
import av.error
import numpy as np

from stream.frames import AudioChunk, Samples
from stream.timeline import TICK_RATE

CHANNELS = 2
"""Always stereo; a mono publisher is heard in both."""

FORGOTTEN = 10 * TICK_RATE
"""A longer gap (10 s) is not filled: the sender's clock has begun anew."""

_log = logging.getLogger(__name__)


class SoundDecoder:
    """Packets in order in, chunks out; blocking, and for one thread at a time."""

    def __init__(self) -> None:
        self._codec: Any = av.CodecContext.create("libopus", "r")
        self._codec.format = av.AudioFormat("flt")
        self._codec.layout = av.AudioLayout("stereo")
        self._codec.sample_rate = TICK_RATE
        self.origin: int | None = None
        """Time on the sender's clock, ticks, of media time 0."""
        self._out = 0
        self.silence = 0
        """Ticks of silence given out in place of what was lost."""

    def decode(self, packets: list[tuple[int, bytes]]) -> list[AudioChunk]:
        """Decode packets, each with its time on the sender's clock in ticks."""
        chunks = [chunk for packet in packets for chunk in self._decode(*packet)]
        return [chunk for chunk in chunks if len(chunk.samples)]

    def _decode(self, time: int, data: bytes) -> list[AudioChunk]:
        try:
            frames = self._codec.decode(av.Packet(data))
        except (av.error.FFmpegError, OSError):
            return []  # heard as a gap when the next one comes
        samples = [_samples(frame) for frame in frames]
        if not samples:
            return []
        if self.origin is None:
            self.origin = time
        gap = time - self.origin - self._out
        if not -TICK_RATE < gap <= FORGOTTEN:
            _log.warning("a publisher's clock has jumped by %.1f s", gap / TICK_RATE)
            self.origin += gap
            gap = 0
        chunks = []
        if gap > 0:
            self.silence += gap
            chunks.append(self._give(np.zeros((gap, CHANNELS), np.float32)))
        decoded = np.concatenate(samples)
        chunks.append(self._give(decoded[max(0, -gap) :]))
        return chunks

    def _give(self, samples: Samples) -> AudioChunk:
        chunk = AudioChunk(self._out, samples)
        self._out += len(samples)
        return chunk


def _samples(frame: av.AudioFrame) -> Samples:
    array = frame.to_ndarray()
    samples = array.reshape(-1, CHANNELS) if array.shape[0] == 1 else array.T
    scale = 32768 if samples.dtype == np.int16 else 1
    return np.asarray(samples, np.float32) / np.float32(scale)
