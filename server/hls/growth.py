"""The parts of the segment that is being made, written while it grows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from server.hls.cues import LiveCues
from server.hls.files import RenditionFiles
from server.hls.fragment import Fragment, picture_fragment, sound_fragment
from server.hls.parts import LEAST, PART, part_ends
from server.hls.playlist import Segment
from stream.frames import PicturePacket
from stream.media.aac import AacPacket
from stream.timeline import Interval

Entry = Callable[[Interval], Segment]
"""The entry of a playlist for a stretch of the segment."""


class Growth:
    """Writes what has become certain of one segment; every method blocks.

    A rendition whose samples are too long for parts, as pictures that come seldom, has none in
    this segment.

    Args:
        number: of the segment.
        channels: of the sound.
        entry: makes entries.
    """

    def __init__(self, number: int, channels: int, entry: Entry) -> None:
        self.number = number
        self._channels = channels
        self._entry = entry
        self._done: dict[RenditionFiles, int] = {}  # samples in parts; of text, ticks
        self._unparted: set[RenditionFiles] = set()

    def parted(self, files: RenditionFiles) -> bool:
        """Whether another part may come."""
        return files not in self._unparted

    def pictures(
        self,
        files: RenditionFiles,
        pictures: Sequence[PicturePacket],
        places: Sequence[int],
        *,
        end: int | None = None,
        until: int = 0,
    ) -> None:
        """Write the parts that pictures fill.

        Args:
            files: where to.
            pictures: of the segment so far, in decoding order.
            places: when each is shown, as if they were shown in that order.
            end: of the segment, once it is known, ticks.
            until: decoding time of the picture that follows then.
        """
        for first, last, time in self._next(files, places, end, LEAST):
            inside = pictures[first:last]
            following = pictures[last].time if last < len(pictures) else until
            made = picture_fragment(inside, following, self.number + 1)
            key = inside[0].key
            if not key:
                made = Fragment(files.init, made.media)
            files.add_media_part(made, self._entry(time), independent=key)

    def sound(
        self, files: RenditionFiles, packets: Sequence[AacPacket], *, whole: bool = False
    ) -> None:
        """Write the parts that packets fill; ``whole`` if they are all of the segment."""
        places = [packet.time for packet in packets]
        end = packets[-1].end if whole else None
        for first, last, time in self._next(files, places, end, 1):
            made = sound_fragment(packets[first:last], self._channels, self.number + 1)
            files.add_media_part(made, self._entry(time), independent=True)

    def text(
        self, files: RenditionFiles, cues: LiveCues, time: Interval, *, whole: bool = False
    ) -> None:
        """Write the parts of subtitles for what of the segment is certain."""
        start = self._done.get(files, time.start)
        places = range(start + PART, time.end + 1, PART)
        for end in part_ends(start, places, end=time.end if whole else None, least=1) or ():
            part = Interval(start, end)
            files.add_text_part(cues.segment(part), self._entry(part))
            self._done[files] = start = end

    def _next(
        self, files: RenditionFiles, places: Sequence[int], end: int | None, least: int
    ) -> list[tuple[int, int, Interval]]:
        """Samples, from and to, and time of each part that is certain now."""
        done = self._done.get(files, 0)
        if files in self._unparted or done >= len(places):
            return []
        start = places[done]
        ends = part_ends(start, places[done + 1 :], end=end, least=least)
        if ends is None:
            self._unparted.add(files)
            files.withdraw()
            return []
        found: list[tuple[int, int, Interval]] = []
        for at in ends:
            last = bisect_left(places, at)
            found.append((done, last, Interval(start, at)))
            done, start = last, at
        self._done[files] = done
        return found
