"""The source: any media that FFmpeg reads, as 48 kHz audio and untouched packets in order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import av.stream

from stream.frames import AudioChunk, CopiedPacket
from stream.media.absence import Absence
from stream.media.contiguous import ContiguousTrack
from stream.media.opening import (
    PATIENT,
    Selection,
    SourceError,
    accepted,
    has_grown,
    is_picture,
    open_container,
    resettable,
    select,
)
from stream.media.options import ANY, InputOptions
from stream.media.order import DisplayOrder
from stream.media.readable import Divided, Fetch, Readable
from stream.media.repeats import Repeats
from stream.media.source_clock import Placed, SourceClock
from stream.media.source_info import SourceInfo, centre_of, layout_for
from stream.timeline import TICK, TICK_RATE, rescale

__all__ = ["MediaSource", "SourceError", "SourceInfo"]

SOUND, PICTURE = "sound", "picture"
"""What the chosen streams are called on the source's clock, whichever they are after reopening."""

SEGMENTED = {"dash", "hls"}
"""Formats of which FFmpeg fetches whole segments, as soon as they are there."""

LOOK_AGAIN = 10 * TICK_RATE
"""Ticks for which a stream of a pulled source may be away before the source is opened anew, since
FFmpeg does not tell of every stream that takes another's place; then for twice as long."""


class MediaSource:
    """Demultiplexes and decodes in the thread that iterates it.

    Iterating yields the dubbed audio stream as contiguous chunks (gaps are filled with
    silence, repeats cut), and all packets of every audio, video and subtitle stream as they
    are, on a timeline whose zero is the first timestamp of the source.

    What a live source holds is a fact of the moment: one that was opened without a picture, or
    without sound, is opened again when it has both, and goes on on the same timeline.

    Args:
        url: a file's path, or a URL; only a name where ``file`` is given.
        choice: which audio track, and which channel of it, to dub; by default that of the programme
            whose picture is the best. The picture is of the programme of the sound.
        language: that is spoken; tells which track is meant where the choice is left open.
        layout: channel layout of the chunks; by default the track's own, if it is a common one.
        file: where to read instead; it stays the caller's to close.
        options: for FFmpeg's demultiplexer and protocol.
        format: FFmpeg's name of the container, so that it is not guessed.
        timeout: seconds without an answer from the network after which opening, and after which
            reading fails.
        live: read its sound and one picture alone, and take either as it comes.
        fetch: opens the address, and all that the container names, in FFmpeg's place.

    Raises:
        SourceError: if the source cannot be opened or, unless it is live, has no audio, and from
            iterating if the audio is encrypted.
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
        timeout: tuple[float, float] | None = None,
        live: bool = False,
        fetch: Fetch | None = None,
    ) -> None:
        self._url, self._file, self._live, self._fetch = url, file, live, fetch
        self._choice, self._language = choice, language
        self._opening: dict[str, Any] = {
            "options": options,
            "format": format,
            "timeout": timeout,
            "fetch": fetch,
        }
        self._repeats = Repeats()
        self.notes: list[str] = []
        """What was chosen where there was a choice, one sentence each."""
        self.repaired = 0
        """Gaps filled, repeats cut and clock restarts bridged so far."""
        self.corrupt = 0
        """Packets that could not be decoded so far."""
        self._open()
        self._layout = av.AudioLayout(layout or layout_for(self._selected.audio, choice.only))
        self.info = self._describe()

    @property
    def segmented(self) -> bool:
        """Whether it comes in pieces of several seconds, each of them at once."""
        return self._container.format.name in SEGMENTED

    def close(self) -> None:
        """Close the container; not while another thread iterates."""
        self._container.close()
        if self._fetch is not None:
            self._fetch.close()

    def __iter__(self) -> Iterator[AudioChunk | CopiedPacket]:
        clock = SourceClock[Any](self._first_timestamp(), discontinuous=resettable(self._container))
        track = ContiguousTrack(self._layout, self._choice.only)
        patience = LOOK_AGAIN
        while True:
            yield from self._read(clock, track, patience)
            if not self._live or not self._reopen():
                break
            patience *= 2
        yield from track.flush()
        if self.corrupt and track.end == 0 and not self._live:
            raise SourceError(f"nothing of its audio track can be decoded: {self.info.url}")
        self.repaired += clock.restarts + track.repairs

    def _read(
        self, clock: SourceClock[Any], track: ContiguousTrack, patience: int
    ) -> Iterator[AudioChunk | CopiedPacket]:
        """One container, to its end or until it holds more than when it was opened."""
        self._grown = False
        pulled = self._live and self._file is None
        absence = Absence([SOUND, PICTURE] if self._selected.picture else [SOUND], patience)
        names, orders = self._names(), dict[int, DisplayOrder]()
        for packet in self._packets():
            if packet.stream_index not in names:
                continue
            for placed in self._placed(packet, names[packet.stream_index], clock):
                yield from self._give(placed, track, orders)
                if pulled:
                    absence.note(names[placed.item.stream_index], placed.time)
            # Later on, a playlist may begin as it did before.
            settled = patience == LOOK_AGAIN or absence.long
            grown = pulled and settled and has_grown(self._container, self._selected)
            if grown or absence.over:
                self._grown = True
                break
        for placed in clock.flush():
            yield from self._give(placed, track, orders)
        for order in orders.values():
            yield from order.flush()
        yield from self._decode(None, track, 0)

    def _names(self) -> dict[int, Hashable]:
        """What the streams that are read are called on the clock, by index."""
        chosen = {SOUND: self._selected.audio, PICTURE: self._selected.picture}
        names: dict[int, Hashable] = {s.index: name for name, s in chosen.items() if s is not None}
        if self._live:
            return names
        kept = {s.index: s.index for s in self.info.streams if s.type in COPIED}
        return {**kept, **names}

    def _placed(
        self, packet: Any, name: Hashable, clock: SourceClock[Any]
    ) -> Iterator[Placed[Any]]:
        base = packet.time_base
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None and packet.size == 0:  # FFmpeg's end-of-stream marker
            return
        time = None if stamp is None else rescale(stamp, base, TICK)
        if time is not None and self._repeats.repeats(name, time):
            return
        stream = packet.stream
        if stream.type == "audio" or is_picture(stream):
            yield from clock.place(name, time, rescale(packet.duration or 0, base, TICK), packet)
        else:
            yield clock.follow(time, packet)

    def _give(
        self, placed: Placed[Any], track: ContiguousTrack, orders: dict[int, DisplayOrder]
    ) -> Iterator[AudioChunk | CopiedPacket]:
        packet, audio = placed.item, self._selected.audio
        index = packet.stream_index
        if audio is not None and index == audio.index:
            if packet.has_sidedata("encryption_info"):
                raise SourceError(f"{self.info.url} is encrypted: decrypt it first")
            yield from self._decode(packet, track, placed.offset)
        moved = _moved(packet, placed.offset, placed.time)
        if index not in orders:
            orders[index] = DisplayOrder(packet.stream, timed=packet.pts is not None)
        yield from orders[index].push(moved)

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.error.InvalidDataError:
                self.corrupt += 1
                continue
            except IndexError:  # a stream that PyAV does not know has ended, and so have all
                return
            except (av.error.FFmpegError, OSError):
                # A source that breaks off ends where it broke: what was read is dubbed.
                self.corrupt += 1
                return
            if packet is None:
                return
            yield packet

    def _decode(self, packet: Any, track: ContiguousTrack, offset: int) -> Iterator[AudioChunk]:
        """Sound of the chosen stream; what its decoder still holds for no packet."""
        audio = self._selected.audio
        if audio is None or audio.codec_context is None:
            return
        try:
            frames = audio.codec_context.decode(packet)
        except (av.error.FFmpegError, OSError):
            self.corrupt += 1
            return
        for frame in frames:
            yield from track.add(frame, offset)

    def _open(self) -> None:
        self._container = open_container(self._url, file=self._file, **self._opening)
        try:
            self._selected = self._select()
            if self._selected.audio is None and not self._live:
                self._look_further()
        except SourceError:
            self.close()
            raise
        self._spare()

    def _select(self) -> Selection:
        self.notes.clear()
        name = str(self._url)
        chosen = select(self._container, name, self._choice, self._language, self.notes)
        codecs = (self._opening["options"] or {}).get("codec_whitelist")
        return chosen if codecs is None else accepted(chosen, codecs, name, self.notes)

    def _look_further(self) -> None:
        """A file whose sound begins late holds it all the same."""
        nothing = SourceError(f"{self._url} has no audio track: there is nothing to dub")
        if self._file is not None or "://" in str(self._url):
            raise nothing
        self._container.close()
        patient = {**(self._opening["options"] or {}), **PATIENT}
        self._container = open_container(self._url, options=patient)
        self._selected = self._select()
        if self._selected.audio is None:
            raise nothing

    def _spare(self) -> None:
        """Do not let FFmpeg fetch what is not used: the other variants of HLS."""
        if not self._live and self._container.format.name != "hls":
            return
        used = {s.index for s in (self._selected.audio, self._selected.picture) if s is not None}
        for stream in self._container.streams:
            if stream.index not in used:
                stream.discard = av.stream.Discard.all

    def _reopen(self) -> bool:
        """Go on with what the source holds now; whether there is anything."""
        if isinstance(self._file, Divided):
            if not self._file.advance():
                return False
        elif not self._grown:
            return False
        self.close()
        try:
            self._open()
        except SourceError:
            return False
        if self._container.format.name == "hls":
            self._repeats.opened_anew((SOUND, PICTURE))
        self.info = self._describe()
        return True

    def _describe(self) -> SourceInfo:
        selected, streams = self._selected, tuple(self._container.streams)
        if self._container.format.name == "hls":
            streams = tuple(s for s in streams if s in (selected.audio, selected.picture))
        return SourceInfo(
            url=str(self._url),
            duration=self._duration(),
            audio=None if selected.audio is None else selected.audio.index,
            layout=self._layout.name,
            channels=self._layout.nb_channels,
            centre=centre_of(self._layout),
            streams=streams,
            metadata=dict(self._container.metadata),
            picture=None if selected.picture is None else selected.picture.index,
            chapters=self._chapters(),
        )

    def _first_timestamp(self) -> int | None:
        """The earliest start of the picture and the dubbed audio, ticks, if the container says."""
        starts = [
            rescale(s.start_time, s.time_base, TICK)
            for s in self._container.streams
            if s.start_time is not None
            and s.time_base is not None
            and (is_picture(s) or s is self._selected.audio)
        ]
        return min(starts, default=None)

    def _chapters(self) -> tuple[Any, ...]:
        container: Any = self._container
        origin = self._first_timestamp() or 0
        shifted = []
        for chapter in container.chapters():
            shift = rescale(origin, TICK, chapter["time_base"])
            start, end = (max(0, chapter[key] - shift) for key in ("start", "end"))
            shifted.append({**chapter, "start": start, "end": end})
        return tuple(shifted)

    def _duration(self) -> int | None:
        duration = self._container.duration
        return None if duration is None else rescale(duration, Fraction(1, av.time_base), TICK)


COPIED = ("audio", "video", "subtitle", "data")
"""Kinds of streams whose packets are handed on."""


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
