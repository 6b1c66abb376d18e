"""Which voice speaks for whom: the configured map, or the speakers' own voices."""

from __future__ import annotations

from collections.abc import Mapping

from server.config import Config
from stages.base import EngineError, SpeakerEncoder, Synthesiser
from stages.speakers.voice_collection import VoiceCollection
from stages.speakers.voice_store import usable
from stream.dub.recognition import Speakers
from stream.speech.diarize import Diarizer

AUTO = "auto"


class Casting:
    """The speakers of one source and the voices that they get.

    Args:
        config: checked.
        encoder: tells voices apart; ``None`` where ``speakers.engine`` is none.
    """

    def __init__(self, config: Config, encoder: SpeakerEncoder | None) -> None:
        self._voices = dict(config.tts.voices)
        self._collection: VoiceCollection | None = None
        self.speakers: Speakers | None = None
        """For the pipeline."""
        if encoder is None:
            return
        if config.tts.voice == AUTO:
            self._collection = VoiceCollection()
        diarizer = Diarizer(config.speakers)
        deadline = config.speakers.deadline
        self.speakers = (
            Speakers(encoder.embed, diarizer, deadline, self._collection.collect)
            if self._collection is not None
            else Speakers(encoder.embed, diarizer, deadline)
        )

    def part(self, synthesiser: Synthesiser) -> Part:
        """What one synthesiser needs to know.

        Raises:
            EngineError: if a voice of the map is none of the engine's, or it cannot clone.
        """
        if self._collection is not None and not synthesiser.clones:
            raise EngineError(
                "tts.voice is auto, which clones each speaker's voice, but the configured "
                "tts.engine cannot: choose one that clones, such as xtts."
            )
        named = {label: usable(name, synthesiser) for label, name in self._voices.items()}
        return Part(named, self._collection)

    async def aclose(self) -> None:
        """Delete the speakers' recordings."""
        if self._collection is not None:
            await self._collection.aclose()


class Part:
    """The voice of each speaker, as one synthesiser takes it; see ``Manner.voice``."""

    def __init__(self, named: Mapping[str, str], collection: VoiceCollection | None) -> None:
        self._named = named
        self._collection = collection

    def voice(self, speaker: str) -> str:
        """A voice that the map names comes first, then the speaker's own, then the default."""
        if speaker in self._named or self._collection is None:
            return self._named.get(speaker, "")
        return self._collection.path(speaker)
