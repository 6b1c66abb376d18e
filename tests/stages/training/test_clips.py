import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.training.clips import LONGEST, SHORTEST, group, with_margins
from stream.timeline import Interval, ticks


@st.composite
def speeches(draw) -> list[Interval]:
    at, found = 0, []
    for gap, length in draw(
        st.lists(st.tuples(st.integers(1, 100_000), st.integers(1, 700_000)), max_size=40)
    ):
        found.append(Interval(at + gap, at + gap + length))
        at += gap + length
    return found


@given(speeches())
def test_clips_begin_and_end_in_pauses_and_have_the_right_length(speech: list[Interval]) -> None:
    clips = group(speech)
    starts, ends = {i.start for i in speech}, {i.end for i in speech}
    for clip in clips:
        assert clip.start in starts and clip.end in ends
        assert SHORTEST <= clip.duration <= LONGEST
        inside = [i for i in speech if clip.start <= i.start and i.end <= clip.end]
        gaps = [b.start - a.end for a, b in zip(inside[:-1], inside[1:], strict=True)]
        assert all(gap <= ticks(0.6) for gap in gaps)
    assert all(a.end <= b.start for a, b in zip(clips[:-1], clips[1:], strict=True))
    end = speech[-1].end if speech else 0
    wide = with_margins(clips, speech, end)
    for clip, widened in zip(clips, wide, strict=True):
        assert widened.start <= clip.start and widened.end >= clip.end
        others = [i for i in speech if i.end <= clip.start or i.start >= clip.end]
        assert all(i.end <= widened.start or i.start >= widened.end for i in others)


def test_lengths_are_spread_evenly() -> None:
    rng = np.random.default_rng(0)
    at, speech = 0, []
    for _ in range(600):
        length = ticks(float(rng.uniform(0.8, 2.5)))
        speech.append(Interval(at, at + length))
        at += length + ticks(float(rng.uniform(0.12, 0.5)))
    clips = group(speech)
    lengths = [clip.duration / 48_000 for clip in clips]
    counts, _ = np.histogram(lengths, bins=6, range=(1, 12))
    assert counts.min() > 0.6 * counts.mean()
    assert sum(lengths) > 0.9 * at / 48_000
