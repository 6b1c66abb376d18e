"""A media file's sound for analysis, and the times of its pictures, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from stream.errors import UserError
from stream.frames import SPEECH_RATE, Samples
from stream.media.address import address
from stream.timeline import TICK, rescale

_JUMP = SPEECH_RATE // 50
"""Samples by which timestamps may disagree with the sample count before sound is moved."""


class SoundtrackError(UserError):
    """A file has no sound to analyse; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """What one file sounds like and when its pictures show.

    Times count from the file's first timestamp, or from 0 where that is negative (the
    priming of an audio encoder).

    Attributes:
        samples: the chosen audio track, mixed to mono at ``SPEECH_RATE``, shape ``(n,)``;
            gaps in its timestamps are silence.
        audio_end: where the audio track ends, ticks.
        pictures: presentation time of every video packet, sorted, ticks; empty without
            video.
        video_end: where the video track ends, ticks, or ``None`` without video.
        container_duration: what the file's header says, ticks, or ``None``.
    """

    samples: Samples
    audio_end: int
    pictures: NDArray[np.int64]
    video_end: int | None
    container_duration: int | None


def read_soundtrack(path: Path, track: int | None = None) -> Soundtrack:
    """Decode a file's sound; damaged packets are skipped.

    Args:
        path: any media file.
        track: which audio track, counted from 0; the default one, else the first, if
            ``None``.

    Raises:
        SoundtrackError: the file cannot be read, has no such track, or holds no sound.
    """
    try:
        with av.open(address(path)) as media:
            return _read(media, _audio_stream(media, track, path), path)
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise SoundtrackError(f"{path} cannot be read: {reason}.") from error


def _audio_stream(media: InputContainer, track: int | None, path: Path) -> AudioStream:
    tracks = media.streams.audio
    if not tracks:
        raise SoundtrackError(f"{path} has no audio track.")
    if track is None:
        return next((s for s in tracks if s.disposition & Disposition.default), tracks[0])
    if not 0 <= track < len(tracks):
        raise SoundtrackError(
            f"{path} has no audio track {track}: it has {len(tracks)}, counted from 0."
        )
    return tracks[track]


def _read(media: InputContainer, audio: AudioStream, path: Path) -> Soundtrack:
    origin = max(media.start_time or 0, 0)
    zero = rescale(origin, Fraction(1, av.time_base), TICK)
    video = _video_stream(media)
    sound = _MonoTimeline(zero)
    pictures: list[int] = []
    ends = {audio.index: 0}
    for packet in media.demux([s for s in (audio, video) if s is not None]):
        if packet.pts is not None and packet.time_base is not None:
            start = rescale(packet.pts, packet.time_base, TICK) - zero
            end = start + rescale(packet.duration or 0, packet.time_base, TICK)
            ends[packet.stream.index] = max(ends.get(packet.stream.index, 0), end)
            if packet.stream is video:
                pictures.append(start)
        if packet.stream is audio:
            try:
                for frame in audio.decode(packet):
                    sound.add(frame)
            except av.InvalidDataError:
                continue  # one damaged packet is a gap, not the end of the measurement
    samples = sound.finish()
    if not len(samples):
        raise SoundtrackError(f"{path} has an audio track without any sound in it.")
    header = media.duration
    return Soundtrack(
        samples,
        ends[audio.index],
        np.sort(np.asarray(pictures, np.int64)),
        ends.get(video.index) if video is not None else None,
        rescale(header, Fraction(1, av.time_base), TICK) if header is not None else None,
    )


def _video_stream(media: InputContainer) -> VideoStream | None:
    moving = (s for s in media.streams.video if not s.disposition & Disposition.attached_pic)
    return next(moving, None)


class _MonoTimeline:
    """Frames resampled to mono speech rate and put where their timestamps say."""

    def __init__(self, zero: int) -> None:
        self._zero = zero
        self._bytes = bytearray()
        self._expected: int | None = None  # time of the next frame if nothing is missing
        self._resampler = self._new_resampler()

    def add(self, frame: av.AudioFrame) -> None:
        if frame.pts is not None and frame.time_base is not None:
            at = rescale(frame.pts, frame.time_base, Fraction(1, SPEECH_RATE))
            at -= rescale(self._zero, TICK, Fraction(1, SPEECH_RATE))
            if self._expected is None or abs(at - self._expected) > _JUMP:
                self._move_to(at)
            length = Fraction(frame.samples, frame.sample_rate)
            self._expected = at + round(length * SPEECH_RATE)
        frame.pts = None
        self._append(self._resampler.resample(frame))

    def finish(self) -> Samples:
        self._append(self._resampler.resample(None))
        return np.frombuffer(self._bytes, np.float32)

    def _move_to(self, sample: int) -> None:
        if self._expected is not None:
            self._append(self._resampler.resample(None))
            self._resampler = self._new_resampler()
        wanted = max(sample, 0) * 4
        if wanted < len(self._bytes):
            del self._bytes[wanted:]
        else:
            self._bytes.extend(bytes(wanted - len(self._bytes)))

    def _append(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            self._bytes += frame.to_ndarray().tobytes()

    @staticmethod
    def _new_resampler() -> av.AudioResampler:
        return av.AudioResampler("flt", "mono", SPEECH_RATE)
