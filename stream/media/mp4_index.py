"""Corrections to the index of a finished MP4 file that FFmpeg's muxer leaves to be made."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def rename_hevc(path: Path) -> None:
    """Name HEVC ``hvc1``, as Apple's players want it, where it is ``hev1``, FFmpeg's choice.

    Raises:
        OSError: if the file cannot be read or written.
    """
    _correct(path, lambda index: _each(index, _renamed))


def drop_empty_tracks(path: Path) -> None:
    """Hide tracks without a sample: of a cover, which has its place elsewhere, one may be left.

    Raises:
        OSError: if the file cannot be read or written.
    """
    _correct(path, lambda index: _each(index, _hidden))


def _correct(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the index in place; its length stays."""
    with path.open("r+b") as file:
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            length = 8
            if size == 1:
                size, length = int.from_bytes(file.read(8), "big"), 16
            if size < length:
                return
            if kind == b"moov":
                begin = file.tell()
                index = file.read(size - length)
                file.seek(begin)
                file.write(change(index))
            else:
                file.seek(size - length, 1)


def _each(box: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """What is in a box, with every box below it changed."""
    parts, end = [], 0
    for begin, end in _inside(box):
        kind, content = box[begin + 4 : begin + 8], box[begin + 8 : end]
        if kind in _PATH:
            content = _each(content, change)
        parts.append(change(box[begin : begin + 8], content))
    return b"".join(parts) + box[end:]


def _inside(box: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at + 8 <= len(box):
        size = int.from_bytes(box[at : at + 4], "big")
        if size < 8:
            return
        yield at, min(at + size, len(box))
        at += size


def _renamed(head: bytes, content: bytes) -> bytes:
    if head[4:] == b"stsd" and content[12:16] == b"hev1":
        content = content[:12] + b"hvc1" + content[16:]
    return head + content


def _hidden(head: bytes, content: bytes) -> bytes:
    if head[4:] != b"trak":
        return head + content
    at = content.find(b"stsz")  # version and flags, size of all, then how many
    empty = at >= 0 and content[at + 12 : at + 16] == bytes(4)
    return (head[:4] + b"free" if empty else head) + content
