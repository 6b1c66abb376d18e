"""What an RTSP server says, message by message, so that nothing else leads FFmpeg elsewhere.

RTSP (RFC 2326) has its answers, and media between them, in one stream of bytes. Everything is taken
apart and put together anew: what FFmpeg reads is what was understood here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from server.addresses.reach import AddressError

PORT = 554

LONGEST_HEAD = 16 << 10
"""Bytes of a message before its body."""

LONGEST_BODY = 1 << 20

_ANSWER = re.compile(r"RTSP/1\.\d +(\d{3})( [^\0]*)?")
_REQUEST = re.compile(r"[A-Z_]{1,32} \S+ RTSP/1\.\d")
_HEADER = re.compile(r"([A-Za-z0-9_-]{1,64}) *:[ \t]*([^\0]*)")


class RtspAnswers:
    """Filters what one server sends.

    Args:
        redirect: given where a redirection leads to; returns what FFmpeg is told instead, or
            raises ``AddressError``.
    """

    def __init__(self, redirect: Callable[[str], str]) -> None:
        self._redirect = redirect
        self._held = bytearray()
        self._passing = 0

    def __call__(self, data: bytes) -> bytes:
        """What may be passed on of what has come so far.

        Raises:
            AddressError: if it is not RTSP, or leads out of reach.
        """
        self._held += data
        out = bytearray()
        while self._held:
            if self._passing:
                taken = min(self._passing, len(self._held))
                out += self._held[:taken]
                del self._held[:taken]
                self._passing -= taken
            elif self._held[0] == ord("$"):  # media: a channel, two bytes of length
                if len(self._held) < 4:
                    break
                self._passing = 4 + int.from_bytes(self._held[2:4], "big")
            elif (message := self._message()) is not None:
                out += message
            else:
                break
        return bytes(out)

    def _message(self) -> bytes | None:
        """The message that begins here, written anew; ``None`` if its head is not complete."""
        end = re.search(rb"\r?\n\r?\n", self._held)
        if end is None or end.end() > LONGEST_HEAD:
            if len(self._held) > LONGEST_HEAD:
                raise AddressError("the RTSP server sends a head that is too long")
            return None
        head = self._held[: end.start()].decode("latin-1")
        del self._held[: end.end()]
        first, *lines = head.replace("\r\n", "\n").split("\n")
        answer = _ANSWER.fullmatch(first)
        headers = [_HEADER.fullmatch(line) for line in lines]
        if (answer is None and not _REQUEST.fullmatch(first)) or "\r" in head.replace("\r\n", ""):
            raise AddressError("the server does not speak RTSP")
        moved = answer is not None and answer[1].startswith("3")
        written, length = [first], 0
        for header in headers:
            if header is None:
                continue  # FFmpeg would not know it either
            name, value = header[1].lower(), header[2]
            if name == "content-length":
                length = _length(value)
            elif name != "location":
                written.append(f"{header[1]}: {value}")
            elif moved:
                written.append(f"Location: {self._redirect(value.strip())}")
        self._passing = length
        return "\r\n".join([*written, f"Content-Length: {length}", "", ""]).encode("latin-1")


def _length(value: str) -> int:
    digits = re.fullmatch(r"[ \t]*([0-9]{1,9})[ \t]*", value)
    length = int(digits[1]) if digits else -1
    if not 0 <= length <= LONGEST_BODY:
        raise AddressError("the RTSP server sends a body of no possible length")
    return length


def moved_to(location: str) -> tuple[str, int]:
    """Host and port of a redirection.

    Raises:
        AddressError: if it does not lead to an RTSP server.
    """
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme != "rtsp" or not host or re.search(r"[\0-\x20\x7f]", location):
        raise AddressError("it leads to an address that is not of rtsp")
    return host, port or PORT
