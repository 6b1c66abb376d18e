"""eSpeak NG: robotic, in over a hundred languages, without weights."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from stages.base import EngineError
from stages.tts.espeak.library import SAMPLE_RATE, speak, variants, voice_name
from stages.tts.joining import joined
from stages.tts.text import spoken_portions
from stream.flow.worker import Worker
from stream.frames import PLAIN, Manner, Samples
from stream.languages import base

_WORDS_PER_MINUTE = 175
_LIMIT_CHARACTERS = 200
"""Characters spoken in one call: at most about 15 s of speech, made in 30 ms."""
_CHARACTERS_PER_SECOND = {
    "ar": 11.7, "en": 19.5, "fr": 21.2, "hi": 15.4, "ja": 2.7, "ko": 7.7, "pt": 17.3, "th": 9.0,
    "zh": 4.2,
}  # fmt: skip
"""Measured at 175 words a minute, pauses included."""
_OTHERS_CHARACTERS_PER_S = 18.5
"""As measured of Russian and German."""


REGISTERS_HZ = {
    "m8": 85.0, "default": 101.0, "Reed": 115.0, "Nguyen": 148.0,
    "f1": 178.0, "f2": 195.0, "f3": 208.0, "Annie": 239.0,
}  # fmt: skip
"""Median pitch of the variants that speakers are given, the same within a semitone in Portuguese,
English and German: those that are understood best and speak at the usual pace."""


class Espeak:
    """A synthesiser for every language that eSpeak NG reads.

    Args:
        voice: ``default``, or one of eSpeak's variants such as ``f2`` or ``m3``.
        language: ISO 639-1 code, with or without a region.
        model: nothing but ``default``: there are no weights.
        threads: unused, synthesis takes a few milliseconds of one.

    Raises:
        EngineError: if the library, the language or the variant is missing.
    """

    sample_rate = SAMPLE_RATE
    clones = False
    rate_range = (0.8, 1.5)

    def __init__(
        self,
        voice: str = "default",
        language: str = "pt",
        model: str = "default",
        threads: int = 1,
    ) -> None:
        if model != "default":
            raise EngineError(f"tts.model is '{model}', but eSpeak NG has no models; remove it.")
        self._language, self._spelling = voice_name(language), language
        self.check_voice(voice)
        self._voice = voice
        here = {"default", *variants()}
        self.registers = {name: hz for name, hz in REGISTERS_HZ.items() if name in here}
        self.characters_per_second = _CHARACTERS_PER_SECOND.get(
            base(language), _OTHERS_CHARACTERS_PER_S
        )
        self._worker = Worker("espeak")
        speak("1", self._named(voice), _WORDS_PER_MINUTE)

    def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak ``text``, a sentence or clause a piece; see ``Synthesiser``."""
        slowest, fastest = self.rate_range
        chosen = min(max(manner.rate, slowest), fastest)
        return self._worker.stream(lambda: self._pieces(text, chosen, manner.voice))

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` unless it is ``default`` or one of eSpeak's variants."""
        if name != "default" and name not in variants():
            raise EngineError(
                f"eSpeak NG has no voice '{name}', only default, {', '.join(variants())}."
            )

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()

    def _named(self, voice: str) -> str:
        return self._language if voice == "default" else f"{self._language}+{voice}"

    def _pieces(self, text: str, rate: float, voice: str) -> Iterator[Samples]:
        speed, named = round(_WORDS_PER_MINUTE * rate), self._named(voice or self._voice)
        spoken = (
            (portion, speak(portion, named, speed))
            for portion in spoken_portions(text, self._spelling, _LIMIT_CHARACTERS)
        )
        return joined(spoken, SAMPLE_RATE, rate)
