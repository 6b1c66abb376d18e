"""What flows between stages: small frozen records, every time in ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stream.timeline import TICK, TICK_RATE, Interval, rescale

Samples = NDArray[np.float32]
"""PCM, float32 in [-1, 1]: ``(n,)`` mono or ``(n, channels)`` interleaved."""

Embedding = NDArray[np.float32]
"""A voice as a unit vector; ``(n, size)`` for several."""

SPEECH_RATE = 16_000
"""Sampling rate of speech handed to models, Hz: one sample is exactly three ticks."""

TICKS_PER_SAMPLE = TICK_RATE // SPEECH_RATE
"""Ticks of a sample at ``SPEECH_RATE``."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A block of the source's audio at 48 kHz.

    Attributes:
        start: media time of the first sample, ticks.
        samples: shape ``(n, channels)``.
        absent: whether it is silence that stands for what did not come, and so says nothing about
            when its source delivers.
    """

    start: int
    samples: Samples
    absent: bool = False

    @property
    def end(self) -> int:
        """Media time just after the last sample, ticks."""
        return self.start + len(self.samples)

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return self.samples.nbytes


@dataclass(frozen=True, slots=True)
class CopiedPacket:
    """A compressed packet that passes through untouched.

    Attributes:
        stream: index of the source stream.
        time: decoding time on the media timeline, ticks; orders the packet in the output.
        packet: the ``av.Packet``, timestamps already on the repaired timeline.
    """

    stream: int
    time: int
    packet: Any

    @property
    def end(self) -> int:
        """Media time at which the packet's own duration is over, ticks."""
        return self.time + rescale(self.packet.duration or 0, self.packet.time_base, TICK)

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return int(self.packet.size)


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech between two pauses, or cut at a word gap where it runs long.

    Attributes:
        id: counts from 0 in the order of the source.
        slot: from the first to the last spoken sample, padding excluded.
        audio: speech with padding, mono at ``SPEECH_RATE``, shape ``(n,)``.
        audio_start: media time of ``audio[0]``, ticks.
        ended_by: a pause, a cut inside long speech, or the end of the source.
        speaker: label of who speaks.
        speech: the stretches of the slot in which somebody speaks.
    """

    id: int
    slot: Interval
    audio: Samples
    audio_start: int
    ended_by: Literal["pause", "cut", "end"]
    speaker: str = "S1"
    speech: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word; ``start`` and ``end`` are seconds from the start of its audio.

    ``joined`` says that it is written without a space before it.
    """

    text: str
    start: float
    end: float
    probability: float
    joined: bool = False


def letters(text: str) -> str:
    """What counts where texts are compared: letters and digits, in lower case."""
    return "".join(filter(str.isalnum, text.casefold()))


def written(words: Sequence[Word]) -> str:
    """The text of recognised words."""
    return "".join(word.text if word.joined else f" {word.text}" for word in words).strip()


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser made of speech.

    Attributes:
        text: the transcript; empty when nothing was said.
        language: ISO 639 code.
        words: word timings, if they were asked for.
        rejected: why text was thrown away as a hallucination, or ``None``.
    """

    text: str
    language: str
    words: tuple[Word, ...] = ()
    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text shall be spoken; an engine heeds what it can.

    Attributes:
        rate: speaking rate; 1 is the voice's own.
        speaker: label of who said the original.
        voice: to speak in, by one of the engine's names or, where it clones voices, the path of a
            reference clip; empty for its configured one.
        take: number of the reading. The same text may sound different with another number, in
            engines that leave something to chance.
        room: seconds that the speech should take, for engines that choose between takes.
        deadline: ``time.monotonic()`` until which they may try; ``None`` for as long as they like.
    """

    rate: float = 1.0
    speaker: str = ""
    room: float | None = None
    deadline: float | None = None
    voice: str = ""
    take: int = 0


PLAIN = Manner()


class Fate(StrEnum):
    """What became of an utterance's dub."""

    ON_TIME = "on_time"
    LATE = "late"
    DROPPED = "dropped"
    FAILED = "failed"
    EMPTY = "empty"
    LEFT = "left"
    """On purpose: in the language of the dub, or in one that nothing here translates."""


UNDUBBED = frozenset({Fate.EMPTY, Fate.LEFT})
"""Fates of what was not to be dubbed, and does not count where one asks how much was."""


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How the picture is coded.

    Attributes:
        codec: FFmpeg's name, such as ``h264``.
        extradata: codec configuration as FFmpeg holds it; of H.264 and HEVC, which are always in
            Annex B form, the parameter sets that every keyframe begins with.
        width, height: pixels.
        reordered: whether pictures are shown in another order than they are decoded.
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    reordered: bool = False


@dataclass(frozen=True, slots=True)
class PicturePacket:
    """One coded picture, published when the viewer is to see its decoding time.

    Attributes:
        format: equal for all packets until the source changes it.
        time: decoding time, ticks; strictly rising.
        shown: presentation time, ticks.
        key: whether decoding can begin here.
        data: the packet's bytes.
    """

    format: PictureFormat
    time: int
    shown: int
    key: bool
    data: bytes

    @property
    def end(self) -> int:
        """When it is decoded; how long it is shown only the next packet tells."""
        return self.time

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.data) + len(self.format.extradata)


Packet = CopiedPacket | PicturePacket
"""What passes through in decoding order."""

Batch = Sequence[AudioChunk | Packet]
"""Media of one source in order."""
