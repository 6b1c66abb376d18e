"""Which voice speaks for whom: the configured map, voices that suit, or the speakers' own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import cached_property

from server.config import AUTO, Config
from stages.base import EngineError, SeveralVoices, SpeakerEncoder, Synthesiser
from stages.options import MATCH
from stages.speakers.cast import Cast
from stages.speakers.voice_collection import VoiceCollection
from stages.speakers.voice_store import usable
from stream.dub.recognition import Speakers
from stream.errors import message
from stream.flow.worker import Worker
from stream.frames import Embedding, Samples, Utterance
from stream.sound.pitch import Register, register_of
from stream.speech.diarize import Diarizer
from stream.speech.registers import RegisterDiarizer, as_embedding

PATIENCE = 0.75
"""Share of the deadline after which a voice is not waited for where the register is known."""

log = logging.getLogger(__name__)


class Casting:
    """The speakers of one source and the voices that they get.

    Args:
        config: checked.
        encoder: tells voices apart; where there is none, registers do if voices are to match.
    """

    def __init__(self, config: Config, encoder: SpeakerEncoder | None) -> None:
        self._options = config.speakers
        self._encoder = encoder
        self._named = dict(config.tts.voices)
        self._matches = config.tts.voice == MATCH and config.speakers.engine != "none"
        self._casts: list[Cast] = []
        self._register: Register | None = None  # of the newest utterance
        self._worker = Worker("registers")
        cloned = encoder is not None and config.tts.voice == AUTO
        self._collection = VoiceCollection() if cloned else None

    def part(self, synthesiser: Synthesiser) -> Part:
        """What one synthesiser needs to know; asked before ``speakers``.

        Raises:
            EngineError: if a voice of the map is none of the engine's, or it cannot clone.
        """
        if self._collection is not None and not synthesiser.clones:
            raise EngineError(
                "tts.voice is auto, which clones each speaker's voice, but the configured "
                "tts.engine cannot: choose one that clones, such as xtts."
            )
        named = {label: usable(name, synthesiser) for label, name in self._named.items()}
        if self._collection is not None:
            path = self._collection.path
            return Part(named, lambda speaker, time: path(speaker))
        several = synthesiser.registers if isinstance(synthesiser, SeveralVoices) else {}
        if not self._matches or len(several) < 2:
            return Part(named)
        cast = Cast(several)
        self._casts.append(cast)
        return Part(named, cast.voice)

    @cached_property
    def speakers(self) -> Speakers | None:
        """What tells speakers apart; ``None`` where nothing depends on who speaks."""
        options, encoder = self._options, self._encoder
        if self._casts:
            sorter = RegisterDiarizer(options)
            return Speakers(self._embed, sorter, options.deadline, self._heard)
        if encoder is None or not options.enabled:
            return None
        collect = [self._collection.collect] if self._collection is not None else []
        return Speakers(encoder.embed, Diarizer(options), options.deadline, *collect)

    async def aclose(self) -> None:
        """Delete the speakers' recordings."""
        await self._worker.aclose()
        if self._collection is not None:
            await self._collection.aclose()

    async def _embed(self, audio: Samples) -> Embedding:
        """Register and, where there is an encoder, voice; it may fail, the register remains."""
        register = self._register = await self._worker.run(lambda: register_of(audio))
        voice = None
        if self._encoder is not None:
            try:
                async with asyncio.timeout(PATIENCE * self._options.deadline):
                    voice = await self._encoder.embed(audio)
            except Exception as error:
                log.warning("a speaker is told by register alone: %s", message(error))
        return as_embedding(register, voice)

    async def _heard(self, utterance: Utterance, nearness: float) -> None:
        """Recognition goes on utterance by utterance: the newest register is this one's."""
        for cast in self._casts:
            cast.heard(utterance.speaker, utterance.slot.start, self._register)


class Part:
    """The voice of each speaker, as one synthesiser takes it; see ``Manner.voice``."""

    def __init__(
        self,
        named: Mapping[str, str],
        found: Callable[[str, int], str] = lambda speaker, time: "",
    ) -> None:
        self._named = named
        self._found = found

    def voice(self, speaker: str, time: int) -> str:
        """A voice that the map names comes first, then the one found, then the engine's own.

        Args:
            speaker: label.
            time: media time at which they speak, ticks.
        """
        if speaker in self._named:
            return self._named[speaker]
        return self._found(speaker, time)
