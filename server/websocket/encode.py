"""A feed's sound encoded into frames, once for all listeners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import numpy as np

from server.websocket.frames import Encoding, Frame, encode_frame
from stream.frames import AudioChunk, Samples
from stream.sound.resample import Resampler
from stream.timeline import FRAME, TICK, TICK_RATE

OPUS_BITRATE = 64_000
"""bit/s per channel; speech over music is transparent to most ears."""


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame ready to be sent.

    Attributes:
        start, end: media time of its first sample and just after its last, ticks.
        message: what goes over the wire.
    """

    start: int
    end: int
    message: bytes


class _Packer(Protocol):
    """Contiguous sound in, frames out; times count from the first sample packed."""

    def pack(self, samples: Samples) -> Iterator[tuple[int, int, bytes]]:
        """Yield ``(start, samples, payload)``, start in ticks."""

    def flush(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield what is held back."""


class Encoder:
    """Encodes one track in one encoding; every method belongs in one thread.

    Frames hold 20 ms and lie on one grid, whatever the rate, so that two encoders of a feed
    cut at the same times.

    Args:
        encoding: what to make.
        track: index of the track, for the header.
    """

    def __init__(self, encoding: Encoding, track: int) -> None:
        self._encoding = encoding
        self._track = track
        self._packer: _Packer | None = None
        self._origin = self._expected = 0
        self._broken = False

    def encode(self, blocks: Iterable[AudioChunk]) -> list[SentFrame]:
        """Encode the next blocks; where one does not continue the last, frames are marked."""
        frames: list[SentFrame] = []
        for block in blocks:
            if self._packer is not None and block.start != self._expected:
                frames += self.flush()
                self._broken = True
            if self._packer is None:
                pcm = self._encoding.format != "opus"
                self._packer = _PcmPacker(self._encoding) if pcm else _OpusPacker(self._encoding)
                self._origin = block.start
            self._expected = block.end
            sound = remix(block.samples, self._encoding.channels)
            frames += self._sent(self._packer.pack(sound))
        return frames

    def flush(self) -> list[SentFrame]:
        """What is left; the track has ended."""
        if self._packer is None:
            return []
        frames = self._sent(self._packer.flush())
        self._packer = None
        return frames

    def _sent(self, packed: Iterator[tuple[int, int, bytes]]) -> list[SentFrame]:
        frames = []
        step = TICK_RATE // self._encoding.rate
        for start, samples, payload in packed:
            time = self._origin + start
            frame = Frame(self._encoding.format, time, samples, payload, self._track, self._broken)
            self._broken = False
            frames.append(SentFrame(time, time + samples * step, encode_frame(frame)))
        return frames


def remix(samples: Samples, channels: int) -> Samples:
    """Fold or spread ``(n, any)`` to mono or stereo, shape ``(n, channels)``, without clipping."""
    given = samples.shape[1]
    if given > 2:
        # 5.1 and 7.1 in FFmpeg's order; the low-frequency channel is left out, as is usual.
        side = float(np.sqrt(0.5))
        left = np.array([1, 0, side, 0, side, 0, side, 0][:given], np.float32)
        right = np.array([0, 1, side, 0, 0, side, 0, side][:given], np.float32)
        samples = (samples @ np.stack([left, right], axis=1) / left.sum()).astype(np.float32)
        given = 2
    if given == channels:
        return samples
    if given == 1:
        return np.repeat(samples, channels, axis=1)
    mono: Samples = samples.mean(axis=1, keepdims=True)
    return mono


class _PcmPacker:
    def __init__(self, encoding: Encoding) -> None:
        self._float = encoding.format == "pcm_f32le"
        self._step = TICK_RATE // encoding.rate
        self._frame = FRAME // self._step
        self._resamplers = [Resampler(TICK_RATE, encoding.rate) for _ in range(encoding.channels)]
        self._held: Samples = np.zeros((0, encoding.channels), np.float32)
        self._packed = 0

    def pack(self, samples: Samples) -> Iterator[tuple[int, int, bytes]]:
        channels = zip(self._resamplers, samples.T, strict=True)
        yield from self._cut([resampler.push(channel) for resampler, channel in channels])

    def flush(self) -> Iterator[tuple[int, int, bytes]]:
        yield from self._cut([resampler.flush() for resampler in self._resamplers])
        if len(self._held):
            yield self._take(len(self._held))

    def _cut(self, channels: list[Samples]) -> Iterator[tuple[int, int, bytes]]:
        self._held = np.concatenate([self._held, np.stack(channels, axis=1)])
        while len(self._held) >= self._frame:
            yield self._take(self._frame)

    def _take(self, count: int) -> tuple[int, int, bytes]:
        taken, self._held = self._held[:count], self._held[count:]
        start = self._packed * self._step
        self._packed += count
        if self._float:
            return start, count, taken.astype("<f4").tobytes()
        scaled = np.clip(np.rint(taken * 32768), -32768, 32767)
        return start, count, scaled.astype("<i2").tobytes()


class _OpusPacker:
    def __init__(self, encoding: Encoding) -> None:
        self._layout = "mono" if encoding.channels == 1 else "stereo"
        self._codec = av.CodecContext.create("libopus", "w")
        assert isinstance(self._codec, av.AudioCodecContext)
        self._codec.sample_rate = TICK_RATE
        self._codec.time_base = TICK
        self._codec.layout = self._layout
        self._codec.format = "flt"
        self._codec.bit_rate = OPUS_BITRATE * encoding.channels
        self._codec.options = {"application": "audio", "frame_duration": "20"}
        self._fed = 0

    def pack(self, samples: Samples) -> Iterator[tuple[int, int, bytes]]:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32).reshape(1, -1), "flt", self._layout
        )
        frame.sample_rate = TICK_RATE
        frame.time_base = Fraction(1, TICK_RATE)
        frame.pts = self._fed
        self._fed += len(samples)
        yield from self._packets(frame)

    def flush(self) -> Iterator[tuple[int, int, bytes]]:
        yield from self._packets(None)

    def _packets(self, frame: av.AudioFrame | None) -> Iterator[tuple[int, int, bytes]]:
        assert isinstance(self._codec, av.AudioCodecContext)
        for packet in self._codec.encode(frame):
            # libopus looks ahead 6.5 ms: FFmpeg's times already say what the decoder puts out.
            yield packet.pts or 0, packet.duration or FRAME, bytes(packet)
