"""RTSP's answers are taken apart and put together anew, however they come."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.addresses.reach import AddressError
from server.addresses.rtsp_answers import LONGEST_HEAD, RtspAnswers

MEDIA = b"$\0\0\x0aRTSP/1.0 3"
"""An interleaved packet that looks like something else."""

OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\n$\n\r\n"
MOVED = b"RTSP/1.0 302 Found\nCSeq: 2\nlocation : rtsp://b/\n\n"
REQUEST = b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 7\r\n\r\n"


def passed(*pieces: bytes) -> bytes:
    answers = RtspAnswers(lambda location: location.replace("//b", "//checked"))
    return b"".join(answers(piece) for piece in pieces)


@given(
    st.lists(st.sampled_from([MEDIA, OK, MOVED, REQUEST]), max_size=6),
    st.lists(st.integers(1, 200), max_size=8),
)
@settings(max_examples=50)
def test_it_does_not_matter_how_they_come(parts: list[bytes], cuts: list[int]) -> None:
    stream, pieces, at = b"".join(parts), [], 0
    for cut in cuts:
        pieces.append(stream[at : at + cut])
        at += cut
    out = passed(*pieces, stream[at:])
    assert out == b"".join(passed(part) for part in parts)
    assert out.count(b"Location: rtsp://checked/") == parts.count(MOVED)
    assert b"//b/" not in out
    assert out.count(MEDIA) == parts.count(MEDIA)


@given(st.binary(max_size=300), st.sampled_from([b"RTSP/1.0 301 x", b"RTSP/1.0 200 OK", b""]))
@settings(max_examples=50)
def test_nothing_leads_anywhere_unasked(rest: bytes, first: bytes) -> None:
    """Whatever is sent, each line that FFmpeg could take for a redirection was asked about."""
    asked: list[str] = []

    def refuse(location: str) -> str:
        asked.append(location)
        raise AddressError("no")

    try:
        out = RtspAnswers(refuse)(first + b"\r\nLocation: rtsp://b/\r\n" + rest + b"\r\n\r\n")
    except AddressError:
        return
    assert not re.search(rb"(?im)^location:", out.partition(b"\r\n\r\n")[0])


@pytest.mark.parametrize(
    "wrong",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nA: b\rLocation: rtsp://b/\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * LONGEST_HEAD,
    ],
)
def test_what_is_no_rtsp_ends_the_connection(wrong: bytes) -> None:
    with pytest.raises(AddressError):
        passed(wrong)


@pytest.mark.parametrize("length", ["\x1d5", "5\x1c", "9" * 5000, "\xb2", "-1", "1_0", ""])
def test_a_length_that_is_no_number_is_refused_in_a_sentence(length: str) -> None:
    with pytest.raises(AddressError, match="no possible length"):
        passed(f"RTSP/1.0 200 OK\r\nContent-Length:{length}\r\n\r\n".encode("latin-1"))
