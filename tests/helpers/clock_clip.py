"""A clip whose picture tells its own time to a program, with speech, and beeps where nobody speaks.

The picture's upper half holds the number of the frame as sixteen black or white blocks; it
survives any coding. Seconds 10, 11, 12 ... after the speech begin with a beep of 1 kHz.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from stream.frames import Samples

RATE = 48_000
FPS = 25
WIDTH, HEIGHT = 320, 176
BITS = 16
BEEP = 0.06
FREQUENCY = 1000


def make(speech: Path, out: Path, beeps: int = 8) -> list[float]:
    """Write the clip; returns the seconds at which it beeps."""
    with av.open(str(speech)) as media:
        swr = av.AudioResampler("flt", "mono", RATE)
        frames = [f for frame in media.decode(audio=0) for f in swr.resample(frame)]
        frames += swr.resample(None)
    spoken = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    first = len(spoken) // RATE + 2
    times = [float(first + i) for i in range(beeps)]
    sound = np.zeros((first + beeps + 1) * RATE, np.float32)
    sound[: len(spoken)] = spoken
    tone = 0.5 * np.sin(2 * np.pi * FREQUENCY * np.arange(round(BEEP * RATE)) / RATE)
    for time in times:
        sound[round(time * RATE) :][: len(tone)] = tone
    with av.open(str(out), "w") as media:
        options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23", "g": str(FPS)}
        picture = media.add_stream("libx264", rate=FPS, options=options)
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        track = media.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number in range(len(sound) * FPS // RATE):
            frame = av.VideoFrame.from_ndarray(_drawn(number), format="gray")
            media.mux(picture.encode(frame.reformat(format="yuv420p")))
            block = sound[number * RATE // FPS : (number + 1) * RATE // FPS]
            pcm = (block * 32767).astype(np.int16)[None]
            audio = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            audio.sample_rate, audio.pts = RATE, number * RATE // FPS
            media.mux(track.encode(audio))
        media.mux(picture.encode())
        media.mux(track.encode())
    return times


def _drawn(number: int) -> NDArray[np.uint8]:
    image = np.full((HEIGHT, WIDTH), 90, np.uint8)
    width = WIDTH // BITS
    for bit in range(BITS):
        image[: HEIGHT // 2, bit * width : (bit + 1) * width] = 235 * (number >> bit & 1)
    return image


def read(image: NDArray[np.uint8]) -> int:
    """The number of a frame from its picture in grey, of any size."""
    height, width = image.shape
    number = 0
    for bit in range(BITS):
        left, right = (bit + 0.3) * width / BITS, (bit + 0.7) * width / BITS
        block = image[height // 8 : height // 3, int(left) : int(right)]
        number |= int(block.mean() > 117) << bit
    return number


def onsets(sound: Samples) -> NDArray[np.float64]:
    """Seconds at which beeps begin in mono sound at 48 kHz."""
    step = RATE // 1000
    length = RATE // 100
    wave = np.exp(-2j * np.pi * FREQUENCY * np.arange(length) / RATE)
    windows = np.lib.stride_tricks.sliding_window_view(sound, length)[::step]
    tone = np.abs(windows @ wave) / length * 2
    total = np.sqrt(2 * np.einsum("nk,nk->n", windows, windows) / length) + 1e-9
    pure = (tone > 0.05) & (tone > 0.9 * total)
    begins = np.flatnonzero(pure[1:] & ~pure[:-1]) + 1
    lasting = [b for b in begins if pure[b : b + 30].mean() > 0.9]
    return np.array(lasting) * step / RATE


def offsets(media: Path, beeps: list[float]) -> NDArray[np.float64]:
    """For each beep in recorded media, the picture's time when it sounds less its own, seconds.

    Positive where the picture is ahead of the sound.
    """
    shown: list[tuple[float, float]] = []
    pieces: list[tuple[float, Samples]] = []
    with av.open(str(media)) as container:
        swr = av.AudioResampler("flt", "mono", RATE)
        for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    grey = frame.to_ndarray(format="gray")
                    shown.append((float(frame.time or 0), read(grey) / FPS))
                else:
                    time = float(frame.time or 0)
                    pieces += [(time, f.to_ndarray()[0]) for f in swr.resample(frame)]
    start = pieces[0][0]
    sound = np.concatenate([samples for _, samples in pieces])
    pts, clock = map(np.array, zip(*shown, strict=True))
    # The clock runs at the pace of media: the line through it is finer than a frame.
    shift = np.median(clock - pts)
    found = onsets(sound) + start + shift
    nearest = [min(beeps, key=lambda beep: abs(beep - time)) for time in found]
    apart = found - np.array(nearest)
    return apart[np.abs(apart) < 0.4]
