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
from stream.media.readable import Fetch, Readable
from stream.media.tracks import choose_track, describe_track, differs

RESETTABLE = {"flv", "live_flv", "rtp", "rtsp", "sdp"}
"""Formats whose clock may be set while they run, beside those of which FFmpeg says so itself."""

PATIENT = {"probesize": "500000000", "analyzeduration": "600000000"}
"""How far a file is read for streams that begin late: bytes, microseconds."""


NETWORK_CODECS = (
    "aac,aac_latm,mp1,mp1float,mp2,mp2float,mp3,mp3float,ac3,eac3,opus,libopus,vorbis,flac,alac,"
    "pcm_mulaw,pcm_alaw,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_bluray,g722,g726,g726le,"
    "h264,hevc,vp8,libvpx,vp9,libvpx-vp9,av1,libdav1d,mpeg2video,mpeg4,webvtt"
)
"""FFmpeg's decoders that are lent to strangers, separated by commas: the ones in common use, since
each is code that they may attack."""


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
    fetch: Fetch | None = None,
) -> Any:
    """Open what FFmpeg reads.

    Args:
        url: a file's path, or a URL; only a name where ``file`` is given.
        file: where to read instead.
        options: for FFmpeg's demultiplexer and protocol.
        format: FFmpeg's name of the container, so that it is not guessed.
        timeout: seconds without an answer after which opening, and later reading, fails.
        fetch: opens the address, and all that the container names, in FFmpeg's place.

    Raises:
        SourceError: if it cannot be opened.
    """
    opened: Any = address(url) if isinstance(url, Path) else url
    if file is not None:
        opened = file
    elif fetch is not None:
        fetched = fetch(str(url), {})
        if not fetched.found:
            fetch.close()
            raise SourceError(f"{url} cannot be opened: {fetch.failure}")
        opened, format = fetched, format or fetched.format
    asked = None if fetch is None else lambda address, flags, more: fetch(address, more)
    try:
        container: Any = av.open(
            opened,
            "r",
            format=format,
            options=options,
            timeout=timeout,
            metadata_errors="replace",
            io_open=asked,
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if fetch is not None:
            fetch.close()
        if isinstance(error, av.error.ArgumentError) and "format_whitelist" in (options or {}):
            raise SourceError(f"{url} is of a format that is not taken from there") from error
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


def accepted(selection: Selection, codecs: str, name: str, notes: list[str]) -> Selection:
    """What may be decoded of what was chosen: a picture of another codec is left out.

    Args:
        selection: of an open container.
        codecs: FFmpeg's names of decoders, separated by commas.
        name: of the source, in messages.
        notes: gets what was left out.

    Raises:
        SourceError: if the sound is of another codec.
    """
    names = set(codecs.split(","))
    audio, picture = selection.audio, selection.picture
    if audio is not None and _decoder(audio) not in names:
        raise SourceError(f"{name} has sound of the codec {_decoder(audio)}, which is not taken")
    if picture is not None and _decoder(picture) not in names:
        notes.append(f"a picture of the codec {_decoder(picture)} is not taken")
        picture = None
    return Selection(audio, picture)


def _decoder(stream: Any) -> str:
    context = stream.codec_context
    return "unknown" if context is None else str(context.name)


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
