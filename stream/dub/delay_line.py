"""The delay line: source sound and packets that wait for the playout position."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from stream.frames import AudioChunk, Packet, Samples


class DelayLine:
    """Source media in the order in which it came, given back by media time.

    Args:
        channels: of the source's sound.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.audio_end = 0
        """Media time up to which sound has come, ticks."""
        self.media_end = 0
        """The same for anything."""
        self._chunks: deque[AudioChunk] = deque()
        self._packets: deque[Packet] = deque()

    def push(self, items: Sequence[AudioChunk | Packet]) -> None:
        """Put source media in."""
        for item in items:
            if isinstance(item, AudioChunk):
                self._chunks.append(item)
                self.audio_end = item.end
            else:
                self._packets.append(item)
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
        return due
