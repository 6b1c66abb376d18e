import html
import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from server.hls.cues import LiveCues
from stream.media.webvtt import LINE, Cue, arrange, render, timestamp, write
from stream.timeline import Interval, ticks

TIMING = re.compile(r"(\d\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d\d+):(\d\d):(\d\d)\.(\d{3})")


def cue(start, end, text):
    return Cue(Interval(ticks(start), ticks(end)), text)


def parse(text):
    """Cues as (start ms, end ms, text) by the rules of the W3C parser that matter here."""
    header, *blocks = text.rstrip("\n").split("\n\n")
    assert header == "WEBVTT"
    cues = []
    for block in blocks:
        timing, *lines = block.split("\n")
        match = TIMING.fullmatch(timing)
        assert match and not any("-->" in line or "<" in line for line in lines)
        n = [int(group) for group in match.groups()]
        times = [((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (n[:4], n[4:])]
        cues.append((*times, html.unescape("\n".join(lines))))
    return cues


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(" \n<>&-"))
cues = st.builds(
    lambda start, length, text: Cue(Interval(start, start + length), text),
    st.integers(0, 10**9),
    st.integers(0, 10**6),
    texts,
)


@given(st.lists(cues, max_size=8))
def test_what_is_written_reads_back_in_order(given_cues):
    read = parse(render(given_cues))
    expected = [c.text.split() for c in sorted(given_cues, key=lambda c: c.time)]
    assert "".join("".join(text.split()) for *_, text in read) == "".join(map("".join, expected))
    for start, end, text in read:
        assert start < end
        assert 1 <= len(text.split("\n")) <= 2
        assert all(len(line) <= LINE for line in text.split("\n"))
    for (_, end, _), (start, *_) in zip(read, read[1:], strict=False):
        assert end <= start


def test_markup_and_arrows_are_text():
    assert "a &lt;b&gt; &amp; c --&gt; d" in render([cue(0, 2, "a <b> & c --> d")])


def test_timestamp():
    assert timestamp(0) == "00:00:00.000"
    assert timestamp(ticks(3661.0294)) == "01:01:01.029"
    assert timestamp(ticks(59.9996)) == "00:01:00.000"
    assert timestamp(ticks(360_000)) == "100:00:00.000"


def test_a_long_text_is_split_after_a_clause_in_proportion():
    text = (
        "It was built almost two hundred years ago, when farmers came here every week, "
        "to sell fruit, bread and fresh fish to everyone who lived in the town."
    )
    first, second = arrange([cue(10, 20, text)])
    assert first.text.replace("\n", " ").endswith("every week,")
    assert first.time.end == second.time.start
    share = len(first.text) / (len(first.text) + len(second.text))
    assert abs((first.time.duration / ticks(10)) - share) < 0.01


def test_two_lines_are_balanced():
    (only,) = arrange([cue(0, 5, "This boat crosses the river every twenty minutes.")])
    upper, lower = only.text.split("\n")
    assert abs(len(upper) - len(lower)) < 12


def test_a_short_cue_stays_until_it_is_read_but_not_into_the_next():
    text = "Now look up at the bridge in front."
    alone = arrange([cue(0, 0.5, text)])[0]
    assert alone.time.duration == ticks(2.0)
    followed = arrange([cue(0, 0.5, text), cue(1.2, 3, "Yes.")])[0]
    assert followed.time.duration == ticks(1.2)


def test_ffmpeg_reads_it(tmp_path):
    path = tmp_path / "subtitles.vtt"
    write(path, [cue(1, 2.5, "Olá & <tchau> --> já"), cue(3, 9, "uma frase longa, " * 10)])
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "srt", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    srt = done.stdout.decode()
    assert done.stderr == b""
    assert srt.startswith("1\n00:00:01,000 --> 00:00:02,500\n")
    assert "Olá & " in srt
    assert srt.count("-->") == len(parse(path.read_text())) + 1


def test_nothing_to_say_is_a_valid_file():
    assert render([cue(0, 1, "  \n ")]) == "WEBVTT\n"


def test_better_words_take_the_place_of_a_live_cue_that_was_not_shown_yet():
    cues = LiveCues()
    cues.add(Interval(ticks(1), ticks(2)), "We go up.")
    cues.add(Interval(ticks(2.1), ticks(3)), "Birds sing.")
    cues.add(Interval(ticks(1), ticks(2)), "We climb,")
    segment = cues.segment(Interval(0, ticks(6)))
    assert "We climb," in segment and "Birds sing." in segment and "We go up." not in segment
