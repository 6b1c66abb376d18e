"""A session recorded into one file, playable at any moment while it is being written."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from server.outputs.retention import CONTAINERS, hold
from server.outputs.tracks import every_track, sound_tracks
from stream.flow.worker import Worker
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.live.feed import Feed
from stream.live.output import OutputState, OutputStatus, why
from stream.live.tap import Batch, FeedTap
from stream.media.aac import AacEncoder, AacPacket
from stream.media.address import address
from stream.media.mp4_index import rename_hevc
from stream.media.muxer import TS_OPTIONS, Muxer, MuxerError, SoundTrack
from stream.timeline import TICK_RATE

_OPTIONS = {
    # Not `hybrid_fragmented`: it holds an index of all packets in memory, for days if need be.
    "mp4": {
        "movflags": "frag_keyframe+empty_moov+default_base_moof",
        "frag_duration": "2000000",
        "use_editlist": "0",
        "flush_packets": "1",
    },
    "matroska": {"cluster_time_limit": "2000", "flush_packets": "1"},
    "mpegts": {**TS_OPTIONS, "flush_packets": "1"},
}

PATIENCE = 2 * TICK_RATE
"""Ticks for which a recording waits for the first picture."""

_log = logging.getLogger(__name__)

LEFT_S = 10
"""Media seconds without a publisher after which the file ends; the next one gets another."""


class Recording:
    """Records until the feed ends; create it before the feed starts, in its event loop.

    The file gets its name at the end; until then, and if the process is killed, it is
    ``.NAME.part.SUFFIX`` beside it. ``%Y %m %d %H %M %S`` in the name become the time in UTC at
    which a file begins. If the picture's codec parameters change, or a picture joins
    what was sound alone, the recording continues in ``NAME-2.SUFFIX`` and so on, and so does the
    next publisher after an absence of `LEFT_S`, and a new run: what was recorded before is never
    overwritten. A failing disk
    ends the recording with one sentence in the log; what was written until then gets its name.

    Args:
        feed: the session.
        path: ``.mp4``, ``.mkv`` or ``.ts``; its folder is created if necessary.
        tracks: in the order of the file; the first is marked as default. If ``None``, the dubs,
            then the original.
        languages: ISO 639-1 code and title by track.

    Raises:
        ValueError: for another suffix.
        KeyError: for a track that the feed does not have.
    """

    def __init__(
        self,
        feed: Feed,
        path: Path,
        tracks: tuple[str, ...] | None = None,
        *,
        languages: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        if path.suffix.lower() not in CONTAINERS:
            raise ValueError(f"{path} cannot be recorded: use .mp4, .mkv or .ts")
        tracks = tracks or every_track(feed)
        sounds = sound_tracks(feed, tracks, languages)
        self._path = path
        self._writer = _Writer(path, sounds, feed.absence, feed.comment(tracks))
        self._tap = FeedTap(feed, tracks)
        self._worker = Worker("recording")
        self._done = asyncio.Event()
        self._running = False
        self._failure: str | None = None

    def status(self) -> OutputStatus:
        """See ``Output``; it misses what the disk was too slow for."""
        state: OutputState = "ended" if self._done.is_set() else "running"
        return OutputStatus(
            "recording",
            self._path.name,
            state if self._failure is None else "failed",
            self._failure,
            missed=self._tap.missed,
            missed_pictures=self._tap.missed_pictures,
        )

    @property
    def files(self) -> list[Path]:
        """The finished files."""
        return list(self._writer.files)

    async def run(self) -> None:
        """Record until the feed ends."""
        self._running = True
        writing: asyncio.Future[None] | None = None
        try:
            await self._worker.run(self._writer.make_folder)
            async for batch in self._tap.batches():
                # Shielded, since a file cannot be finished while another thread writes to it.
                writing = asyncio.ensure_future(
                    self._worker.run(lambda batch=batch: self._writer.add(batch))  # type: ignore[misc]
                )
                await asyncio.shield(writing)
        except (OSError, MuxerError) as error:
            self._failed(error)
        finally:
            self._tap.close()
            try:
                await asyncio.shield(asyncio.ensure_future(self._finish(writing)))
            finally:
                self._done.set()

    async def aclose(self) -> None:
        """End the recording now and wait until the file has its name."""
        self._tap.close()
        if self._running:
            await self._done.wait()

    async def _finish(self, writing: asyncio.Future[None] | None) -> None:
        try:
            if writing is not None:
                await asyncio.wait([writing])
            await self._worker.run(self._writer.finish)
        except (OSError, MuxerError) as error:
            if self._failure is None:
                self._failed(error)
        finally:
            await self._worker.aclose()

    def _failed(self, error: Exception) -> None:
        self._failure = f"the recording '{self._path.name}' has ended: {why(error)}"
        _log.error("%s (in %s)", self._failure, self._path.parent)


class _Writer:
    """The blocking part: files one after another."""

    def __init__(
        self,
        path: Path,
        sounds: dict[str, SoundTrack],
        absence: Callable[[int], int],
        comment: str,
    ) -> None:
        self._pattern = self._path = path
        self._sounds = sounds
        self._absence, self._comment = absence, comment
        self._muxer: Muxer | None = None
        self._coded: PictureFormat | None = None
        self._encoders: dict[str, AacEncoder] = {}
        self._early: dict[str, list[AudioChunk]] = {name: [] for name in sounds}
        self._held: PicturePacket | None = None  # until it is known how long it is shown
        self._count = 0
        self._hold = contextlib.ExitStack()
        self.files: list[Path] = []

    def make_folder(self) -> None:
        """Create the folder, so that a bad one is noticed now and not with the first picture."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._path.parent):
            pass  # a folder that exists may be of another user, or on a medium that is read only

    def add(self, batch: Batch) -> None:
        """Write a batch."""
        if self._left(batch):
            self._end_file()
            self._early = {name: [] for name in self._sounds}
            return
        sound = {name: [*self._early[name], *blocks] for name, blocks in batch.sound.items()}
        self._early = {name: [] for name in self._sounds}
        for picture in batch.pictures:
            if not picture.key and self._muxer is None:
                continue
            if picture.key and (self._muxer is None or picture.format != self._coded):
                self._encode(sound, until=picture.shown)
                self._end_file()
                self._begin_file(picture.format, picture.shown)
            self._show(picture)
        if self._muxer is None:
            self._keep(sound)
        else:
            self._encode(sound)

    def _left(self, batch: Batch) -> bool:
        """Whether the publisher has been away for long at all times of a batch."""
        sounds = [block.start for blocks in batch.sound.values() for block in blocks]
        times = [*sounds, *(picture.time for picture in batch.pictures)]
        return min(map(self._absence, times), default=0) >= LEFT_S * TICK_RATE

    def finish(self) -> None:
        """Write the rest and give the file its name."""
        if self._muxer is None and (starts := [b[0].start for b in self._early.values() if b]):
            self._begin_file(None, max(starts))
            self._encode(self._early)
        self._end_file()

    def _keep(self, sound: dict[str, list[AudioChunk]]) -> None:
        """Keep sound until a picture arrives or the wait for one is over."""
        starts = [blocks[0].start for blocks in sound.values() if blocks]
        ends = [blocks[-1].end for blocks in sound.values() if blocks]
        if starts and min(ends) - max(starts) >= PATIENCE:
            self._begin_file(None, max(starts))
            self._encode(sound)
        else:
            self._early = sound

    def _begin_file(self, coded: PictureFormat | None, zero: int) -> None:
        path = _dated(self._pattern)
        self._count = self._count + 1 if path == self._path else 1
        self._path = path
        while self._named().exists() or self._part().exists():
            self._count += 1  # of an earlier run, perhaps one that was killed
        container = CONTAINERS[self._path.suffix.lower()]
        tracks = list(self._sounds.values())
        options = _OPTIONS[container]
        self._coded = coded
        part = self._part()
        part.touch()  # FFmpeg makes it with the first packet only
        with contextlib.suppress(OSError):  # a file system without locks
            self._hold.enter_context(hold(part))
        target = address(part)
        self._muxer = Muxer(
            target, container, coded, tracks, zero=zero, comment=self._comment, options=options
        )
        self._encoders = {name: AacEncoder(one.channels) for name, one in self._sounds.items()}
        for encoder in self._encoders.values():
            encoder.begin(zero)

    def _end_file(self) -> None:
        if self._muxer is None:
            return
        try:
            if self._held is not None:
                self._muxer.write_picture(self._held, TICK_RATE // 25)
            for name, encoder in self._encoders.items():
                self._write(name, encoder.finish())
            self._muxer.close()
            hevc = self._coded is not None and self._coded.codec == "hevc"
            if hevc and self._path.suffix.lower() == ".mp4":
                rename_hevc(self._part())
        finally:
            self._muxer = self._held = None
            named = self._named()
            self._part().replace(named)
            self.files.append(named)
            _log.info("the recording '%s' is complete", named.name)
            self._hold.close()

    def _show(self, picture: PicturePacket) -> None:
        assert self._muxer is not None
        held, self._held = self._held, picture
        if held is not None:
            self._muxer.write_picture(held, picture.time - held.time)

    def _encode(self, sound: dict[str, list[AudioChunk]], until: int | None = None) -> None:
        """Encode what lies before ``until`` and leave the rest in ``sound``."""
        for name, blocks in sound.items():
            at = len(blocks)
            if until is not None:
                at = next((i for i, block in enumerate(blocks) if block.end > until), at)
            if self._muxer is not None:
                for block in blocks[:at]:
                    self._write(name, self._encoders[name].encode(block))
            del blocks[:at]

    def _write(self, name: str, packets: list[AacPacket]) -> None:
        assert self._muxer is not None
        for packet in packets:
            self._muxer.write_sound(list(self._sounds).index(name), packet)

    def _named(self) -> Path:
        if self._count == 1:
            return self._path
        return self._path.with_stem(f"{self._path.stem}-{self._count}")

    def _part(self) -> Path:
        named = self._named()
        return named.with_name(f".{named.stem}.part{named.suffix}")


def _dated(pattern: Path) -> Path:
    now = time.gmtime()
    name = re.sub("%[YmdHMS]", lambda code: time.strftime(code[0], now), pattern.name)
    return pattern.with_name(name)
