"""Dubs whose faults are known, measured from their files alone."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from server.evaluation.bed import bed_gain
from server.evaluation.measure import measure_files
from stream.frames import Samples
from stream.media.sink import FileSink
from stream.media.soundtrack import SoundtrackError
from stream.media.source import AudioChunk, MediaSource


def _sound(path: Path) -> Samples:
    source = MediaSource(str(path))
    chunks = [item.samples for item in source if isinstance(item, AudioChunk)]
    source.close()
    return np.concatenate(chunks)


def _redub(clip: Clip, out: Path, sound: Samples) -> Path:
    """The clip with another track in front."""
    source = MediaSource(str(clip.path))
    sink = FileSink(out, source.info, language="pt", source_language="en", replace=True)
    for item in source:
        if not isinstance(item, AudioChunk):
            sink.write_packet(item)
    sink.write_audio(sound)
    sink.close()
    source.close()
    return out


def _other_voice(sound: Samples) -> Samples:
    """The same timing in sound that is not the original's: each 40 ms played backwards."""
    width = 1920
    whole = len(sound) // width * width
    turned = sound[:whole].reshape(-1, width)[:, ::-1].reshape(-1, 1)
    return np.concatenate([turned, sound[whole:]])


def test_the_original_itself_is_not_a_dub(clip: Clip) -> None:
    measured = measure_files(clip.path, clip.path)
    assert measured.not_dubbed > 0.98 and measured.isochrony < 0.02
    assert measured.first_picture_difference_s == 0


@pytest.mark.parametrize("bed", [0.0, 0.125])
def test_a_dub_in_step_is_told_from_one_that_is_late(
    clip: Clip, tmp_path: Path, bed: float
) -> None:
    sound = _sound(clip.path)
    voice = _other_voice(sound)
    late = np.concatenate([np.zeros((24_000, 1), np.float32), voice])[: len(sound)]
    good = measure_files(clip.path, _redub(clip, tmp_path / "good.mp4", voice + bed * sound))
    bad = measure_files(clip.path, _redub(clip, tmp_path / "bad.mp4", late + bed * sound))
    assert good.isochrony > 0.85 and good.not_dubbed < 0.02
    assert good.onset_error_p95_ms is not None and good.onset_error_p95_ms < 60
    assert good.loudness_difference_lu == pytest.approx(0, abs=1)
    assert bad.isochrony < good.isochrony - 0.2
    assert bad.onset_error_median_ms == pytest.approx(500, abs=60)


def test_silence_is_no_dub(clip: Clip, tmp_path: Path) -> None:
    silent = np.zeros_like(_sound(clip.path))
    measured = measure_files(clip.path, _redub(clip, tmp_path / "silent.mp4", silent))
    assert measured.isochrony == 0 and measured.loudness_dub_lufs is None


def test_unrelated_noise_has_no_bed() -> None:
    rng = np.random.default_rng(1)
    one, other = (rng.normal(0, 0.1, 48_000).astype(np.float32) for _ in range(2))
    assert np.isnan(bed_gain(one, other)).mean() > 0.99
    assert np.nanmedian(bed_gain(0.25 * one, one)) == pytest.approx(0.25, abs=0.01)


def test_files_without_sound_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    with pytest.raises(SoundtrackError, match="cannot be read"):
        measure_files(tmp_path / "bad.mp4", tmp_path / "bad.mp4")
