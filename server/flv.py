"""FLV, the file form of what RTMP carries: the same bodies, each behind a tag header."""

from __future__ import annotations

AUDIO, VIDEO, SCRIPT = 8, 9, 18
"""Tag types; RTMP's message types are the same numbers."""

HEADER = b"FLV\x01\x05" + (9).to_bytes(4, "big") + bytes(4)
"""Start of a stream that may hold sound and picture, with the size of the tag before the first."""


def tag(kind: int, timestamp: int, body: bytes) -> bytes:
    """One tag and the size that follows it.

    Args:
        kind: ``AUDIO``, ``VIDEO`` or ``SCRIPT``.
        timestamp: ms, of 32 bits; the high byte travels apart, where FLV's extension has it.
        body: under 16 MiB.
    """
    stamp = timestamp.to_bytes(4, "big")
    head = bytes([kind]) + len(body).to_bytes(3, "big") + stamp[1:] + stamp[:1] + bytes(3)
    return head + body + (len(head) + len(body)).to_bytes(4, "big")
