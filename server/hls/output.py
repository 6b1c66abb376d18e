"""A session as HTTP Live Streaming: a folder that any web server can hand to stock players."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from server.hls.files import PatientDisk
from server.hls.packager import MASTER, Language, Packager
from server.hls.reload import LivePlaylists
from stream.flow.worker import Worker
from stream.live.feed import ORIGINAL, Feed
from stream.live.output import OutputState, OutputStatus, why
from stream.live.tap import Batch, FeedTap
from stream.media.muxer import MuxerError

CODECS = {"av1", "h264", "hevc"}
"""Pictures that players of HLS can decode."""

_log = logging.getLogger(__name__)


class HlsOutput:
    """Writes one session; made before its feed starts.

    A disk that is too slow loses segments' sound to silence and pictures up to the next key
    picture, after 10 s of waiting. A full disk, or a full table of descriptors, is a slow disk
    until there is room; a disk that fails ends this output with one sentence in the log. Neither
    touches the feed.

    Args:
        feed: the session.
        folder: where the files go; ``master.m3u8`` is what players open.
        segment: intended length of segments, seconds; they end at keyframes.
        window: segments in a playlist.
        languages: ISO 639-1 code and label by track; by default the names of the tracks.
        program_date_time: whether playlists tell the wall time at which a segment came from its
            source: media times are that source's own clock, and a delay does not show.

    Attributes:
        playlists: as they are now, for who lets players wait for the next.
    """

    def __init__(
        self,
        feed: Feed,
        folder: Path,
        *,
        segment: float = 2.0,
        window: int = 8,
        languages: Mapping[str, tuple[str, str]] | None = None,
        program_date_time: bool = True,
    ) -> None:
        given = languages or {}
        offered = {}
        for track in feed.tracks:
            code = feed.language if track == ORIGINAL else track
            label = f"Original ({code})" if track == ORIGINAL else code
            offered[track] = Language(*given.get(track, (code, label)))
        self.playlists = LivePlaylists()
        self._disk = PatientDisk()
        self._packager = Packager(
            folder,
            offered,
            channels=feed.channels,
            segment=segment,
            window=window,
            comment=feed.comment(feed.tracks),
            write=self._disk.put,
        )
        self._feed = feed
        self._dated = program_date_time
        self._tap = FeedTap(feed, tuple(feed.tracks), events=True)
        self._worker = Worker("hls")
        self._folder = folder
        self._done = asyncio.Event()
        self._running = False
        self._refused: set[str] = set()
        self._failure: str | None = None

    def status(self) -> OutputStatus:
        """See ``Output``; it misses what the disk was too slow for."""
        state: OutputState = "ended" if self._done.is_set() else "running"
        failure, trouble = self._failure, self._disk.trouble
        if failure is not None:
            state = "failed"
        elif trouble is not None:
            state, failure = "retrying", f"HLS waits until it can be written: {why(trouble)}"
        return OutputStatus(
            "hls",
            MASTER,
            state,
            failure,
            missed=self._tap.missed,
            missed_pictures=self._tap.missed_pictures,
        )

    async def run(self) -> None:
        """Write until the feed ends; then the playlists say that nothing follows."""
        self._running = True
        try:
            async for batch in self._tap.batches():
                self._date()
                batch = self._playable(batch)
                await self._worker.run(lambda batch=batch: self._packager.add(batch))  # type: ignore[misc]
                self.playlists.post(self._packager.playlists)
            await self._worker.run(self._packager.finish)
            self.playlists.post(self._packager.playlists)
        except (OSError, MuxerError) as error:
            self._failure = f"HLS has ended: {why(error)}"
            _log.error("%s (in %s)", self._failure, self._folder)
        finally:
            self._tap.close()
            self._disk.give_up()
            self.playlists.close()
            await self._worker.aclose()
            self._done.set()

    async def aclose(self) -> None:
        """End the playlists now, whether or not the feed has ended."""
        self._tap.close()
        self._disk.give_up()
        if self._running:
            await self._done.wait()

    def _date(self) -> None:
        """Only once something was published is it known when it came."""
        came = self._feed.arrival(0)
        if self._dated and self._packager.wall_zero is None and math.isfinite(came):
            self._packager.wall_zero = time.time() + came - asyncio.get_running_loop().time()

    def _playable(self, batch: Batch) -> Batch:
        for codec in {picture.format.codec for picture in batch.pictures} - CODECS - self._refused:
            self._refused.add(codec)
            _log.warning("HLS goes on without the picture: players cannot decode %s", codec)
        pictures = [picture for picture in batch.pictures if picture.format.codec in CODECS]
        return replace(batch, pictures=pictures)
