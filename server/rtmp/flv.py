"""FLV, the file form of what RTMP carries: the same bodies, each behind a tag header."""

from __future__ import annotations

AUDIO, VIDEO, SCRIPT = 8, 9, 18
"""Tag types; RTMP's message types are the same numbers."""

HEADER = b"FLV\x01\x05" + (9).to_bytes(4, "big") + bytes(4)
"""Start of a stream that may hold sound and picture, with the size of the tag before the first."""

JUMP_MS = 15_000
"""Ms from one body to the next, of either kind, that no pause explains: a clock that was set."""

STEP_MS = 20
"""Ms that pass where a clock was set."""

FIRST_MS = 1000
"""Ms at which a stream begins, so that bodies a little older than the first have a time too."""

_WRAP = 1 << 32
_AAC, _AVC, _HEVC = 10, 7, 12


class FlvWriter:
    """Tags on a clock that goes on, whatever the publisher's does.

    Publishers begin at any time, start again from zero when 31 or 32 bits are full, and some
    are set while they run. Whoever reads the stream would take that for days of silence.
    """

    def __init__(self) -> None:
        self._stamp = 0
        self._time = FIRST_MS

    def tag(self, kind: int, stamp: int, body: bytes) -> bytes:
        """One tag and the size that follows it.

        Args:
            kind: ``AUDIO``, ``VIDEO`` or ``SCRIPT``.
            stamp: the publisher's time, ms, of 32 bits.
            body: under 16 MiB.
        """
        # What configures a decoder is often sent with time 0, whenever it is sent.
        if kind != SCRIPT and not _configures(kind, body):
            self._advance(stamp)
        # FFmpeg takes scripts at time 0 for tags, and others for a stream of text.
        time = (0 if kind == SCRIPT else self._time).to_bytes(4, "big")
        head = bytes([kind]) + len(body).to_bytes(3, "big") + time[1:] + time[:1] + bytes(3)
        return head + body + (len(head) + len(body)).to_bytes(4, "big")

    def _advance(self, stamp: int) -> None:
        passed = (stamp - self._stamp + _WRAP // 2) % _WRAP - _WRAP // 2
        if abs(passed) > JUMP_MS:
            passed = STEP_MS
        self._stamp = stamp
        self._time = max(0, self._time + passed) % _WRAP


def _configures(kind: int, body: bytes) -> bool:
    """Whether a body configures a decoder."""
    if kind == AUDIO:
        return body[0] >> 4 == _AAC and body[1:2] == b"\0"
    if body[0] & 0x80:  # codecs named by four letters have the packet's type in the first byte
        return body[0] & 0x0F == 0
    return body[0] & 0x0F in (_AVC, _HEVC) and body[1:2] == b"\0"
