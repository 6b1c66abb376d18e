from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from stages.base import EngineError
from stages.speakers.reference import RATE, best, read_clip, read_fit, score
from stages.tts.espeak.library import speak
from stream.frames import Samples

TEXT = (
    "This boat crosses the river every twenty minutes, from early in the morning, "
    "until the last train leaves the station at night."
)


@pytest.fixture(scope="module")
def clean() -> Samples:
    """Seven seconds of a clean voice at ``RATE``."""
    pytest.importorskip("espeakng_loader")
    return speak(TEXT, "en-us", 175)


def noisy(clip: Samples, snr: float) -> Samples:
    level = np.sqrt(np.mean(clip[np.abs(clip) > 0.01] ** 2) / 10 ** (snr / 10))
    noise = np.random.default_rng(0).standard_normal(len(clip))
    return (clip + level * noise).astype(np.float32)


def write(path: Path, samples: Samples, rate: int = RATE, layout: str = "mono") -> Path:
    channels = 1 if layout == "mono" else 2
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.tile(samples, (channels, 1)), "fltp", layout)
        frame.sample_rate = rate
        converter = av.AudioResampler("s16", layout, rate)
        for block in converter.resample(frame):
            out.mux(stream.encode(block))
        out.mux(stream.encode(None))
    return path


def test_a_clean_clip_is_fit(clean: Samples) -> None:
    quality = score(clean)
    assert quality.fault is None
    assert quality.duration == pytest.approx(len(clean) / RATE)
    assert 0.8 < quality.speech_share <= 1
    assert quality.snr > 25 and not quality.clipped
    assert -24 < quality.loudness < -16


@pytest.mark.parametrize("snr", [5, 10, 20, 30])
def test_the_signal_to_noise_ratio_is_what_was_mixed(clean: Samples, snr: float) -> None:
    assert score(noisy(clean, snr)).snr == pytest.approx(snr, abs=3)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda clip: clip * 0, "is silent"),
        (lambda clip: clip[: RATE * 3 // 2], "holds only 1.* at least 3 s"),
        (lambda clip: noisy(clip, 8), "is noisy .speech only"),
        (lambda clip: np.clip(clip * 3, -0.6, 0.6), "is clipped"),
        (lambda clip: clip * 0.005, "is too quiet"),
        (lambda clip: np.pad(clip, (0, 2 * len(clip))), "is speech in only 3.%"),
        (
            lambda clip: sum(
                0.1 * np.sin(2 * np.pi * f * np.arange(6 * RATE) / RATE) for f in (262, 330, 392)
            ),
            "hardly any speech",
        ),
    ],
)
def test_what_is_wrong_with_a_clip_is_said(
    clean: Samples, spoil: Callable[[Samples], Samples], reason: str
) -> None:
    import re

    fault = score(spoil(clean).astype(np.float32)).fault
    assert fault is not None and re.search(reason, fault)


def test_clipping_is_noticed_after_resampling(clean: Samples, tmp_path: Path) -> None:
    loud = np.clip(clean / np.abs(clean).max() * 2, -1, 1)
    assert not score(read_clip(write(tmp_path / "ok.wav", clean * 0.9, 48_000))).clipped
    assert score(read_clip(write(tmp_path / "loud.wav", loud, 48_000))).clipped


def test_the_best_clips_come_first_and_the_noisy_stay_out(clean: Samples) -> None:
    clips = [noisy(clean, 17), clean, noisy(clean, 30), clean * 0]
    chosen = best(clips)
    assert chosen[0] is clips[1]
    assert not any(clip is clips[0] or clip is clips[3] for clip in chosen)
    assert sum(map(len, best([clean] * 9))) < 40 * RATE


def test_without_a_fit_clip_the_reasons_are_given(clean: Samples) -> None:
    with pytest.raises(EngineError, match="usable: it is silent; it is noisy"):
        best([clean * 0, noisy(clean, 5)])


def test_clips_are_read_as_mono_at_one_rate(clean: Samples, tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path / "stereo.wav", clean, 44_100, "stereo"))
    assert len(clip) == pytest.approx(len(clean) / 2, abs=2)
    assert clip.dtype == np.float32


def test_what_is_no_clip_is_refused_in_a_sentence(clean: Samples, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no reference clip"):
        read_clip(tmp_path / "absent.wav")
    text = tmp_path / "notes.wav"
    text.write_text("not sound")
    with pytest.raises(EngineError, match="cannot be read"):
        read_clip(text)
    quiet = write(tmp_path / "quiet.wav", clean * 0)
    with pytest.raises(EngineError, match=r"quiet\.wav is silent"):
        read_fit([quiet])
