"""Decoded sound made contiguous: 48 kHz, one layout, gaps filled and repeats cut."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from stream.frames import AudioChunk, Samples
from stream.media.bounds import takes_sound
from stream.timeline import TICK, TICK_RATE, rescale

GAP = TICK_RATE // 25
"""Audio this far (40 ms) from where the sample count says it is has lost or repeated samples."""


class ContiguousTrack:
    """Decoded frames in, contiguous 48 kHz chunks of one layout out.

    Channels for which no loudspeakers are named are all mixed evenly.

    Args:
        layout: of the chunks.
        only: index of the one channel to give out, on all channels of the layout.
    """

    def __init__(self, layout: av.AudioLayout, only: int | None = None) -> None:
        self._layout = layout
        self._only = only
        self._format: tuple[int, str, str] | None = None
        self._swr: av.AudioResampler | None = None
        self._out = 0  # media time just after what was given out
        self._anchor: int | None = None  # media time from which samples are counted
        self._count = 0  # samples at the source's rate since the anchor
        self._skip = 0
        self.repairs = 0
        self.refused = 0
        """Frames of sound that are not taken."""

    @property
    def end(self) -> int:
        """Media time just after what was given out, ticks."""
        return self._out

    def add(self, frame: av.AudioFrame, offset: int) -> Iterator[AudioChunk]:
        """Convert one decoded frame; ``offset`` brings its timestamp to media time.

        What is not taken (see `stream.media.bounds`) is left out, and so becomes silence.
        """
        if not takes_sound(frame.sample_rate, frame.layout.nb_channels):
            self.refused += 1
            return
        due = self._due()
        start = self._out if due is None else due
        if frame.pts is not None and frame.time_base:
            start = rescale(frame.pts, frame.time_base, TICK) + offset
        lost_sync = due is None or abs(start - due) > GAP
        frame = self._narrowed(frame)
        format_ = (frame.sample_rate, frame.layout.name, frame.format.name)
        if format_ != self._format or lost_sync:
            yield from self.flush()
            self.repairs += due is not None and lost_sync
            if lost_sync:
                # A gap becomes silence of its length; a repeat is cut as it comes out.
                yield from self._silence(start - self._out)
                self._skip = max(0, self._out - start)
            self._anchor = start if lost_sync else due
            self._count = 0
            self._format = format_
            self._swr = av.AudioResampler("fltp", self._layout, TICK_RATE)
        assert self._swr is not None
        self._count += frame.samples
        for piece in _pieces(frame):
            piece.pts = None
            for converted in self._swr.resample(piece):
                yield from self._give(converted)

    def flush(self) -> Iterator[AudioChunk]:
        """What the converter still holds."""
        if self._swr is not None:
            for converted in self._swr.resample(None):
                yield from self._give(converted)
            self._swr = None

    def _narrowed(self, frame: av.AudioFrame) -> av.AudioFrame:
        """One channel of the frame, or all of them as one, where the converter cannot do it."""
        if self._only is None and not placeless(frame.layout):
            return frame
        samples = _floats(frame)
        mono = (
            samples[self._only]
            if self._only is not None and self._only < len(samples)
            else (samples.mean(axis=0))
        )
        narrowed = av.AudioFrame.from_ndarray(mono[None], format="fltp", layout="mono")
        narrowed.sample_rate = frame.sample_rate
        return narrowed

    def _due(self) -> int | None:
        """Media time of the sample after those counted; from the count, so nothing adds up."""
        if self._anchor is None or self._format is None:
            return None
        return self._anchor + rescale(self._count, Fraction(1, self._format[0]), TICK)

    def _give(self, converted: av.AudioFrame) -> Iterator[AudioChunk]:
        samples: Samples = np.ascontiguousarray(converted.to_ndarray().T, np.float32)
        if self._skip:
            cut = min(self._skip, len(samples))
            self._skip -= cut
            samples = samples[cut:]
        if len(samples):
            yield AudioChunk(self._out, np.nan_to_num(samples, copy=False))
            self._out += len(samples)

    def _silence(self, length: int) -> Iterator[AudioChunk]:
        while length > 0:
            block = min(length, TICK_RATE)
            zeros = np.zeros((block, self._layout.nb_channels), np.float32)
            yield AudioChunk(self._out, zeros)
            self._out += block
            length -= block


def _pieces(frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
    """A frame in pieces of a second at most: a coder's block may be minutes at a low rate."""
    if frame.samples <= frame.sample_rate:
        yield frame
        return
    samples: Any = frame.to_ndarray()
    step = frame.sample_rate * (1 if frame.format.is_planar else frame.layout.nb_channels)
    for begin in range(0, samples.shape[1], step):
        part = np.ascontiguousarray(samples[:, begin : begin + step])
        piece = av.AudioFrame.from_ndarray(part, frame.format.name, frame.layout.name)
        piece.sample_rate = frame.sample_rate
        yield piece


def placeless(layout: av.AudioLayout) -> bool:
    """Whether nothing says which of more than two loudspeakers each channel is for."""
    return layout.nb_channels > 2 and layout.name == f"{layout.nb_channels} channels"


def _floats(frame: av.AudioFrame) -> Samples:
    """The samples of a frame of any format, shape ``(channels, n)``, in [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return np.ascontiguousarray(samples / np.float32(128) - np.float32(1), np.float32)
    full = 1.0 if samples.dtype.kind == "f" else 2.0 ** (8 * samples.dtype.itemsize - 1)
    return np.ascontiguousarray(samples / full, np.float32)
