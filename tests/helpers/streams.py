"""Small sources made with FFmpeg, and live media read back with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from stream.frames import PicturePacket, Samples
from stream.media.pictures import SoundAndPicture
from stream.media.source import MediaSource


def ffmpeg(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)],
        check=check,
        capture_output=True,
        timeout=60,
    )


def small_source(
    path: Path, *, length: float = 6, gop: int = 25, extra: tuple[str, ...] = (), sound: int = 2
) -> Path:
    """A picture of 160x90 with B-frames at 25/s, and a sweeping tone."""
    tone = f"aevalsrc='0.3*sin(2*PI*(300+150*t)*t)':s=48000:d={length}"
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=s=160x90:r=25:d={length}",
        "-f", "lavfi", "-i", tone, "-ac", str(sound),
        "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p",
        "-g", str(gop), "-sc_threshold", "0", "-c:a", "aac", *extra, path,
    )  # fmt: skip
    return path


def probe(target: str | Path, *entries: str) -> dict[str, Any]:
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", *entries, str(target)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return json.loads(out.stdout)  # type: ignore[no-any-return]


def packets(target: str | Path, stream: str) -> list[dict[str, Any]]:
    """Timestamps and flags of all packets of a stream such as ``v:0``."""
    wanted = ("-select_streams", stream, "-show_entries", "packet=pts_time,dts_time,flags")
    return probe(target, *wanted)["packets"]  # type: ignore[no-any-return]


def decoded_sound(target: str | Path, stream: str = "a:0") -> Samples:
    """Mono samples of a sound stream at 48 kHz, from its first timestamp on."""
    out = ffmpeg(
        "-i", target, "-map", f"0:{stream}", "-ac", "1", "-ar", "48000", "-f", "f32le", "-"
    )
    return np.frombuffer(out.stdout, np.float32)


def likeness(one: Samples, other: Samples) -> float:
    """Correlation of two stretches of sound without any shift: 1 alike, -1 upside down."""
    length = min(len(one), len(other))
    return float(np.corrcoef(one[:length], other[:length])[0, 1])


def pictures_of(path: Path) -> list[PicturePacket]:
    """The pictures of a file as a feed shows them; its first timestamp is media time 0."""
    found = MediaSource(str(path))
    pictures = [item for item in SoundAndPicture(found) if isinstance(item, PicturePacket)]
    found.close()
    return pictures
