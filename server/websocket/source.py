"""A WebSocket publisher as a connection: contiguous sound at 48 kHz, whatever its times say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from fractions import Fraction
from functools import partial

import av
import av.error
import numpy as np

from server.websocket.frames import Encoding, Frame
from stream.flow.channel import Channel, Closed
from stream.flow.worker import Worker
from stream.frames import AudioChunk, Samples
from stream.live.connection import ConnectionStatus, LiveBatch
from stream.live.source import CHANNELS
from stream.media.contiguous import ContiguousTrack
from stream.media.source_clock import JUMP, SourceClock
from stream.timeline import TICK, TICK_RATE, rescale

QUEUED_FRAMES = 64
"""Frames that wait to be taken; then the publisher is held back."""


class WebSocketSource:
    """A publisher's stay: its socket pushes frames in, a live source takes sound out.

    The media timeline counts from the first frame's time. Gaps up to 10 s become silence,
    repeats are cut, longer steps either way are a clock that was restarted and are bridged.

    Attributes:
        ended: set when the live source has let go of it.
        position: media time just after what has been taken, ticks.
        repaired: gaps filled, repeats cut and clock restarts bridged so far.
        corrupt: Opus packets that could not be decoded so far; they are silence.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.ended = asyncio.Event()
        self.position = self.repaired = self.corrupt = 0
        self._frames = Channel[Frame](QUEUED_FRAMES)
        self._sound = _PublishedSound(encoding)

    async def push(self, frame: Frame) -> bool:
        """Hand in a frame, waiting for room; whether it was taken (the source may have ended)."""
        try:
            await self._frames.send(frame)
        except Closed:
            return False
        return True

    async def finish(self) -> None:
        """End the source after what was handed in."""
        self._frames.close()

    async def aclose(self) -> None:
        """Take no more of it; the publisher is sent away."""
        await self.finish()
        self.ended.set()

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        return ConnectionStatus("websocket")

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """See ``Connection``."""
        worker = Worker("ws-publish")
        try:
            async for frame in self._frames:
                batch = await worker.run(partial(self._sound.add, frame))
                self.repaired, self.corrupt = self._sound.repaired, self._sound.corrupt
                if batch:
                    self.position = batch[-1].end
                    yield batch
            if batch := await worker.run(self._sound.flush):
                self.position = batch[-1].end
                yield batch
        finally:
            self._frames.close()
            await worker.aclose()


class _PublishedSound:
    """Decodes frames and puts them where their times say; belongs in one thread."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        layout = "mono" if encoding.channels == 1 else "stereo"
        self._layout = layout
        self._track = ContiguousTrack(av.AudioLayout(layout))
        # What is sent again after a reconnection has its old times.
        self._clock = SourceClock[None](discontinuous=True, back=JUMP)
        self._decoder = _opus_decoder(layout) if encoding.format == "opus" else None
        self._end = 0  # media time after the newest sound, by its times
        self._repeats = 0
        self.corrupt = 0

    @property
    def repaired(self) -> int:
        return self._repeats + self._track.repairs + self._clock.restarts

    def add(self, frame: Frame) -> list[AudioChunk]:
        samples = self._decoded(frame)
        length = rescale(len(samples), Fraction(1, self._encoding.rate), TICK)
        (placed,) = self._clock.place("sound", frame.time, length, None)
        offset = placed.offset
        end = (self._end if frame.time is None else frame.time + offset) + length
        if end <= self._end:
            self._repeats += 1
            return []
        self._end = end
        sound = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T), format="fltp", layout=self._layout
        )
        sound.sample_rate = self._encoding.rate
        if frame.time is not None:
            sound.time_base = TICK
            sound.pts = frame.time
        return [_stereo(chunk) for chunk in self._track.add(sound, offset)]

    def flush(self) -> list[AudioChunk]:
        return [_stereo(chunk) for chunk in self._track.flush()]

    def _decoded(self, frame: Frame) -> Samples:
        channels = self._encoding.channels
        if self._decoder is not None:
            try:
                decoded = self._decoder.decode(av.Packet(frame.payload))
            except av.error.FFmpegError:
                decoded = []
            if not decoded:
                self.corrupt += 1
                return np.zeros((frame.samples, channels), np.float32)
            return np.concatenate([d.to_ndarray().T for d in decoded], dtype=np.float32)
        if frame.format == "pcm_s16le":
            whole = np.frombuffer(frame.payload, "<i2").reshape(-1, channels)
            return whole.astype(np.float32) / np.float32(32768)
        real = np.frombuffer(frame.payload, "<f4").reshape(-1, channels)
        # Clipped, so that a stray bit pattern is a click and not an infinite level.
        clipped: Samples = np.clip(np.nan_to_num(real, posinf=1, neginf=-1), -1, 1)
        return clipped


def _opus_decoder(layout: str) -> av.AudioCodecContext:
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = TICK_RATE
    decoder.layout = layout
    return decoder


def _stereo(chunk: AudioChunk) -> AudioChunk:
    mono = chunk.samples.shape[1] == 1
    return AudioChunk(chunk.start, np.repeat(chunk.samples, CHANNELS, axis=1)) if mono else chunk
