"""Speech parted from its surroundings, once a stream, for all that want it.

An enhancer gives the speech in a mono sound; how much of it is in each channel is told by its
waveform. Playout takes that out of the bed under a dub.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stream.errors import message
from stream.frames import AudioChunk, Samples
from stream.sound.channels import SpeechChannels
from stream.speech.channel_shares import ChannelShares
from stream.timeline import END_OF_TIME, TICK_RATE

log = logging.getLogger(__name__)

REST_S = 5.0
"""After the enhancer has failed or fallen behind, a stream goes without it for this long."""

BEHIND_S = 0.5
"""Seconds by which it may fall behind a live source."""


@dataclass(frozen=True, slots=True)
class SpeechEnhancer:
    """An enhancer, as an engine provides it.

    Attributes:
        enhance: whole frames of mono sound at 48 kHz to the speech in them, late; or raises.
        frame: ticks of a frame.
        latency: ticks, whole frames, by which the speech comes late.
        deadline: wall seconds for one call.
    """

    enhance: Callable[[Samples], Awaitable[Samples]]
    frame: int
    latency: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Enhanced:
    """What is newly known of the source's sound.

    Attributes:
        speech: the part of each channel that is speech, in order; missing where that is not known.
        settled: media time up to which it is known, or never will be, ticks.
    """

    speech: list[AudioChunk]
    settled: int


class Enhancement:
    """Runs an enhancer over a source; where it fails, nothing is known of the speech.

    Args:
        enhancer: of this source alone.
        channels: which of the source's channels speech is taken from.
        live: whether somebody waits, so that what it falls behind is left out.
    """

    def __init__(self, enhancer: SpeechEnhancer, channels: SpeechChannels, *, live: bool) -> None:
        self._enhancer = enhancer
        self._channels = channels
        self._live = live
        self._position = 0
        self._sound: Samples = np.zeros((0, 1), np.float32)
        self._mono: Samples = np.zeros(0, np.float32)
        self._fed = 0
        """Ticks of what waits that the enhancer has been given."""
        self._early = enhancer.latency
        """Ticks that the enhancer still gives before the sound that it was given begins."""
        self._behind = 0.0
        self._resting_until = 0.0
        self._shares: ChannelShares | None = None
        self.skipped = 0
        """Ticks of sound that were not enhanced because the enhancer failed or was late."""

    async def push(self, chunks: Sequence[AudioChunk]) -> Enhanced:
        """Enhance what comes next; what is known is late by the enhancer's latency."""
        self._mono = np.concatenate([self._mono, *(self._channels.mono(c) for c in chunks)])
        sound = [chunk.samples for chunk in chunks]
        self._sound = np.concatenate([self._sound, *sound] if len(self._sound) else sound)
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting_until:
            return self._passed()
        frame = self._enhancer.frame
        ready = (len(self._mono) - self._fed) // frame * frame
        return await self._enhanced(self._mono[self._fed : self._fed + ready])

    async def flush(self) -> Enhanced:
        """The rest of the source; nothing comes after it."""
        waiting = len(self._mono)
        if not self._fed:
            self._passed()
            return Enhanced([], END_OF_TIME)
        frame = self._enhancer.frame
        rest = self._mono[self._fed :]
        silence = self._enhancer.latency + -(len(rest) + self._enhancer.latency) % frame
        enhanced = await self._enhanced(np.pad(rest, (0, silence)), waiting)
        self._passed()
        return Enhanced(enhanced.speech, END_OF_TIME)

    async def _enhanced(self, audio: Samples, most: int | None = None) -> Enhanced:
        if not len(audio):
            return Enhanced([], self._position)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._enhancer.deadline):
                speech = await self._enhancer.enhance(audio)
        except Exception as error:
            log.warning("speech was not parted from its surroundings: %s", message(error))
            return self._rest()
        self._behind = max(0.0, self._behind + clock() - began - len(audio) / TICK_RATE)
        if self._live and self._behind > BEHIND_S:
            log.warning("the enhancer is too slow for now: the bed is ducked instead")
            return self._rest()
        self._fed += len(audio)
        early = min(self._early, len(speech))
        self._early -= early
        return self._parted(speech[early:][:most])

    def _parted(self, speech: Samples) -> Enhanced:
        """Speech that has come, beside the sound that it is the speech of."""
        length = len(speech)
        if not length:
            return Enhanced([], self._position)
        mono, sound = self._mono[:length], self._sound[:length]
        if not np.isfinite(speech).all():
            speech = np.zeros_like(speech)
        if self._shares is None or self._shares.channels != sound.shape[1]:
            self._shares = ChannelShares(sound.shape[1])
        of_channels = self._shares.of(sound, mono, speech)
        return Enhanced([AudioChunk(self._taken(length), of_channels)], self._position)

    def _rest(self) -> Enhanced:
        if self._live:
            self._resting_until = asyncio.get_running_loop().time() + REST_S
        return self._passed()

    def _passed(self) -> Enhanced:
        """Nothing will be known of all that waits; what comes next is enhanced anew."""
        self._fed, self._early, self._behind = 0, self._enhancer.latency, 0.0
        self.skipped += len(self._mono)
        self._taken(len(self._mono))
        return Enhanced([], self._position)

    def _taken(self, length: int) -> int:
        start = self._position
        self._position += length
        self._mono, self._sound = self._mono[length:], self._sound[length:]
        self._fed = max(0, self._fed - length)
        return start
