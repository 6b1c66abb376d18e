"""Films of a second made in this process: tones as tracks, and what goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

RATE = 48_000

PITCHES = (300, 500, 700, 900)
"""Of the tracks in their order, Hz."""


@dataclass(frozen=True)
class Track:
    """A tone in an audio track."""

    language: str = ""
    title: str = ""
    disposition: str = ""
    codec: str = "aac"
    options: tuple[tuple[str, str], ...] = ()


def film(
    path: Path,
    *tracks: Track,
    picture: str | None = None,
    length: float = 1.0,
    tag: str | None = None,
    chapters: Sequence[tuple[float, float, str]] = (),
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    begin: float = 0.0,
) -> Path:
    """Write tracks of a second, and a picture that grows brighter, in a codec of FFmpeg's."""
    with av.open(str(path), "w", options=options or {}) as out:
        video = _picture(out, picture, tag) if picture else None
        sounds = [_sound(out, track) for track in tracks or (Track(),)]
        out.metadata.update(metadata or {})
        if chapters:
            out.set_chapters(
                [
                    {
                        "id": number, "start": round(start * 1000), "end": round(end * 1000),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": title},
                    }
                    for number, (start, end, title) in enumerate(chapters, 1)
                ]
            )  # fmt: skip
        for number in range(round(length * 25)):
            if video is not None:
                grey = np.full((64, 64), 16 + 4 * number % 220, np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
                frame.pts = number + round(begin * 25)
                out.mux(video.encode(frame))
            for sound, pitch in zip(sounds, PITCHES, strict=False):
                out.mux(sound.encode(_tone(pitch, number, begin)))
        for stream in (*sounds, *([video] if video is not None else [])):
            out.mux(stream.encode(None))
    return path


def _picture(out: Any, codec: str, tag: str | None) -> Any:
    stream = out.add_stream(codec, rate=25)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    if tag is not None:
        stream.codec_context.codec_tag = tag
    if codec.startswith("libx26"):
        stream.options = {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"}
    return stream


def _sound(out: Any, track: Track) -> Any:
    stream = out.add_stream(track.codec, rate=RATE, options=dict(track.options))
    stream.codec_context.layout = "stereo"
    if track.language:
        stream.metadata["language"] = track.language
    if track.title:
        stream.metadata["title"] = track.title
    flags = Disposition(0)
    for name in filter(None, track.disposition.split("+")):
        flags |= Disposition[name]
    stream.disposition = flags
    return stream


def _tone(pitch: int, number: int, begin: float) -> av.AudioFrame:
    block = RATE // 25
    time = (np.arange(block) + number * block) / RATE
    tone = (0.3 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = RATE, number * block + round(begin * RATE)
    return frame
