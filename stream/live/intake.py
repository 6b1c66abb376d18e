"""What a live source receives of its picture, measured over the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from stream.frames import AudioChunk, PictureFormat, PicturePacket

SPAN_S = 5.0
"""Seconds over which rates are taken."""


@dataclass(frozen=True, slots=True)
class PictureIntake:
    """The picture of a source as it arrives.

    Attributes:
        format: how it is coded, and its size.
        frame_rate: pictures a second.
        bitrate: bit/s of the coded pictures.
    """

    format: PictureFormat
    frame_rate: float
    bitrate: int


class Intake:
    """Measures one source."""

    def __init__(self) -> None:
        self.format: PictureFormat | None = None
        """Of the newest picture."""
        self._began = 0.0
        self._sizes: deque[tuple[float, int]] = deque()

    def note(self, items: Iterable[AudioChunk | PicturePacket], now: float) -> bool:
        """Note what has come; whether the picture is coded otherwise than before."""
        before = self.format
        for item in items:
            if isinstance(item, PicturePacket):
                if not self._sizes:
                    self._began = now
                self.format = item.format
                self._sizes.append((now, len(item.data)))
        self._forget(now)
        return self.format is not None and _said(self.format) != _said(before)

    def status(self, now: float) -> PictureIntake | None:
        """The picture at the moment; ``None`` if none has come for a while."""
        self._forget(now)
        if self.format is None or not self._sizes:
            return None
        length = min(SPAN_S, max(1.0, now - self._began))
        bits = 8 * sum(size for _, size in self._sizes)
        return PictureIntake(self.format, len(self._sizes) / length, round(bits / length))

    def __str__(self) -> str:
        return _said(self.format)

    def _forget(self, now: float) -> None:
        while self._sizes and self._sizes[0][0] < now - SPAN_S:
            self._sizes.popleft()


def _said(format_: PictureFormat | None) -> str:
    if format_ is None:
        return "no picture"
    return f"{format_.codec}, {format_.width}x{format_.height}"
