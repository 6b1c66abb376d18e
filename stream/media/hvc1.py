"""The name of HEVC in MP4 that Apple's players take."""

from __future__ import annotations

import struct
from pathlib import Path

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def rename_hevc(path: Path) -> None:
    """Name the HEVC of an MP4 file ``hvc1`` where it is ``hev1``, FFmpeg's choice.

    Only the index at the file's beginning is changed; one at the end is left as it is.

    Raises:
        OSError: if the file cannot be read or written.
    """
    with path.open("r+b") as file:
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind == b"moov" and size >= 8:
                begin = file.tell()
                index = file.read(size - 8)
                file.seek(begin)
                file.write(_renamed(index))
                return
            if size < 8 or kind == b"mdat":
                return
            file.seek(size - 8, 1)


def _renamed(box: bytes) -> bytes:
    at, parts = 0, []
    while at + 8 <= len(box):
        size, kind = struct.unpack_from(">I4s", box, at)
        if size < 8:
            break
        inside = box[at + 8 : at + size]
        if kind in _PATH:
            inside = _renamed(inside)
        elif kind == b"stsd" and inside[12:16] == b"hev1":
            inside = inside[:12] + b"hvc1" + inside[16:]
        parts.append(box[at : at + 8] + inside)
        at += size
    return b"".join(parts) + box[at:]
