"""Subtitles of a live stream, cut into WebVTT segments as players of HLS expect them."""

from __future__ import annotations

from dataclasses import dataclass

from stream.media.webvtt import Cue, arrange, escape, timestamp
from stream.timeline import TICK_RATE, Interval

MAX_WAITING = 256
"""Cues that may wait for their time; events are seconds ahead of it, not hours."""

ROLLOVER = 1 << 33
"""Where the clock of MPEG-TS begins again, after 26.5 hours."""

MPEGTS_RATE = 90_000


def header(time: int) -> str:
    """The head of a segment at that media time, ticks.

    Cue times are media times, as those of picture and sound are. The clock of MPEG-TS, by which the
    map is written, has 33 bits, and players count its rounds by the segment's own time (RFC 8216,
    section 3.5), so the map names a moment in the same round.
    """
    thousandths = time * 1000 // TICK_RATE  # as exact as WebVTT is
    mpegts = thousandths * MPEGTS_RATE // 1000 % ROLLOVER
    local = timestamp(thousandths * TICK_RATE // 1000)
    return f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{mpegts},LOCAL:{local}\n"


@dataclass(slots=True)
class LiveCues:
    """Collects the cues of one track; each segment holds those that show during it.

    A cue that outlasts its segment is repeated in the next one, word for word, so that players
    can tell that it is the same. Text that comes after its time is left out.
    """

    _waiting: list[Cue]
    _arranged: list[Cue]

    def __init__(self) -> None:
        self._waiting = []
        self._arranged = []

    def add(self, time: Interval, text: str) -> None:
        """Take the text of an utterance, or a better one in its place."""
        self._waiting = [cue for cue in self._waiting if cue.time.start != time.start]
        if text.strip() and len(self._waiting) < MAX_WAITING:
            self._waiting.append(Cue(time, text))

    def segment(self, time: Interval) -> str:
        """The WebVTT file for this stretch of media time; segments follow each other."""
        due = [cue for cue in self._waiting if cue.time.start < time.end]
        self._waiting = [cue for cue in self._waiting if cue.time.start >= time.end]
        following = min((cue.time.start for cue in self._waiting), default=None)
        shown_until = self._arranged[-1].time.end if self._arranged else 0
        for cue in arrange(due):
            start, end = max(cue.time.start, shown_until), cue.time.end
            if following is not None:
                end = min(end, following)
            if start < end:
                self._arranged.append(Cue(Interval(start, end), cue.text))
                shown_until = end
        self._arranged = [cue for cue in self._arranged if cue.time.end > time.start]
        blocks = [header(time.start)]
        for cue in self._arranged:
            if cue.time.start < time.end:
                times = f"{timestamp(cue.time.start)} --> {timestamp(cue.time.end)}"
                blocks.append(f"{times}\n{escape(cue.text)}\n")
        return "\n".join(blocks)
