"""How speech sounds: DNSMOS P.835, a model of what listeners say of signal, background and whole.

Reddy, Gopal, Cutler: DNSMOS P.835: A Non-Intrusive Perceptual Objective Speech Quality Metric to
Evaluate Noise Suppressors, ICASSP 2022. The network is the one in the package ``speechmos`` (MIT),
run by onnxruntime; the package's code, which needs librosa, is not imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.weights.resolve import resolve
from stream.frames import SPEECH_RATE, Samples

WINDOW = round(9.01 * SPEECH_RATE)
"""Samples that one verdict is about."""

_HOP_S = 3
"""Seconds from one verdict to the next: each takes 0.4 s of work. The authors make one a second."""
# What the network says of signal, background and the whole, to the scale of listeners: coefficients
# of the model's authors, highest power first.
_SCALES = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)


@dataclass(frozen=True, slots=True)
class Mos:
    """Mean opinion scores, 1 (bad) to 5 (excellent).

    Attributes:
        signal: how little the speech itself is distorted.
        background: how little the background disturbs.
        overall: of the whole.
    """

    signal: float
    background: float
    overall: float


class Dnsmos:
    """The network, on one thread.

    Raises:
        EngineError: if its weights are not here.
    """

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path, providers = str(resolve("dnsmos-p835")), ["CPUExecutionProvider"]
        self._network: Any = onnxruntime.InferenceSession(path, options, providers=providers)

    def rate(self, audio: Samples) -> Mos | None:
        """The mean over windows of 9 s; ``None`` for no sound at all.

        Args:
            audio: speech, mono at ``SPEECH_RATE``, shape ``(n,)``; repeated if it is shorter.
        """
        if not np.any(audio):
            return None
        sound = np.clip(audio, -1, 1)
        while len(sound) < WINDOW:
            sound = np.concatenate([sound, sound])
        starts = range(0, len(sound) - WINDOW + 1, _HOP_S * SPEECH_RATE)
        said = [self._network.run(None, {"input_1": _window(sound, start)})[0][0]
                for start in starts]  # fmt: skip
        scores = [
            float(np.polyval(scale, column).mean())
            for scale, column in zip(_SCALES, np.array(said, np.float64).T, strict=True)
        ]
        return Mos(*scores)


def _window(sound: Samples, start: int) -> Samples:
    return sound[None, start : start + WINDOW].astype(np.float32)
