"""Piper: small VITS voices, one language each."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from piper import PiperConfig, PiperVoice, SynthesisConfig

from stages.base import EngineError
from stages.tts.joining import joined
from stages.tts.text import spoken_portions
from stages.weights.resolve import resolve
from stream.flow.worker import Worker
from stream.frames import PLAIN, SPEECH_RATE, Manner, Samples
from stream.languages import among, same_language
from stream.sound.pitch import register_of
from stream.sound.resample import resample

_LIMIT_CHARACTERS = 160
"""Characters in one run of the network: about 9 s of speech."""
_EMBEDDED = {"en": "joe"}
"""Voices that come as pip packages, by language."""
# Piper rounds each phoneme up to whole frames, so its length scale stretches less than it
# says; the same within 3 % for all texts tried.
_STRETCH = (0.56, 0.62, 0.66, 0.735, 0.87, 0.95, 1.0, 1.02, 1.10, 1.245, 1.42, 1.56)
_SCALE = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 1.8)
_CAST = 12
"""Speakers of a model, of hundreds in some, among whom voices are chosen that suit."""
_PHRASE = "1, 2, 3, 4, 5."
"""What each of them says to show how high they speak."""
_HEADROOM = 1.4
"""Gain on Piper's raw level, which peaks near 0.6."""


class Piper:
    """A synthesiser for one Piper voice.

    Args:
        voice: path of an ``.onnx`` with its ``.onnx.json``, ``owner/name:file.onnx`` on the hub,
            or ``joe``; ``default`` is the embedded voice of the language. With ``model``, the
            name of a speaker in it.
        language: ISO 639-1 code of the text, with or without a region.
        model: the same as ``voice``, for voices with many speakers.
        threads: of the CPU.

    Raises:
        EngineError: if the voice cannot be loaded or speaks another language.
    """

    rate_range = (0.8, 1.3)
    clones = False
    characters_per_second = 19.5

    def __init__(
        self,
        voice: str = "default",
        language: str = "en",
        model: str = "default",
        threads: int = 2,
    ) -> None:
        name, speaker = (voice, "default") if model == "default" else (model, voice)
        config, session = _load(_reference(name, language), threads)
        if not same_language(config.espeak_voice, language):
            raise EngineError(
                f"The Piper voice '{name}' speaks '{config.espeak_voice}', not '{language}'; "
                "set tts.voice to one of that language."
            )
        self._config, self._name, self._language = config, name, language
        self._speaker = _speaker_id(config, name, speaker)
        self._voice = PiperVoice(session=session, config=config)
        self.sample_rate: int = config.sample_rate
        self._worker = Worker("piper")
        self._speak("1", 1.0, self._speaker)
        open_ = model != "default" and voice == "default"
        self.registers = self._registers() if open_ else {}

    def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak ``text``, a sentence or clause a piece; see ``Synthesiser``."""
        slowest, fastest = self.rate_range
        chosen = min(max(manner.rate, slowest), fastest)
        return self._worker.stream(lambda: self._pieces(text, chosen, manner.voice))

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` unless it is ``default`` or a speaker of the model's."""
        _speaker_id(self._config, self._name, name)

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()

    def _registers(self) -> dict[str, float]:
        """Median pitch of the first speakers, Hz; takes about a second."""
        found = {}
        for name, speaker in list(self._config.speaker_id_map.items())[:_CAST]:
            said = resample(self._speak(_PHRASE, 1.0, speaker), self.sample_rate, SPEECH_RATE)
            if (register := register_of(said)) is not None:
                found[name] = register.hz
        return found

    def _pieces(self, text: str, rate: float, voice: str) -> Iterator[Samples]:
        speaker = _speaker_id(self._config, self._name, voice) if voice else self._speaker
        # Double brackets would be taken for phonemes.
        plain = text.replace("[[", "[").replace("]]", "]")
        spoken = (
            (portion, self._speak(portion, rate, speaker))
            for portion in spoken_portions(plain, self._language, _LIMIT_CHARACTERS)
        )
        return joined(spoken, self.sample_rate, rate)

    def _speak(self, text: str, rate: float, speaker: int | None) -> Samples:
        scale = float(np.interp(1 / rate, _STRETCH, _SCALE))
        settings = SynthesisConfig(
            speaker_id=speaker,
            length_scale=self._voice.config.length_scale * scale,
            # The graph's noise cannot be seeded. Without it speech is as clear (measured by
            # recognising it) and the same text always takes the same time.
            noise_scale=0.0,
            noise_w_scale=0.0,
            # Else each portion is raised to full scale, short ones most.
            normalize_audio=False,
            volume=_HEADROOM,
        )
        chunks = [chunk.audio_float_array for chunk in self._voice.synthesize(text, settings)]
        return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


def _reference(name: str, language: str) -> str:
    if name != "default":
        return name
    if (known := among(language, _EMBEDDED)) is not None:
        return _EMBEDDED[known]
    raise EngineError(
        f"No Piper voice for '{language}' comes with livedub: set tts.voice to the path of one, "
        "or to rhasspy/piper-voices:path/to/voice.onnx."
    )


def _load(reference: str, threads: int) -> tuple[PiperConfig, onnxruntime.InferenceSession]:
    path = resolve(reference)
    config_path = Path(f"{path}.json")
    if ":" in reference and not config_path.exists():
        config_path = resolve(f"{reference}.json")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        config = PiperConfig.from_dict(json.loads(config_path.read_text(encoding="utf-8")))
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors derive from nothing narrower
        raise EngineError(
            f"'{reference}' is no Piper voice (an .onnx with its .onnx.json beside it): {error}."
        ) from error
    return config, session


def _speaker_id(config: PiperConfig, name: str, speaker: str) -> int | None:
    if speaker == "default":
        return None
    known: dict[str, int] = dict(config.speaker_id_map)
    if speaker not in known:
        choices = ", ".join(sorted(known)[:20]) or "none, it has one speaker"
        raise EngineError(f"The Piper voice '{name}' has no speaker '{speaker}', only: {choices}.")
    return known[speaker]
