"""Sources made by hand of what FFmpeg has coded: FLV tags and MPEG-TS packets, and what is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from stream.frames import AudioChunk, PicturePacket, Samples
from stream.media.live_input import LiveMedia
from stream.media.pictures import SoundAndPicture
from stream.media.source import MediaSource
from stream.timeline import TICK_RATE
from tests.helpers.streams import ffmpeg

AUDIO, VIDEO, SCRIPT = 8, 9, 18


@dataclass(frozen=True)
class Tag:
    """A tag of FLV, or a message of RTMP: type, time in ms, body."""

    kind: int
    time: int
    body: bytes

    @property
    def configures(self) -> bool:
        """Whether it configures an AAC or H.264 decoder."""
        coded = self.kind == AUDIO and self.body[0] >> 4 == 10
        coded = coded or (self.kind == VIDEO and self.body[0] & 15 == 7)
        return coded and self.body[1] == 0


def flv_tags(path: Path) -> list[Tag]:
    """The tags of a file, scripts left out."""
    data, at, found = path.read_bytes(), 13, []
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        time = int.from_bytes(data[at + 7 : at + 8] + data[at + 4 : at + 7], "big")
        if data[at] != SCRIPT:
            found.append(Tag(data[at], time, data[at + 11 : at + 11 + size]))
        at += 15 + size
    return found


def beeping(path: Path, *extra: str, length: float = 3, size: str = "64x64") -> Path:
    """A picture, and a beep at every full second."""
    beeps = f"sine=1000:r=48000:d={length},volume='if(lt(mod(t,1),0.2),1,0)':eval=frame"
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc=s={size}:r=25:d={length}", "-f", "lavfi", "-i", beeps,
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "5", "-bf", "0",
        "-c:a", "aac", *extra, path,
    )  # fmt: skip
    return path


@dataclass
class Heard:
    """What came of a source."""

    sound: list[Samples] = field(default_factory=list)
    pictures: list[PicturePacket] = field(default_factory=list)

    @property
    def length(self) -> float:
        """Of the sound, seconds."""
        return sum(map(len, self.sound)) / TICK_RATE

    @property
    def beeps(self) -> list[float]:
        """When each beep begins, seconds."""
        mono = np.concatenate([np.zeros((0, 1), np.float32), *(s[:, :1] for s in self.sound)])
        loud = np.abs(mono[:, 0]) > 0.02
        block = loud[: len(loud) // 480 * 480].reshape(-1, 480).any(axis=1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], block.astype(int)])) == 1)
        return [float(edge) * 0.01 for edge in edges]

    @property
    def shown(self) -> list[float]:
        """When each picture is shown, seconds."""
        return sorted(picture.shown / TICK_RATE for picture in self.pictures)

    def add(self, items: Iterable[AudioChunk | PicturePacket]) -> None:
        for item in items:
            if isinstance(item, AudioChunk):
                self.sound.append(item.samples)
            else:
                self.pictures.append(item)


def read(source: MediaSource | LiveMedia) -> Heard:
    """Everything of a source, which is then closed."""
    heard = Heard()
    heard.add(in_order(SoundAndPicture(source) if isinstance(source, MediaSource) else source))
    source.close()
    return heard


def in_order(
    items: Iterable[AudioChunk | PicturePacket],
) -> Iterator[AudioChunk | PicturePacket]:
    """The items; sound must be contiguous from 0 and decoding times must not fall."""
    end, last = 0, -(1 << 62)
    for item in items:
        if isinstance(item, AudioChunk):
            assert item.start == end, "sound is contiguous"
            end = item.end
        else:
            assert item.time >= last, "pictures come in decoding order"
            last = item.time
        yield item


def coded(path: Path, picture: str, sound: str = "aac", length: float = 2) -> Path:
    """Flashes and beeps by PyAV's FFmpeg, which unlike old ones writes these codecs into FLV."""
    plain = beeping(path.with_name("plain.mkv"), length=length)
    with av.open(str(plain)) as read, av.open(str(path), "w") as out:
        video = out.add_stream(picture, rate=25, options={"preset": "12", "g": "25"})
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = out.add_stream(sound, rate=48_000, layout="mono")
        for frame in read.decode(video=0):
            frame.pict_type = av.video.frame.PictureType.NONE
            out.mux(video.encode(frame))
        out.mux(video.encode())
        read.seek(0)
        for heard in read.decode(audio=0):
            out.mux(audio.encode(heard))
        out.mux(audio.encode())
    # As root, SVT-AV1 leaves its caller a real-time thread, before which nothing else runs.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return path
