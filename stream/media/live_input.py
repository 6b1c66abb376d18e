"""What a live session reads, before it is opened: here, or in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from stream.frames import AudioChunk, PicturePacket
from stream.media.options import ANY, InputOptions
from stream.media.pictures import SoundAndPicture
from stream.media.readable import Fetch, Readable
from stream.media.source import MediaSource

Reader = Literal["process", "thread"]
"""Where a source is read: in a process that may do little else, or in ours."""


class LiveMedia(Protocol):
    """A source that is open: sound and a picture, in order."""

    @property
    def segmented(self) -> bool:
        """Whether it comes in pieces of several seconds, each of them at once."""
        ...

    @property
    def notes(self) -> list[str]:
        """What was chosen where there was a choice, one sentence each."""
        ...

    def __iter__(self) -> Iterator[AudioChunk | PicturePacket]: ...

    def leave(self) -> None:
        """Let a read under way end soon, where that can be done; from any thread."""

    def close(self) -> None:
        """Let go of the source; not while another thread iterates."""


@dataclass(frozen=True, slots=True)
class LiveInput:
    """A source of a live session; the attributes are those of `MediaSource`.

    Attributes:
        address: a file's path, or a URL; only a name where ``file`` is given.
        layout: channel layout of the sound.
        options: for FFmpeg's demultiplexer and protocol.
        format: FFmpeg's name of the container, so that it is not guessed.
        timeout: seconds without an answer after which opening, and reading, fails.
        choice: which audio track, and which channel of it, to dub.
        language: that is spoken, if it is known.
        live: whether sound and picture may come and go.
        file: where to read instead.
        fetch: opens addresses in FFmpeg's place.
    """

    address: str | Path
    layout: str
    options: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    timeout: tuple[float, float] | None = None
    choice: InputOptions = ANY
    language: str | None = None
    live: bool = True
    file: Readable | None = None
    fetch: Fetch | None = None

    def open(self) -> SoundAndPicture:
        """Open it in this thread, which blocks.

        Raises:
            SourceError: if it cannot be opened.
        """
        return SoundAndPicture(
            MediaSource(
                self.address,
                choice=self.choice,
                language=self.language,
                layout=self.layout,
                file=self.file,
                options=dict(self.options),
                format=self.format,
                timeout=self.timeout,
                live=self.live,
                fetch=self.fetch,
            )
        )
