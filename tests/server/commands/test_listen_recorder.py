"""What is made of received sound and captions, without a server."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.commands.listen_recorder import LONGEST_GAP, FileOutput, Timeline
from server.websocket.client import Hello, ListenClient, ListenError
from server.websocket.frames import Encoding, Frame
from stream.timeline import TICK_RATE

HELLO = Hello("f", "pt", "en", Encoding("pcm_f32le", TICK_RATE, 1))


def _frame(start: int, count: int) -> Frame:
    ramp = np.arange(start + 1, start + count + 1, dtype="<f4")
    return Frame("pcm_f32le", start, count, ramp.tobytes())


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 200)), min_size=1, max_size=30))
def test_every_sample_is_in_its_place_once(frames: list[tuple[int, int]]) -> None:
    timeline = Timeline(HELLO)
    first = frames[0][0]
    pieces = [p for start, count in frames for p in timeline.add(_frame(start, count), 0.0)]
    sound = np.concatenate(pieces)[:, 0]
    assert len(sound) == max(start + count for start, count in frames) - first
    places = np.arange(first + 1, first + 1 + len(sound))
    assert np.all((sound == places) | (sound == 0))
    # What came in order is there.
    newest = first
    for start, count in frames:
        if start >= newest:
            assert np.all(sound[start - first : start - first + count] > 0)
        newest = max(newest, start + count)


def test_a_time_that_cannot_be_does_not_fill_the_disk() -> None:
    timeline = Timeline(HELLO)
    lengths = [
        len(piece)
        for start in (0, LONGEST_GAP * 100, LONGEST_GAP * 100 + 10)
        for piece in timeline.add(_frame(start, 10), 0.0)
    ]
    assert lengths == [10, 10, 10]


def test_captions_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from server.commands.listen import _Captions

    captions = _Captions(Console(stderr=True))
    event = {"type": "event", "kind": "translation", "track": "pt", "utterance": 1, "start": 0}
    for _ in range(2):
        captions.show({**event, "text": "a\x1b[2Jb\n[red]c"}, HELLO)
    assert capsys.readouterr().err == "0:00:00  pt  a [2Jb [red]c\n".replace("0:00:00", "0:00")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ListenError, match="is no address"):
        ListenClient("nonsense", {})


@pytest.mark.parametrize(
    ("track", "tag"), [("original", "eng"), ("pt", "por"), ("pt.voice", "por")]
)
def test_a_file_says_in_which_language_it_is(track: str, tag: str, tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "kept.mka", Hello("f", track, "en", Encoding("opus", 48_000, 2)))
    output.write(np.zeros((TICK_RATE, 2), np.float32))
    output.close()
    with av.open(str(tmp_path / "kept.mka")) as kept:
        assert kept.streams.audio[0].metadata["language"] == tag
