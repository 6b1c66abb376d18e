"""The source: any media that FFmpeg reads, as 48 kHz audio and untouched packets in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import av.error

from stream.errors import UserError
from stream.frames import AudioChunk, CopiedPacket
from stream.media.address import address
from stream.media.contiguous import ContiguousTrack, placeless
from stream.media.options import ANY, InputOptions
from stream.media.order import DisplayOrder
from stream.media.repair import TimestampRepair
from stream.media.tracks import choose_track, describe_track, differs
from stream.timeline import TICK, rescale

KEPT_LAYOUTS = ("mono", "stereo", "5.1", "5.1(side)", "7.1")
"""Channel layouts that every encoder we use can write; others are mixed down to stereo."""


class Readable(Protocol):
    """A source of bytes that is not a file, such as a pipe."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at least one and at most ``size``; none at the end."""
        ...


class SourceError(UserError):
    """The source cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the source holds.

    Attributes:
        url: what was opened.
        duration: length in ticks, ``None`` if the container does not say.
        audio: index of the audio stream to be dubbed.
        layout: channel layout of the chunks, as FFmpeg names it.
        channels: their number.
        centre: index of the centre channel, if the layout has one.
        streams: every stream of the container, for copying.
        metadata: the container's tags.
    """

    url: str
    duration: int | None
    audio: int
    layout: str
    channels: int
    centre: int | None
    streams: tuple[Any, ...]
    metadata: dict[str, str]


class MediaSource:
    """Demultiplexes and decodes in the thread that iterates it.

    Iterating yields the dubbed audio stream as contiguous chunks (gaps are filled with
    silence, repeats cut), and all packets of every audio, video and subtitle stream as they
    are, on a timeline whose zero is the first timestamp of the source.

    Args:
        url: a file's path, or a URL; only a name where ``file`` is given.
        choice: which audio track, and which channel of it, to dub.
        language: that is spoken; tells which track is meant where the choice is left open.
        layout: channel layout of the chunks; by default the track's own, if it is a common one.
        file: where to read instead; it stays the caller's to close.
        options: for FFmpeg's demultiplexer and protocol.
        format: FFmpeg's name of the container, so that it is not guessed.
        timeout: seconds without an answer from the network after which reading fails.

    Raises:
        SourceError: if the source cannot be opened or has no audio, and from iterating if the
            audio is encrypted.
    """

    def __init__(
        self,
        url: str | Path,
        *,
        choice: InputOptions = ANY,
        language: str | None = None,
        layout: str | None = None,
        file: Readable | None = None,
        options: dict[str, str] | None = None,
        format: str | None = None,
        timeout: float | None = None,
    ) -> None:
        name = str(url)
        opened: Any = address(url) if isinstance(url, Path) else url
        try:
            self._container = av.open(
                opened if file is None else file,
                "r",
                format=format,
                options=options,
                timeout=timeout,
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SourceError(_reason(name, error)) from error
        # FFmpeg would make up presentation times, of H.264 with B-frames in the wrong order.
        container: Any = self._container
        container.flags &= ~av.container.Flags.gen_pts.value
        self.notes: list[str] = []
        """What was chosen where there was a choice, one sentence each."""
        try:
            self._audio = self._choose_audio(name, choice, language)
        except SourceError:
            self._container.close()
            raise
        self._only = choice.only
        layout = layout or self._own_layout()
        self._layout = av.AudioLayout(layout)
        self._origin = self._first_timestamp()
        self.repaired = 0
        """Gaps filled, repeats cut and clock restarts bridged so far."""
        self.corrupt = 0
        """Packets that could not be decoded so far."""
        self.info = SourceInfo(
            url=name,
            duration=self._duration(),
            audio=self._audio.index,
            layout=layout,
            channels=self._layout.nb_channels,
            centre=_centre(self._layout),
            streams=tuple(self._container.streams),
            metadata=dict(self._container.metadata),
        )

    def close(self) -> None:
        """Close the container; not while another thread iterates."""
        self._container.close()

    def __iter__(self) -> Iterator[AudioChunk | CopiedPacket]:
        copied = {s.index for s in self.info.streams if s.type in ("audio", "video", "subtitle")}
        flags: Any = self._container.format.flags
        discontinuous = bool(flags & av.format.Flags.ts_discont.value)
        repair = TimestampRepair(self._origin, discontinuous=discontinuous)
        track = ContiguousTrack(self._layout, self._only)
        orders: dict[int, DisplayOrder] = {}
        for packet in self._packets():
            index = packet.stream_index
            if index not in copied:
                continue
            base = packet.time_base
            duration = rescale(packet.duration or 0, base, TICK)
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is None and packet.size == 0:  # FFmpeg's end-of-stream marker
                if index == self._audio.index:
                    yield from self._decode(packet, track, 0)
                continue
            offset = repair.offset(
                index, None if stamp is None else rescale(stamp, base, TICK), duration
            )
            if index == self._audio.index:
                self._check_readable(packet)
                yield from self._decode(packet, track, offset)
            moved = _moved(packet, offset, repair.expected(index) - duration)
            if index not in orders:
                orders[index] = DisplayOrder(packet.stream, timed=packet.pts is not None)
            yield from orders[index].push(moved)
        for order in orders.values():
            yield from order.flush()
        yield from track.flush()
        if self.corrupt and track.end == 0:
            raise SourceError(f"nothing of its audio track can be decoded: {self.info.url}")
        self.repaired += repair.jumps + track.repairs

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.error.InvalidDataError:
                self.corrupt += 1
                continue
            except (av.error.FFmpegError, OSError):
                # A source that breaks off ends where it broke: what was read is dubbed.
                self.corrupt += 1
                return
            if packet is None:
                return
            yield packet

    def _decode(self, packet: Any, track: ContiguousTrack, offset: int) -> Iterator[AudioChunk]:
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, OSError):
            self.corrupt += 1
            return
        for frame in frames:
            yield from track.add(frame, offset)

    def _check_readable(self, packet: Any) -> None:
        if packet.has_sidedata("encryption_info"):
            raise SourceError(f"{self.info.url} is encrypted: decrypt it first")

    def _choose_audio(self, name: str, choice: InputOptions, language: str | None) -> Any:
        tracks = self._container.streams.audio
        if not tracks:
            raise SourceError(f"{name} has no audio track: there is nothing to dub")
        best = self._container.streams.best("audio")
        try:
            chosen = choose_track(name, tracks, choice.track, language, best)
        except UserError as error:
            raise SourceError(str(error)) from None
        described = f"audio track {tracks.index(chosen)}"
        if len(tracks) > 1:
            described += f" of {len(tracks)}, {describe_track(chosen)},"
            self.notes.append(f"{described} is dubbed")
        if language is not None and differs(chosen, language):
            tag = chosen.metadata["language"]
            self.notes.append(
                f"the audio track is tagged '{tag}', but languages.source is {language}"
            )
        if choice.only is not None and choice.only >= chosen.channels:
            raise SourceError(
                f"{name} has no channel {choice.only}: choose input.channel from 0 to "
                f"{chosen.channels - 1}"
            )
        return chosen

    def _own_layout(self) -> str:
        """The track's own layout if it is a common one, else the one to mix it to."""
        own = self._audio.layout
        if self._only is not None or self._audio.channels == 1 or placeless(own):
            return "mono"
        return own.name if own.name in KEPT_LAYOUTS else "stereo"

    def _first_timestamp(self) -> int:
        """The earliest start of the picture and the dubbed audio, ticks."""
        starts = [
            rescale(s.start_time, s.time_base, TICK)
            for s in self._container.streams
            if s.start_time is not None
            and s.time_base is not None
            and (_is_picture(s) or s is self._audio)
        ]
        return min(starts, default=0)

    def _duration(self) -> int | None:
        duration = self._container.duration
        return None if duration is None else rescale(duration, Fraction(1, av.time_base), TICK)


def _moved(packet: Any, offset: int, time: int) -> CopiedPacket:
    """The packet with its timestamps on the media timeline."""
    shift = rescale(offset, TICK, packet.time_base)
    if packet.pts is None and packet.dts is None:
        packet.dts = packet.pts = rescale(time, TICK, packet.time_base)
    else:
        if packet.pts is not None:
            packet.pts += shift
        if packet.dts is not None:
            packet.dts += shift
    return CopiedPacket(packet.stream_index, time, packet)


def _is_picture(stream: Any) -> bool:
    cover = stream.disposition & av.stream.Disposition.attached_pic
    return stream.type == "video" and not cover


def _centre(layout: av.AudioLayout) -> int | None:
    names = [channel.name for channel in layout.channels]
    return names.index("FC") if "FC" in names and len(names) > 1 else None


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
