"""Received sound, put in its place and written to a file, a pipe or a player."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

import av
import av.error
import numpy as np

from server.websocket.client import Hello, ListenError
from server.websocket.frames import Frame
from stream.errors import LivedubError
from stream.frames import Samples
from stream.live.feed import ORIGINAL, dub_of
from stream.media.sink import FileSink
from stream.media.source_info import SourceInfo
from stream.timeline import TICK_RATE, ticks

LONGEST_GAP = 600 * TICK_RATE
"""Ticks of silence at most where sound is missing (10 min)."""

PLAYERS = {
    "ffplay": "-nodisp -autoexit -loglevel error -fflags nobuffer -f wav -i pipe:0",
    "paplay": "--raw --format=s16le --rate={rate} --channels={channels}",
    "aplay": "-q -t raw -f S16_LE -r {rate} -c {channels} -",
}
"""Programs that play sound from a pipe, the preferred first, and their arguments."""


class OutputGone(LivedubError):
    """The reader of the sound has gone away; the message, if any, says why it should not have."""


class Output(Protocol):
    """Takes contiguous sound; every method may block."""

    def write(self, samples: Samples) -> None:
        """Take the next samples, shape ``(n, channels)`` at 48 kHz."""

    def close(self) -> None:
        """Everything was written."""

    def discard(self) -> None:
        """What was written is of no use."""


class Timeline:
    """Received frames in, contiguous sound out: silence where some is missing, no repeats."""

    def __init__(self, hello: Hello) -> None:
        self._hello = hello
        self._origin: int | None = None  # media time of position 0
        self._position = 0
        self._arrived = 0.0
        self._decoder: av.AudioCodecContext | None = None

    def reconnected(self, hello: Hello) -> None:
        """Go on with what comes over another connection."""
        if hello.feed != self._hello.feed:
            self._origin = self._decoder = None
        self._hello = hello

    def add(self, frame: Frame, arrived: float) -> Iterator[Samples]:
        """Place one frame.

        Args:
            frame: with a time.
            arrived: seconds of any steady clock.
        """
        assert frame.time is not None
        samples = self._decoded(frame)
        if self._origin is None:
            # Another feed has another clock: between the two, only wall time says how long.
            away = ticks(arrived - self._arrived) if self._position else 0
            self._origin = frame.time - self._position - min(away, LONGEST_GAP)
        self._arrived = arrived
        start = frame.time - self._origin
        if start > self._position + LONGEST_GAP:
            self._origin += start - self._position
            start = self._position
        if start < self._position:
            samples = samples[self._position - start :]
            start = self._position
        if not len(samples):
            return
        missing = start - self._position
        while missing:
            block = min(missing, TICK_RATE)
            yield np.zeros((block, samples.shape[1]), np.float32)
            missing -= block
        yield samples
        self._position = start + len(samples)

    def _decoded(self, frame: Frame) -> Samples:
        channels = self._hello.encoding.channels
        if frame.format == "pcm_s16le":
            whole = np.frombuffer(frame.payload, "<i2").reshape(-1, channels)
            return whole.astype(np.float32) / np.float32(32768)
        if frame.format == "pcm_f32le":
            return np.frombuffer(frame.payload, "<f4").reshape(-1, channels)
        if self._decoder is None or frame.discontinuity:
            decoder = av.CodecContext.create("opus", "r")
            assert isinstance(decoder, av.AudioCodecContext)
            decoder.sample_rate = TICK_RATE
            decoder.layout = "mono" if channels == 1 else "stereo"
            self._decoder = decoder
        with contextlib.suppress(av.error.FFmpegError):
            decoded = self._decoder.decode(av.Packet(frame.payload))
            if decoded:
                joined = np.concatenate([d.to_ndarray().T for d in decoded], dtype=np.float32)
                return joined[: frame.samples]
        return np.zeros((frame.samples, channels), np.float32)


class FileOutput:
    """A file of any kind that ``stream.media.sink`` writes."""

    def __init__(self, path: Path, hello: Hello) -> None:
        channels = hello.encoding.channels
        layout = "mono" if channels == 1 else "stereo"
        nothing = SourceInfo("", None, 0, layout, channels, None, (), {})
        language = hello.language if hello.track == ORIGINAL else dub_of(hello.track)
        self._sink = FileSink(path, nothing, language=language, source_language=hello.language)

    def write(self, samples: Samples) -> None:
        """Encode the next samples."""
        self._sink.write_audio(samples)

    def close(self) -> None:
        """Finish the file."""
        self._sink.close()

    def discard(self) -> None:
        """Remove it."""
        self._sink.discard()


class PipeOutput:
    """Interleaved 16-bit samples into a pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def write(self, samples: Samples) -> None:
        """Write and flush.

        Raises:
            OutputGone: if nobody reads the pipe any more.
        """
        scaled = np.clip(np.rint(samples * 32768), -32768, 32767)
        self._send(scaled.astype("<i2").tobytes())

    def close(self) -> None:
        """The pipe's owner closes it."""

    def discard(self) -> None:
        """What was sent cannot be taken back."""
        self.close()

    def _send(self, data: bytes) -> None:
        try:
            self._pipe.write(data)
            self._pipe.flush()
        except (BrokenPipeError, ValueError):
            raise OutputGone from None


class PlayerOutput(PipeOutput):
    """The first of ``PLAYERS`` that is installed.

    Raises:
        ListenError: if none is.
    """

    def __init__(self, hello: Hello) -> None:
        self._name = name = find_player()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        channels = hello.encoding.channels
        arguments = PLAYERS[name].format(rate=TICK_RATE, channels=channels).split()
        # In a group of its own, so that Ctrl-C ends the sound when it has been played.
        self._process = subprocess.Popen(
            [name, *arguments],
            stdin=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        super().__init__(self._process.stdin)
        if name == "ffplay":
            # FFmpeg's options for bare samples differ between its releases; a header is a header.
            self._send(_wav_header(channels))

    def _send(self, data: bytes) -> None:
        try:
            super()._send(data)
        except OutputGone:
            self._process.wait()
            raise OutputGone(
                f"{self._name} does not play{self._reason()}: see whether there is a sound device, "
                "or write a file with --out"
            ) from None

    def _reason(self) -> str:
        """The last lines that it printed, in parentheses."""
        self._said.seek(0)
        lines = self._said.read()[-4096:].decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip().isprintable() and line.strip()]
        return f" ({'; '.join(said[-2:])})" if said else ""

    def close(self) -> None:
        """Let it play what it has, for up to three seconds."""
        with contextlib.suppress(OSError):
            self._pipe.close()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()


def find_player() -> str:
    """Name of the player to use.

    Raises:
        ListenError: if there is none.
    """
    for name in PLAYERS:
        if shutil.which(name):
            return name
    raise ListenError(f"--play needs one of {', '.join(PLAYERS)}, and none is installed")


def _wav_header(channels: int) -> bytes:
    endless = 0xFFFFFFFF
    width = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, TICK_RATE, TICK_RATE * width, width, 16)
    riff = struct.pack("<4sI4s4sI", b"RIFF", endless, b"WAVE", b"fmt ", len(form))
    return riff + form + struct.pack("<4sI", b"data", endless)
