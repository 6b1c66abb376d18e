"""A live HLS presentation in a folder: fragments, subtitles and playlists of a bounded window.

Fragments are cut here (`server.hls.fragment`), not by FFmpeg's HLS muxer: that decides by
itself where to cut, has its streams fixed when it begins, so that a picture can neither come later
nor change its coding, and has no say in what is shown while the picture stalls.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from server.hls.cues import LiveCues
from server.hls.cutter import Cut, Cutter
from server.hls.files import RenditionFiles, Write, put
from server.hls.fragment import Fragment, codec_name, picture_fragment, sound_fragment
from server.hls.playlist import Rendition, Segment, Variant, master_playlist
from stream.frames import AudioChunk
from stream.live.feed import ORIGINAL
from stream.live.tap import Batch
from stream.media.aac import AacEncoder, AacPacket
from stream.timeline import Interval, seconds, ticks

MASTER = "master.m3u8"
"""Name of the playlist that players open."""


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

    def add(self, batch: Batch) -> None:
        """Take what was published, write every segment that is finished by it."""
        for event in batch.events:
            cues = self._cues.get(event.track)
            if cues is not None and event.kind in ("transcript", "translation"):
                cues.add(Interval(event.start, max(event.start, event.end)), event.text)
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
        self._write()
        if self._number and self._cutter.target is not None:
            self._write_playlists(self._cutter.target, ended=True)

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

    def _write(self) -> None:
        while (cut := self._cutter.next()) is not None:
            self._write_segment(cut)

    def _write_segment(self, cut: Cut) -> None:
        assert self._cutter.target is not None
        target = self._cutter.target
        self._folder.mkdir(parents=True, exist_ok=True)
        entry = self._entry(cut, cut.time)
        if cut.pictures is not None:
            if self._video is None:
                self._video = self._files("video")
            made = picture_fragment(cut.pictures, cut.until, self._number + 1)
            if not cut.key:
                # The coding goes on, whatever can be told from a picture that is no key.
                made = Fragment(self._video.init, made.media)
            self._video.add_media(made, entry, target)
            self._codec = codec_name(self._video.init)
            coded = cut.pictures[0].format
            self._size = (coded.width, coded.height)
        for name, sound in self._sounds.items():
            inside = [packet for packet in sound.packets if packet.time < cut.time.end]
            sound.packets = sound.packets[len(inside) :]
            made = sound_fragment(inside, self._channels, self._number + 1)
            heard = self._entry(cut, Interval(inside[0].time, inside[-1].end))
            self._audio[name].add_media(made, heard, target)
        for name, files in self._text.items():
            files.add_text(self._cues[name].segment(cut.time), entry, target)
        self._number += 1
        self._discontinuities += cut.discontinuity
        self._write_playlists(target)
        for files in self._all_files():
            files.forget()

    def _write_playlists(self, target: int, *, ended: bool = False) -> None:
        for files in self._all_files():
            independent = files is not self._video
            files.write_playlist(target=target, independent=independent, ended=ended)
        master = self._master_playlist()
        if master != self._master:
            self._put(self._folder / MASTER, master.encode())
            self._master = master

    def _entry(self, cut: Cut, time: Interval) -> Segment:
        date = None if self.wall_zero is None else self.wall_zero + seconds(time.start)
        return Segment("", seconds(time.duration), discontinuity=cut.discontinuity, date=date)

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
            )
            for name in ordered
        ]
        renditions += [
            Rendition(
                "SUBTITLES",
                self._languages[name].label,
                self._languages[name].code,
                self._text[name].playlist,
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
