"""References from the stream itself: clean speech of each speaker, until there is enough."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from stages.speakers.reference import RATE, score
from stages.speakers.voice_store import write_clip
from stages.temporary import TemporaryFolder
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Samples, Utterance
from stream.sound.resample import resample

ENOUGH_S = 8.0
"""Seconds of speech with which a speaker's voice is cloned; XTTSv2 wants 6 at least."""

LONGEST_S = 20.0
"""Seconds of a reference: one utterance may bring it beyond ``ENOUGH_S``, never beyond this."""

_SHORTEST_S = 1.0
_LOWEST_SNR_DB = 15.0
_LOWEST_COSINE = 0.8
"""Cosine to the speaker's mean below which two people may be talking at once."""

PREFIX = "livedub-voices-"
"""Of folders of clips of which nothing may outlast them."""

log = logging.getLogger(__name__)


def is_collected(clip: Path) -> bool:
    """Whether a clip is of a collection: nothing made of it may outlast it on disk."""
    return clip.parent.name.startswith(PREFIX)


class VoiceCollection:
    """Reference clips of the speakers of one source, made as they speak and deleted at its end."""

    def __init__(self) -> None:
        self._folder: TemporaryFolder | None = None
        self._parts: dict[str, list[Samples]] = {}
        self._paths: dict[str, Path] = {}
        self._worker = Worker("references")

    def path(self, speaker: str) -> str:
        """The speaker's reference clip; empty until there is enough."""
        found = self._paths.get(speaker)
        return str(found) if found else ""

    async def collect(self, utterance: Utterance, nearness: float) -> None:
        """Take an utterance if it is clean and one person's; a fault costs only this utterance.

        Args:
            utterance: labelled.
            nearness: cosine of its voice and the speaker's mean.
        """
        if utterance.speaker in self._paths or nearness < _LOWEST_COSINE:
            return
        try:
            await self._worker.run(lambda: self._take(utterance.speaker, utterance.audio))
        except Exception as error:
            log.warning("no reference from utterance %d: %s", utterance.id, error)

    async def aclose(self) -> None:
        """End the thread and delete the clips."""
        await self._worker.aclose()
        if self._folder is not None:
            self._folder.close()

    def _take(self, speaker: str, audio: Samples) -> None:
        # 16 kHz are enough: XTTSv2 looks at nothing above 8 kHz.
        clip = resample(audio, SPEECH_RATE, RATE)
        quality = score(clip)
        if quality.speech < _SHORTEST_S or quality.snr < _LOWEST_SNR_DB or quality.clipped:
            return
        parts = self._parts.setdefault(speaker, [])
        parts.append(clip)
        if sum(map(len, parts)) < ENOUGH_S * RATE:
            return
        if self._folder is None:
            self._folder = TemporaryFolder(PREFIX)
        path = self._folder.path / f"{speaker}.wav"
        write_clip(path, np.concatenate(self._parts.pop(speaker))[: round(LONGEST_S * RATE)])
        self._paths[speaker] = path
