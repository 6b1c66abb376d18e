"""XTTS's vocoder in pieces that equal the whole.

HiFi-GAN (Kong et al. 2020, arXiv 2010.05646) reads a few frames to either side of each one. What
is new is computed with that much of its surroundings and those are thrown away again: no seam,
no cross-fade, and a cost that grows with the length and not with its square.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from stream.frames import Samples

_REACH_FRAMES = 16
"""Frames that the network reads to either side; 13.3 by its kernels and dilations."""


class PiecewiseVocoder:
    """Turns the latents of one sentence into sound as they come.

    Args:
        decoder: ``TTS.tts.layers.xtts.hifigan_decoder.HifiDecoder``.
        speaker: embedding of the voice, shape ``(1, 512, 1)``.
        rate: speaking rate; the latents are stretched by its inverse.
    """

    def __init__(self, decoder: Any, speaker: Any, rate: float) -> None:
        self._decoder = decoder
        self._speaker = speaker
        self._stretch = 1 / rate
        self._hop: int = decoder.output_hop_length
        self._latents: list[Any] = []
        self._done = 0
        per_latent = decoder.ar_mel_length_compression / decoder.output_hop_length
        per_latent *= self._stretch * decoder.output_sample_rate / decoder.input_sample_rate
        # Interpolation leans on the next latent, at each of its steps.
        self._unsure = _REACH_FRAMES + math.ceil(per_latent) + 3

    def add(self, latents: Any) -> None:
        """The next latent, shape ``(1, width)``."""
        self._latents.append(latents)

    def cut(self, count: int | None) -> None:
        """Forget all latents after the first ``count``, as far as they were not yet spoken."""
        if count is not None:
            del self._latents[count:]

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def take(self, *, final: bool = False) -> Samples:
        """Sound that no later latent can change; with ``final`` all that is left."""
        if not self._latents:
            return np.zeros(0, np.float32)
        frames = self._frames()
        total = frames.shape[-1]
        end = total if final else max(self._done, total - self._unsure)
        if end <= self._done:
            return np.zeros(0, np.float32)
        first, last = max(0, self._done - _REACH_FRAMES), min(total, end + _REACH_FRAMES)
        wave = self._decoder.waveform_decoder(frames[..., first:last], g=self._speaker)
        new = wave[0, 0, (self._done - first) * self._hop : (end - first) * self._hop]
        self._done = end
        sound: Samples = new.float().cpu().numpy()
        return sound

    def _frames(self) -> Any:
        """Latents at the vocoder's frame rate, shape ``(1, width, frames)``."""
        decoder = self._decoder
        value = torch.cat(self._latents)[None].transpose(1, 2)
        scales = [
            self._stretch,
            decoder.ar_mel_length_compression / decoder.output_hop_length,
            decoder.output_sample_rate / decoder.input_sample_rate,
        ]
        for scale in scales:
            if int(value.shape[-1] * scale) == 0:
                return value[..., :0]
            if scale != 1.0:
                value = functional.interpolate(value, scale_factor=scale, mode="linear")
        return value
