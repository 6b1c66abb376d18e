"""Opening a container: which of its streams are dubbed and shown, and why it cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error

from stream.errors import UserError
from stream.media.address import address
from stream.media.options import InputOptions
from stream.media.readable import Readable
from stream.media.tracks import choose_track, describe_track, differs

RESETTABLE = {"flv", "live_flv", "rtp", "rtsp", "sdp"}
"""Formats whose clock may be set while they run, beside those of which FFmpeg says so itself."""

PATIENT = {"probesize": "500000000", "analyzeduration": "600000000"}
"""How far a file is read for streams that begin late: bytes, microseconds."""


class SourceError(UserError):
    """The source cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a container is used.

    Attributes:
        audio: the stream to be dubbed, ``None`` if there is none so far.
        picture: the moving picture that belongs to it, likewise.
    """

    audio: Any | None
    picture: Any | None


def open_container(
    url: str | Path,
    *,
    file: Readable | None = None,
    options: dict[str, str] | None = None,
    format: str | None = None,
    timeout: tuple[float, float] | None = None,
) -> Any:
    """Open what FFmpeg reads.

    Args:
        url: a file's path, or a URL; only a name where ``file`` is given.
        file: where to read instead.
        options: for FFmpeg's demultiplexer and protocol.
        format: FFmpeg's name of the container, so that it is not guessed.
        timeout: seconds without an answer after which opening, and later reading, fails.

    Raises:
        SourceError: if it cannot be opened.
    """
    opened: Any = address(url) if isinstance(url, Path) else url
    try:
        container: Any = av.open(
            opened if file is None else file,
            "r",
            format=format,
            options=options,
            timeout=timeout,
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceError(_reason(str(url), error)) from error
    # FFmpeg would make up presentation times, of H.264 with B-frames in the wrong order.
    container.flags &= ~av.container.Flags.gen_pts.value
    return container


def select(
    container: Any, name: str, choice: InputOptions, language: str | None, notes: list[str]
) -> Selection:
    """Choose sound and picture of one programme.

    Args:
        container: opened.
        name: of the source, in messages.
        choice: which audio track, and which channel of it.
        language: that is spoken, where it is known.
        notes: gets what was chosen where there was a choice, one sentence each.

    Raises:
        SourceError: if there is no such track or channel.
    """
    tracks, best = container.streams.audio, container.streams.best
    picture = _picture(container, None)
    if not tracks:
        return Selection(None, picture)
    own = best("audio", related=picture) if picture is not None else None
    try:
        chosen = choose_track(name, tracks, choice.track, language, own or best("audio"))
    except UserError as error:
        raise SourceError(str(error)) from None
    if choice.only is not None and choice.only >= chosen.channels:
        raise SourceError(
            f"{name} has no channel {choice.only}: choose input.channel from 0 to "
            f"{chosen.channels - 1}"
        )
    if len(tracks) > 1:
        number, described = tracks.index(chosen), describe_track(chosen)
        notes.append(f"audio track {number} of {len(tracks)}, {described}, is dubbed")
    if language is not None and differs(chosen, language):
        tag = chosen.metadata["language"]
        notes.append(f"the audio track is tagged '{tag}', but languages.source is {language}")
    # Sound of its own belongs to all variants of HLS, and FFmpeg would name the first.
    return Selection(chosen, picture if chosen is own else _picture(container, chosen))


def has_grown(container: Any, selection: Selection) -> bool:
    """Whether a kind of stream that was missing has appeared since the container was opened.

    PyAV knows no stream that comes later, but FFmpeg finds it, and PyAV then fails to look it up.
    """
    for kind, chosen in (("audio", selection.audio), ("video", selection.picture)):
        if chosen is None:
            try:
                container.streams.best(kind)
            except IndexError:
                return True
    return False


def resettable(container: Any) -> bool:
    """Whether the container's clock may be set while it runs."""
    flags: Any = container.format.flags
    return bool(flags & av.format.Flags.ts_discont.value) or container.format.name in RESETTABLE


def is_picture(stream: Any) -> bool:
    """Whether a stream is a moving picture, and not a cover."""
    cover = stream.disposition & av.stream.Disposition.attached_pic
    return stream.type == "video" and not cover


def _picture(container: Any, related: Any | None) -> Any | None:
    """The best moving picture, of a stream's programme where there are several."""
    best = container.streams.best("video", related=related)
    if related is None and container.format.name == "hls":  # of the variants the largest
        return max(filter(is_picture, container.streams), key=_size, default=None)
    if best is not None and is_picture(best):
        return best
    return next((stream for stream in container.streams if is_picture(stream)), None)


def _size(stream: Any) -> tuple[int, int]:
    context = stream.codec_context
    pixels = context.width * context.height if context is not None else 0
    return pixels, int(stream.metadata.get("variant_bitrate", 0))


def _reason(url: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{url} does not exist"
    if isinstance(error, IsADirectoryError):
        return f"{url} is a folder, not a media file"
    if isinstance(error, PermissionError):
        return f"{url} may not be read: permission denied"
    if isinstance(error, av.error.InvalidDataError | av.error.EOFError):
        return f"{url} is not media that FFmpeg can read, or it is cut off before its first frame"
    return f"{url} cannot be opened: {getattr(error, 'strerror', None) or error}"
