"""Many channels without a layout ended in a traceback; all of them must be heard, evenly."""

import wave
from pathlib import Path

import numpy as np
import pytest

from stream.frames import Samples
from stream.media.options import InputOptions
from stream.media.source import MediaSource, SourceError
from tests.helpers.dubbed_file import read

RATE = 48_000


def recording(path: Path, channels: int, *, speaking: int, width: int = 2) -> Samples:
    """A tone of 440 Hz on one channel alone."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    sound = np.zeros((RATE, channels))
    sound[:, speaking] = tone
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(RATE)
        if width == 1:
            out.writeframes((sound * 127 + 128).astype(np.uint8).tobytes())
        else:
            out.writeframes((sound * (2 ** (8 * width - 1) - 1)).astype(f"<i{width}").tobytes())
    return tone.astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "speaking", "width"), [(3, 2, 4), (4, 3, 1), (9, 8, 2), (60, 31, 2)]
)
def test_every_channel_is_heard(tmp_path: Path, channels: int, speaking: int, width: int) -> None:
    tone = recording(tmp_path / "stage.wav", channels, speaking=speaking, width=width)
    source, sound, _ = read(tmp_path / "stage.wav")
    assert source.info.layout == "mono" and len(sound) == RATE
    assert np.allclose(sound[:, 0], tone / channels, atol=0.006)


def test_a_session_hears_them_on_both_sides(tmp_path: Path) -> None:
    tone = recording(tmp_path / "stage.wav", 9, speaking=4)
    _, sound, _ = read(tmp_path / "stage.wav", layout="stereo")
    level = np.sqrt(0.5) / 9  # as FFmpeg spreads one channel over two
    assert np.allclose(sound, tone[:, None] * level, atol=0.001)


@pytest.mark.parametrize("layout", [None, "stereo"])
def test_one_channel_can_be_chosen(tmp_path: Path, layout: str | None) -> None:
    tone = recording(tmp_path / "stage.wav", 9, speaking=4)
    for channel, expected in ((4, tone), (5, 0 * tone)):
        _, sound, _ = read(tmp_path / "stage.wav", InputOptions(channel=channel), layout=layout)
        level = 1 if layout is None else np.sqrt(0.5)
        assert np.allclose(sound, expected[:, None] * level, atol=0.001)


def test_a_channel_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    recording(tmp_path / "stage.wav", 9, speaking=4)
    with pytest.raises(SourceError, match=r"no channel 9: choose input\.channel from 0 to 8"):
        MediaSource(tmp_path / "stage.wav", choice=InputOptions(channel=9))
