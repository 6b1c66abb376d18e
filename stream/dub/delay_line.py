"""The delay line: source sound and packets that wait for the playout position."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from stream.frames import AudioChunk, Packet, PicturePacket, Samples
from stream.media.bounds import OVERHEAD

MOST_BYTES = 256 << 20
"""Of pictures that wait: a minute of 30 Mbit/s, six seconds of 300."""


class SpeechLine:
    """The part of the source's sound that is speech, where that is known, by media time."""

    def __init__(self) -> None:
        self.settled = 0
        """Media time up to which it is known, or known to stay unknown, ticks."""
        self._chunks: deque[AudioChunk] = deque()

    def push(self, speech: Sequence[AudioChunk], settled: int) -> None:
        """Put in what follows; gaps stay unknown."""
        self._chunks.extend(speech)
        self.settled = max(self.settled, settled)

    def ahead(self, start: int, length: int) -> Samples | None:
        """Up to ``length`` ticks from ``start`` on, as far as they follow without a gap.

        ``None`` if nothing is known at ``start``. What is before it is forgotten.
        """
        while self._chunks and self._chunks[0].end <= start:
            self._chunks.popleft()
        parts, at = [], start
        for chunk in self._chunks:
            if chunk.start > at or at >= start + length:
                break
            parts.append(chunk.samples[at - chunk.start : start + length - chunk.start])
            at = chunk.end
        return np.concatenate(parts) if parts else None


class DelayLine:
    """Source media in the order in which it came, given back by media time.

    Its time is bounded by who fills it, by that of sound and pictures; as theirs may jump, pictures
    are bounded in bytes, too: beyond those they are lost, up to a keyframe.

    Args:
        channels: of the source's sound.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.audio_end = 0
        """Media time up to which sound has come, ticks."""
        self.media_end = 0
        """The same for anything."""
        self.picture_time = 0
        """Media time of the newest picture, ticks."""
        self._chunks: deque[AudioChunk] = deque()
        self._packets: deque[Packet] = deque()
        self._held = 0
        self._dropping = False
        self.dropped = 0
        """Pictures that there was no room for."""

    def push(self, items: Sequence[AudioChunk | Packet]) -> None:
        """Put source media in."""
        for item in items:
            if isinstance(item, AudioChunk):
                self._chunks.append(item)
                self.audio_end = item.end
            elif self._fits(item):
                self._packets.append(item)
                if isinstance(item, PicturePacket):
                    self.picture_time = item.time
                self._held += item.size + OVERHEAD
            else:
                self.dropped += 1
                continue
            self.media_end = max(self.media_end, item.end)

    def sound(self, start: int, length: int) -> Samples:
        """Sound from ``start`` ticks, silence where none has come, shape ``(length, channels)``."""
        out = np.zeros((length, self.channels), np.float32)
        end = start + length
        while self._chunks and self._chunks[0].start < end:
            chunk = self._chunks.popleft()
            late = max(0, start - chunk.start)
            usable = chunk.samples[late : end - chunk.start]
            out[chunk.start + late - start :][: len(usable)] = usable
            if chunk.end > end:
                self._chunks.appendleft(AudioChunk(end, chunk.samples[end - chunk.start :]))
                break
        return out

    def packets(self, until: int) -> list[Packet]:
        """Packets due before ``until`` ticks."""
        due: list[Packet] = []
        while self._packets and self._packets[0].time < until:
            due.append(self._packets.popleft())
            self._held -= due[-1].size + OVERHEAD
        return due

    def _fits(self, item: Packet) -> bool:
        if not isinstance(item, PicturePacket):
            return True  # of a file, which somebody chose
        room = self._held + item.size + OVERHEAD <= MOST_BYTES
        self._dropping = not room or (self._dropping and not item.key)
        return not self._dropping
