"""Subtitles of others: what is read of them, and what is refused with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.media import srt, webvtt
from stream.media.cue_file import SubtitlesError, read_cues
from stream.media.webvtt import Cue
from stream.timeline import Interval, ticks

SRT = """\ufeff1
00:00:01,000 --> 00:00:02,500
Good <i>morning</i>, {\\an8}everybody.
- Who <b>is</b> there?

2
0:00:03,5 --> 0:00:04,000 X1:10
[a door closes] Nobody &amp; nothing. ♪ la la ♪

3
00:00:05,000 --> 00:00:06,000
(applause)
"""
VTT = """WEBVTT - by hand
Kind: captions

STYLE
::cue { color: red }

NOTE times are
rough --> really

intro
00:01.000 --> 00:02.500 align:start
<v Joe>Good <00:00:01.500><c.loud>morning</c>, everybody. 1 < 2

01:00:03.500 --> 01:00:04.000
x
"""


def read(tmp_path: Path, content: str | bytes) -> list[Cue]:
    path = tmp_path / "talk.srt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_cues(path)


def cue(start: float, end: float, text: str) -> Cue:
    return Cue(Interval(ticks(start), ticks(end)), text)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_subrip_is_read_without_what_nobody_says(tmp_path: Path, ends: str) -> None:
    assert read(tmp_path, SRT.replace("\n", ends)) == [
        cue(1, 2.5, "Good morning, everybody. Who is there?"),
        cue(3.5, 4, "Nobody & nothing."),
    ]
    assert len(read(tmp_path, SRT.encode("utf-16"))) == 2


def test_webvtt_is_read_without_notes_and_styles(tmp_path: Path) -> None:
    assert read(tmp_path, VTT) == [
        cue(1, 2.5, "Good morning, everybody. 1 < 2"),
        cue(3603.5, 3604, "x"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1\n00:00:01,000 -> 00:00:02,000\nHello\n", "line 1: times such as .* before '1'"),
        (SRT + "\nand more\n\n", "line 14: times such as .* before 'and more'"),
        ("1\n00:00:01,000 --> 00:99:02,000\nHello", "line 2: '00:99:02,000' is no time"),
        ("\n\n1\n00:00:02,000 --> 00:00:01,000\nx", "line 4: the text must end after it begins"),
        ("1\n00:00:02,000 -->\nx", "line 2: the text must end after it begins"),
        ("1\n00:00:01,000 --> 00:00:02,000\n[music]", "no text that is spoken"),
        ("  \n", "is empty"),
        ("1\n00:00:01,000 --> 00:00:02,000\nПривет".encode("cp1251"), "line 3: this is not UTF-8"),
    ],
)
def test_what_is_malformed_is_told_with_its_line(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(SubtitlesError, match=said) as error:
        read(tmp_path, content)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SubtitlesError, match="No such file"):
        read_cues(tmp_path / "none.srt")


@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.integers(1, 3000), st.text("abc Ж?.", min_size=1)),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_here_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int, str]]
) -> None:
    at, cues = 0, []
    for wait, length, text in spans:
        at += wait
        cues.append(cue(at / 1000, (at + length) / 1000, f"a{text}"))
        at += length
    path = tmp_path_factory.mktemp("cues") / "talk"
    for render in (srt.render, webvtt.render):
        path.write_text(render(cues), "utf-8", newline="\n")
        said = " ".join(each.text for each in read_cues(path))
        assert "".join(said.split()) == "".join("".join(one.text.split()) for one in cues)
