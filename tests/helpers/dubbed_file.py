"""Whatever a source holds, read and written again as a finished file, without any model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stream.frames import AudioChunk, CopiedPacket, Samples
from stream.media.options import ANY, InputOptions
from stream.media.sink import FileSink
from stream.media.source import MediaSource
from stream.timeline import TICK_RATE


def read(
    path: Path,
    choice: InputOptions = ANY,
    *,
    language: str | None = "en",
    layout: str | None = None,
) -> tuple[MediaSource, Samples, list[CopiedPacket]]:
    """The sound to be dubbed, shape ``(n, channels)``, and all packets of a source."""
    source = MediaSource(path, choice=choice, language=language, layout=layout)
    try:
        items = list(source)
    finally:
        source.close()
    sound = [item.samples for item in items if isinstance(item, AudioChunk)]
    return source, np.concatenate(sound), [i for i in items if isinstance(i, CopiedPacket)]


def written(
    path: Path, out: Path, choice: InputOptions = ANY, *, replace: bool = False
) -> list[str]:
    """Write what a source holds, its sound in the place of the dub; the notes of both."""
    source = MediaSource(path, choice=choice, language="en")
    sink = FileSink(out, source.info, language="pt", source_language="en", replace=replace)
    copy(source, sink)
    source.close()
    return [*source.notes, *sink.notes]


def copy(source: MediaSource, sink: FileSink) -> None:
    """Write all that a source holds, its sound in the place of the dub, and close the sink."""
    for item in source:
        if isinstance(item, AudioChunk):
            sink.write_audio(item.samples)
        else:
            sink.write_packet(item)
    sink.close()


def pitch(sound: Samples) -> int:
    """The loudest frequency in mono sound at 48 kHz, Hz."""
    spectrum = np.abs(np.fft.rfft(sound))
    return round(int(spectrum.argmax()) * TICK_RATE / len(sound))
