"""What a mix was made of, each alone: the dub's voice, and the original as it lay under it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

from stream.frames import Samples
from stream.media.address import address
from stream.sound.mix import add_dub
from stream.timeline import TICK_RATE


class Stems:
    """Two FLAC files of a dub, written as it is played; every method blocks.

    The two add up to the mix. Where the limiter had to lower it, the difference is in the bed.

    Args:
        folder: made if it is not there.
        stem: of the files' names, ``STEM.dub.flac`` and ``STEM.bed.flac``.
        layout: of the mix, by FFmpeg's name.
        centre: index of its centre channel, if it has one.
    """

    def __init__(self, folder: Path, stem: str, layout: str, centre: int | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.dub, self.bed = folder / f"{stem}.dub.flac", folder / f"{stem}.bed.flac"
        self._centre = centre
        self._files = [_Flac(self.dub, "mono"), _Flac(self.bed, layout)]
        self._waiting = np.zeros(0, np.float32)

    def write(self, mix: Samples, dub: Samples) -> None:
        """The next stretch of both, of which the mix may be behind.

        Args:
            mix: shape ``(n, channels)``.
            dub: shape ``(m,)``.
        """
        self._waiting = np.concatenate([self._waiting, dub])
        n = min(len(mix), len(self._waiting))
        now, self._waiting = self._waiting[:n], self._waiting[n:]
        voice, bed = self._files
        voice.write(now[:, None])
        bed.write(add_dub(mix[:n], -now, self._centre))

    def close(self) -> None:
        """Finish the files."""
        for file in self._files:
            file.close()


class _Flac:
    """Sound at 48 kHz in 24 bits, of which nothing is lost that could be heard."""

    def __init__(self, path: Path, layout: str) -> None:
        self._container: OutputContainer = av.open(address(path), "w", format="flac")
        stream = self._container.add_stream("flac", rate=TICK_RATE, layout=layout)
        assert isinstance(stream, AudioStream)
        stream.format = "s32"
        self._stream, self._layout, self._written = stream, layout, 0

    def write(self, sound: Samples) -> None:
        if not len(sound):
            return
        whole = np.round(np.clip(sound.astype(np.float64), -1, 1) * (2**31 - 256)).astype(np.int32)
        frame = av.AudioFrame.from_ndarray(whole.reshape(1, -1), "s32", self._layout)
        frame.sample_rate, frame.time_base = TICK_RATE, Fraction(1, TICK_RATE)
        frame.pts, self._written = self._written, self._written + len(sound)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
