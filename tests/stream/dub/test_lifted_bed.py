"""The bed without its speech, from the source through a whole pipeline."""

import asyncio

import numpy as np
import pytest

from stream.clock.pacing import Offline, Pacing, RealTime
from stream.frames import Samples
from stream.sound.mix import MixOptions
from stream.speech.enhancement import SpeechEnhancer
from tests.helpers.dubbing import SPAN
from tests.helpers.station import Station

pytestmark = pytest.mark.virtual_time

FRAME, LATENCY = 480, 1440
MIX = MixOptions(bed="lift", lift=0.0)
SPEECH = [(30, 62)]
UNDER = slice(35 * SPAN, 58 * SPAN)


def three_quarters(takes: float = 0.0, fault: Exception | None = None) -> SpeechEnhancer:
    """Takes three quarters of every sample for speech."""
    memory = np.zeros(LATENCY, np.float32)

    async def enhance(audio: Samples) -> Samples:
        nonlocal memory
        if fault is not None:
            raise fault
        await asyncio.sleep(takes)
        both = np.concatenate([memory, audio * np.float32(0.75)])
        memory = both[len(audio) :]
        return both[: len(audio)]

    return SpeechEnhancer(enhance, FRAME, LATENCY, 1.0)


async def bed_of(pacing: Pacing, enhancer: SpeechEnhancer | None) -> tuple[Samples, Samples]:
    """Source and mix less the dub."""
    station = Station(SPEECH, 150, pacing, mix=MIX, enhancer=enhancer)
    await station.run()
    viewer = station.viewers[0]
    assert viewer.dub.any()
    return station.sound, viewer.sound[:, 0] - viewer.dub


@pytest.mark.parametrize("running", [False, True])
async def test_under_a_dub_the_bed_is_the_original_less_its_speech(running: bool) -> None:
    pacing: Pacing = RealTime(4.0) if running else Offline()
    sound, bed = await bed_of(pacing, three_quarters(0.001))
    assert np.allclose(bed[UNDER], sound[UNDER] / 4, atol=1e-4)
    assert np.allclose(bed[: 28 * SPAN], sound[: 28 * SPAN], atol=1e-6)


@pytest.mark.parametrize("enhancer", [None, three_quarters(fault=RuntimeError("broken"))])
async def test_without_an_enhancer_the_bed_is_ducked(enhancer: SpeechEnhancer | None) -> None:
    sound, bed = await bed_of(Offline(), enhancer)
    assert np.allclose(bed[UNDER], sound[UNDER] * 10 ** (-18 / 20), atol=1e-4)


async def test_offline_a_slow_enhancer_is_waited_for() -> None:
    sound, bed = await bed_of(Offline(), three_quarters(0.5))
    assert np.allclose(bed[UNDER], sound[UNDER] / 4, atol=1e-4)


async def test_live_a_slow_enhancer_holds_up_nothing() -> None:
    sound, bed = await bed_of(RealTime(4.0), three_quarters(0.5))
    assert np.allclose(bed[UNDER], sound[UNDER] * 10 ** (-18 / 20), atol=1e-4)
