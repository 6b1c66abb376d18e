"""Reference clips: reading recordings of a voice, and telling which are fit to clone from.

A cloning model reproduces its reference: noise, clipping and music come back in every sentence. So
clips are measured, unfit ones are refused with a reason, and the cleanest of several are used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from stages.base import EngineError
from stream.frames import SPEECH_RATE, Samples
from stream.media.address import address
from stream.sound.loudness import integrated_loudness
from stream.sound.resample import resample

RATE = 22_050
"""Sampling rate of reference clips, Hz: what XTTSv2 conditions on."""

LONGEST_S = 600.0
"""Seconds of a file that are read."""

SHORTEST_SPEECH_S = 3.0
"""Seconds of speech below which a voice cannot be told from another; 6 and more are good."""

GOOD_SPEECH_S, GOOD_SHARE = 6.0, 0.7
"""Seconds of speech in a good clip, and its part of the whole."""

ENOUGH_S = 30.0
"""Seconds of references beyond which more add nothing (XTTSv2 reads at most 30)."""

_WINDOW_SAMPLES = 512
_HIGHEST_SNR_DB = 60.0
# The loudest samples of speech rise 10 to 30 % above those that are nearly as loud; where the
# tops are cut off they do so by 8 % at most, also after resampling has rounded the flat tops.
_LOUDEST, _NEARLY = 0.9995, 0.998
_CLIPPED_CREST = 1.08
_LOWEST_SNR_DB = 15.0
_LOWEST_SHARE = 0.5
_QUIETEST_LUFS = -40.0
_WORSE_DB = 10.0
"""dB of signal-to-noise ratio by which a clip may be noisier than the best of its voice."""


@dataclass(frozen=True, slots=True)
class ClipQuality:
    """What was measured of a clip.

    Attributes:
        duration: seconds.
        speech: seconds of it that are speech.
        snr: level of the speech over that of what is between it, dB, at most 60.
        loudness: of the whole, LUFS (BS.1770); ``-inf`` for silence.
        crest: the level that 0.05 % of the samples exceed, over that which 0.2 % do.
    """

    duration: float
    speech: float
    snr: float
    loudness: float
    crest: float

    @property
    def speech_share(self) -> float:
        """Part of the clip that is speech, 0 to 1."""
        return self.speech / self.duration if self.duration else 0.0

    @property
    def clipped(self) -> bool:
        """Whether the loudest parts are cut off."""
        return self.crest < _CLIPPED_CREST

    @property
    def fault(self) -> str | None:
        """Why the clip is unfit to clone a voice from, as a clause; ``None`` if it is fit."""
        if not math.isfinite(self.loudness) or self.loudness < -70:
            return "is silent"
        if self.speech_share < _LOWEST_SHARE / 2:
            return (
                f"holds hardly any speech ({self.speech:.1f} of {self.duration:.1f} s): music, "
                "noise and silence cannot be cloned"
            )
        if self.speech < SHORTEST_SPEECH_S:
            return (
                f"holds only {self.speech:.1f} s of speech: at least {SHORTEST_SPEECH_S:.0f} s are "
                "needed, and 6 to 20 s are good"
            )
        if self.speech_share < _LOWEST_SHARE:
            return (
                f"is speech in only {self.speech_share:.0%} of its time: cut out the pauses or "
                "the music"
            )
        if self.clipped:
            return "is clipped: record it at a lower level"
        if self.snr < _LOWEST_SNR_DB:
            return (
                f"is noisy (speech only {self.snr:.0f} dB above the rest, {_LOWEST_SNR_DB:.0f} are "
                "needed): noise would be cloned too"
            )
        if self.loudness < _QUIETEST_LUFS:
            return f"is too quiet ({self.loudness:.0f} LUFS, {_QUIETEST_LUFS:.0f} are needed)"
        return None

    @property
    def advice(self) -> str | None:
        """What would make a fit clip a better one, as a clause; ``None`` if nothing would."""
        if self.speech < GOOD_SPEECH_S:
            return (
                f"holds {self.speech:.1f} s of speech: with {GOOD_SPEECH_S:.0f} to 20 s the clone "
                "is more like the voice"
            )
        if self.speech_share < GOOD_SHARE:
            return (
                f"is speech in {self.speech_share:.0%} of its time: what is between it is cloned "
                "too, so cut out pauses and music"
            )
        return None


def read_clip(path: Path) -> Samples:
    """Decode a recording of a voice.

    Args:
        path: any file with sound that FFmpeg reads.

    Returns:
        Mono at ``RATE``, shape ``(n,)``; the first audio track's first ten minutes.

    Raises:
        EngineError: if there is no such file, or no sound in it.
    """
    if not path.is_file():
        raise EngineError(f"There is no reference clip {path}.")
    converter = av.AudioResampler("flt", "mono", RATE)
    blocks: list[Samples] = []
    length = 0
    try:
        with av.open(address(path)) as media:
            if not media.streams.audio:
                raise EngineError(f"The reference clip {path} has no sound.")
            for frame in media.decode(media.streams.audio[0]):
                frame.pts = None
                for made in converter.resample(frame):
                    blocks.append(made.to_ndarray()[0])
                    length += made.samples
                if length > LONGEST_S * RATE:
                    break
            else:
                blocks += [made.to_ndarray()[0] for made in converter.resample(None)]
    except (av.FFmpegError, OSError) as error:
        raise EngineError(
            f"The reference clip {path} cannot be read: {error.strerror or type(error).__name__}."
        ) from error
    clip = np.concatenate([np.zeros(0, np.float32), *blocks])
    if not len(clip):
        raise EngineError(f"The reference clip {path} is empty.")
    return clip


def score(clip: Samples) -> ClipQuality:
    """Measure a clip, shape ``(n,)``, mono at ``RATE``; blocks for about 5 ms a second of it."""
    audio = resample(clip, RATE, SPEECH_RATE)
    windows = np.pad(audio, (0, -len(audio) % _WINDOW_SAMPLES)).reshape(-1, _WINDOW_SAMPLES)
    if not len(windows):
        return ClipQuality(0.0, 0.0, 0.0, -math.inf, math.inf)
    probabilities = get_vad_model()(windows.reshape(-1)).reshape(-1)
    speech = probabilities >= 0.5
    loudest, nearly = np.quantile(np.abs(clip), (_LOUDEST, _NEARLY))
    return ClipQuality(
        duration=len(clip) / RATE,
        speech=float(speech.sum()) * _WINDOW_SAMPLES / SPEECH_RATE,
        snr=_snr(windows, speech, probabilities < 0.2),
        loudness=integrated_loudness(clip, RATE),
        crest=float(loudest / nearly) if nearly > 0 else math.inf,
    )


def best(clips: Sequence[Samples]) -> list[Samples]:
    """The clips of one voice that are worth conditioning on, the cleanest first.

    A clip much noisier than the best one is left out, and so is what goes beyond ``ENOUGH_S``.

    Args:
        clips: mono at ``RATE``.

    Raises:
        EngineError: if none is fit.
    """
    scored = [(score(clip), clip) for clip in clips]
    fit = [(quality, clip) for quality, clip in scored if quality.fault is None]
    if not fit:
        reasons = "; ".join(dict.fromkeys(f"it {quality.fault}" for quality, _ in scored))
        raise EngineError(f"No reference clip of the voice is usable: {reasons or 'none given'}.")
    fit.sort(key=lambda pair: -pair[0].snr)
    chosen: list[Samples] = []
    total = 0.0
    for quality, clip in fit:
        if quality.snr < fit[0][0].snr - _WORSE_DB or total >= ENOUGH_S:
            break
        chosen.append(clip)
        total += quality.duration
    return chosen


def read_fit(paths: Iterable[Path]) -> list[Samples]:
    """Read clips and refuse the unfit by name.

    Raises:
        EngineError: naming the first clip that cannot be read or used, and why.
    """
    clips = []
    for path in paths:
        clip = read_clip(path)
        if fault := score(clip).fault:
            raise EngineError(f"The reference clip {path} {fault}.")
        clips.append(clip)
    return clips


def _snr(windows: Samples, speech: NDArray[np.bool_], rest: NDArray[np.bool_]) -> float:
    """Signal-to-noise ratio, dB; noise is measured in pauses, or else in the gaps of speech.

    The quarter of the pauses with the lowest level counts: breaths, reverberation and the
    edges of words are louder than the noise.
    """
    power = np.square(windows.reshape(len(windows), 4, -1), dtype=np.float64).mean(axis=2)
    if not speech.any():
        return 0.0
    pauses = rest.sum() * _WINDOW_SAMPLES >= 0.25 * SPEECH_RATE
    quiet, share = (power[rest], 0.25) if pauses else (power, 0.05)
    noise = float(np.quantile(quiet, share)) + 1e-12
    signal = max(float(power[speech].mean()) - noise, 1e-12)
    return float(np.clip(10 * np.log10(signal / noise), -20.0, _HIGHEST_SNR_DB))
