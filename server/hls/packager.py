"""A live HLS presentation in a folder: fragments, subtitles and playlists of a bounded window.

Fragments are cut here (`server.hls.fragment`), not by FFmpeg's HLS muxer: that decides by
itself where to cut, has its streams fixed when it begins, so that a picture can neither come later
nor change its coding, and has no say in what is shown while the picture stalls.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from server.hls.cues import LiveCues
from server.hls.cutter import Cut, Cutter, Growing
from server.hls.files import RenditionFiles, Write, put
from server.hls.fragment import Fragment, codec_name, picture_fragment, sound_fragment
from server.hls.growth import Growth
from server.hls.master import Rendition, Variant, master_playlist
from server.hls.playlist import MediaPlaylist, Segment
from stream.frames import AudioChunk
from stream.live.feed import ORIGINAL
from stream.live.tap import Batch
from stream.media.aac import AacEncoder, AacPacket
from stream.timeline import Interval, seconds, ticks

MASTER = "master.m3u8"
"""Name of the playlist that players open."""


TRANSCRIBED = ("public.accessibility.transcribes-spoken-dialog",)
"""What captions in the language that is spoken are; those of a dub are a translation."""


@dataclass(frozen=True, slots=True)
class Language:
    """How a track is offered: ISO 639-1 code, and the name that viewers see."""

    code: str
    label: str


@dataclass(slots=True)
class _Sound:
    encoder: AacEncoder
    early: list[AudioChunk] = field(default_factory=list)  # before it is known where all begins
    packets: list[AacPacket] = field(default_factory=list)
    end: int = 0


class Packager:
    """Writes the folder; every method blocks and belongs in one thread.

    Args:
        folder: made if it does not exist; nothing else may write into it.
        languages: of every track, ``original`` among them; the first other one is the default.
        channels: of every track.
        segment: intended length of segments, seconds.
        window: segments in a playlist.
        comment: on the dubs, for players.
        write: how a file is written.

    Raises:
        OSError: from any method that writes, if the folder cannot be written.
        MuxerError: from `add` and `finish`, for pictures that MP4 cannot hold.
    """

    def __init__(
        self,
        folder: Path,
        languages: Mapping[str, Language],
        *,
        channels: int,
        segment: float,
        window: int,
        comment: str = "",
        write: Write = put,
    ) -> None:
        self._put, self._comment = write, comment
        self._folder = folder
        self._languages = languages
        self._channels = channels
        self._length = window
        self.wall_zero: float | None = None
        """Unix time of media time 0, set by the owner; ``None`` for playlists without dates."""
        self._token = secrets.token_hex(3)
        self._cutter = Cutter(ticks(segment))
        self._number = 0
        self._discontinuities = 0
        self._sounds = {name: _Sound(AacEncoder(channels)) for name in languages}
        self._cues = {name: LiveCues() for name in languages}
        self._video: RenditionFiles | None = None
        self._audio = {name: self._files(f"audio-{name}") for name in languages}
        self._text = {name: self._files(f"text-{name}") for name in languages}
        self._codec = ""
        self._size: tuple[int, int] | None = None
        self._master = ""
        self._machine_made = ("public.machine-generated",) if comment else ()
        self._growth: Growth | None = None
        self._part_cues = {name: LiveCues() for name in languages}
        self.playlists: Mapping[str, MediaPlaylist] = {}
        """What the playlists say now, by the names of their files; never changed, but replaced."""

    def add(self, batch: Batch) -> None:
        """Take what was published, write every segment that is finished by it."""
        for event in batch.events:
            if event.track in self._cues and event.kind in ("transcript", "translation"):
                time = Interval(event.start, max(event.start, event.end))
                self._cues[event.track].add(time, event.text)
                self._part_cues[event.track].add(time, event.text)
        for picture in batch.pictures:
            self._cutter.add(picture)
        if starts := [blocks[0].start for blocks in batch.sound.values() if blocks]:
            self._cutter.advance(max(starts))
            self._begin()
        for name, blocks in batch.sound.items():
            for block in blocks:
                self._encode(self._sounds[name], block)
        self._cutter.advance(min(self._clock(sound) for sound in self._sounds.values()))
        self._begin()
        self._write()

    def finish(self) -> None:
        """Write the rest and end the playlists."""
        end = min(sound.end for sound in self._sounds.values())
        self._cutter.finish(end)
        self._begin()
        if self._cutter.start is not None:
            for sound in self._sounds.values():
                sound.packets += sound.encoder.finish()
        self._write(ended=True)
        if self._number and self._cutter.target is not None:
            self._write_playlists(ended=True)

    def _encode(self, sound: _Sound, block: AudioChunk) -> None:
        start = self._cutter.start
        sound.end = block.end
        if start is None:
            sound.early.append(block)
            return
        if block.start < start:
            block = AudioChunk(start, block.samples[start - block.start :])
        sound.packets += sound.encoder.encode(block)

    def _clock(self, sound: _Sound) -> int:
        return sound.end if self._cutter.start is None else sound.encoder.end

    def _begin(self) -> None:
        """Once it is known where all begins, encode from there."""
        if self._cutter.start is None or self._number:
            return
        for sound in self._sounds.values():
            if not sound.encoder.began:
                sound.encoder.begin(self._cutter.start)
            early, sound.early = sound.early, []
            for block in early:
                self._encode(sound, block)

    def _write(self, *, ended: bool = False) -> None:
        while (cut := self._cutter.next()) is not None:
            self._write_segment(cut)
        growing = self._cutter.growing()
        if growing is not None and self._number and not ended:
            self._write_parts(growing)

    def _write_parts(self, growing: Growing) -> None:
        """Write what is certain of the next segment, but of the first one, which names nothing."""
        growth = self._growth
        if growth is None:
            changed = growing.discontinuity
            growth = self._growth = Growth(
                self._number, self._channels, lambda time: self._entry(changed, time)
            )
        if self._video is not None and growing.pictures:
            growth.pictures(self._video, growing.pictures, growing.places)
        for name, sound in self._sounds.items():
            certain = [packet for packet in sound.packets if packet.time <= growing.until]
            growth.sound(self._audio[name], certain)
        clock = min(self._clock(sound) for sound in self._sounds.values())
        time = Interval(growing.start, max(growing.start, min(growing.until, clock)))
        for name, files in self._text.items():
            growth.text(files, self._part_cues[name], time)
        self._note_playlists()

    def _finish_parts(self, cut: Cut, sounds: Mapping[str, Sequence[AacPacket]]) -> None:
        """Write the last parts of a segment."""
        growth, self._growth = self._growth, None
        if growth is None:
            growth = Growth(
                self._number, self._channels, lambda time: self._entry(cut.discontinuity, time)
            )
        if self._video is not None and cut.pictures is not None:
            growth.pictures(
                self._video, cut.pictures, cut.places, end=cut.time.end, until=cut.until
            )
        for name, packets in sounds.items():
            growth.sound(self._audio[name], packets, whole=True)
        for name, files in self._text.items():
            growth.text(files, self._part_cues[name], cut.time, whole=True)

    def _write_segment(self, cut: Cut) -> None:
        assert self._cutter.target is not None
        target = self._cutter.target
        self._folder.mkdir(parents=True, exist_ok=True)
        entry = self._entry(cut.discontinuity, cut.time)
        sounds = {name: self._taken(sound, cut.time.end) for name, sound in self._sounds.items()}
        if self._video is None and cut.pictures is not None:
            self._video = self._files("video")
        self._finish_parts(cut, sounds)
        if self._video is not None and cut.pictures is not None:
            made = picture_fragment(cut.pictures, cut.until, self._number + 1)
            if not cut.key:
                # The coding goes on, whatever can be told from a picture that is no key.
                made = Fragment(self._video.init, made.media)
            self._video.add_media(made, entry, target)
            self._codec = codec_name(self._video.init)
            coded = cut.pictures[0].format
            self._size = (coded.width, coded.height)
        for name, packets in sounds.items():
            made = sound_fragment(packets, self._channels, self._number + 1)
            heard = Interval(packets[0].time, packets[-1].end)
            self._audio[name].add_media(made, self._entry(cut.discontinuity, heard), target)
        for name, files in self._text.items():
            files.add_text(self._cues[name].segment(cut.time), entry, target)
        self._number += 1
        self._discontinuities += cut.discontinuity
        self._write_playlists()
        for files in self._all_files():
            files.forget()

    def _taken(self, sound: _Sound, end: int) -> list[AacPacket]:
        inside = [packet for packet in sound.packets if packet.time < end]
        sound.packets = sound.packets[len(inside) :]
        return inside

    def _note_playlists(self, *, ended: bool = False) -> None:
        assert self._cutter.target is not None
        self.playlists = {
            files.playlist: files.playlist_now(
                target=self._cutter.target,
                independent=files is not self._video,
                ended=ended,
                parted=self._growth is None or self._growth.parted(files),
            )
            for files in self._all_files()
        }

    def _write_playlists(self, *, ended: bool = False) -> None:
        self._note_playlists(ended=ended)
        for files in self._all_files():
            files.write_playlist(self.playlists[files.playlist])
        master = self._master_playlist()
        if master != self._master:
            self._put(self._folder / MASTER, master.encode())
            self._master = master

    def _entry(self, discontinuity: bool, time: Interval) -> Segment:
        date = None if self.wall_zero is None else self.wall_zero + seconds(time.start)
        return Segment("", seconds(time.duration), discontinuity=discontinuity, date=date)

    def _files(self, name: str) -> RenditionFiles:
        return RenditionFiles(
            self._folder,
            name,
            self._token,
            self._length,
            first=self._number,
            discontinuities=self._discontinuities,
            write=self._put,
        )

    def _all_files(self) -> list[RenditionFiles]:
        video = [] if self._video is None else [self._video]
        return [*video, *self._audio.values(), *self._text.values()]

    def _master_playlist(self) -> str:
        dubs = [name for name in self._languages if name != ORIGINAL]
        ordered = [*dubs, *(name for name in self._languages if name == ORIGINAL)]
        renditions = [
            Rendition(
                "AUDIO",
                self._languages[name].label,
                self._languages[name].code,
                self._audio[name].playlist,
                default=name == ordered[0],
                channels=self._channels,
                characteristics=self._machine_made if name != ORIGINAL else (),
            )
            for name in ordered
        ]
        renditions += [
            Rendition(
                "SUBTITLES",
                self._languages[name].label,
                self._languages[name].code,
                self._text[name].playlist,
                characteristics=self._machine_made + (TRANSCRIBED if name == ORIGINAL else ()),
            )
            for name in ordered
        ]
        loudest = max(self._audio.values(), key=lambda files: files.peak)
        playing = [loudest] if self._video is None else [self._video, loudest]
        main = self._audio[ordered[0]] if self._video is None else self._video
        variant = Variant(
            main.playlist,
            (*([self._codec] if self._codec else []), "mp4a.40.2"),
            _rounded_up(sum(files.peak for files in playing)),
            _rounded_up(sum(files.average for files in playing)),
            self._size,
        )
        data = {"org.livedub.dub": self._comment} if self._comment else {}
        return master_playlist([variant], renditions, data)


def _rounded_up(rate: float) -> int:
    """Bit/s in steps of a quarter, so that the master playlist seldom changes."""
    step = 1.25
    return math.ceil(step ** math.ceil(math.log(max(rate, 1.0), step)))
