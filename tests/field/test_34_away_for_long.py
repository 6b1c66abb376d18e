"""A publisher who was away for minutes ended the session for good when it came back; the session
must show silence and a still picture meanwhile, and be in sync at once afterwards, every time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from server.sessions.live import LiveSession
from stream.clock.playout_clock import PlayoutClock
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.live.connection import Connection, ConnectionStatus, LiveBatch
from stream.live.feed import ORIGINAL
from stream.live.source import LiveSource
from stream.timeline import TICK_RATE
from tests.helpers.live_sessions import at_once, from_file, watch

pytestmark = pytest.mark.virtual_time

SPAN = TICK_RATE // 5
SOUND = np.full((SPAN, 2), 0.1, np.float32)

LATEST = 4.0 + 2.0 + 1.0 + 0.1
"""Seconds: the viewer's delay, for how long there is hope, and what is handed on at a time."""


class CutOff:
    """A publisher whose connection breaks while it speaks."""

    def __init__(self, clip: Clip, until: float) -> None:
        self._inner, self._until = from_file(clip), until
        self.aclose, self.status = self._inner.aclose, self._inner.status

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        async with contextlib.aclosing(self._inner.batches()) as media:
            async for batch in media:
                yield batch
                if batch[-1].end > self._until * TICK_RATE:
                    return


class Plain:
    """Sound and pictures of constant level, a fifth of a second at a time as it passes.

    Args:
        seconds: how long it stays.
        silent: seconds of its stay in which it sends no sound.
    """

    def __init__(self, seconds: int, silent: range = range(0)) -> None:
        self._seconds, self._silent = seconds, silent

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        coded = PictureFormat("vp8", b"", 16, 16)
        for time in range(0, self._seconds * TICK_RATE, SPAN):
            await asyncio.sleep(0.2)
            batch: list[AudioChunk | PicturePacket] = [
                PicturePacket(coded, time, time, True, b"\0")
            ]
            if time // TICK_RATE not in self._silent:
                batch.append(AudioChunk(time, SOUND))
            yield batch

    async def aclose(self) -> None: ...

    def status(self) -> ConnectionStatus:
        return ConnectionStatus("rtmp")


def after(
    seconds: float, connection: Connection
) -> Callable[[], Coroutine[Any, Any, Connection | None]]:
    async def connect() -> Connection | None:
        await asyncio.sleep(seconds)
        return connection

    return connect


def visited(
    clock: PlayoutClock, *visits: Callable[[], Coroutine[Any, Any, Connection | None]]
) -> LiveSource:
    waiting = list(visits)

    async def connect() -> Connection | None:
        return await waiting.pop(0)() if waiting else None

    return LiveSource(connect, clock)


async def given(
    *visits: Callable[[], Coroutine[Any, Any, Connection | None]],
) -> list[tuple[float, AudioChunk | PicturePacket]]:
    """What a source with these visits gives, each with the seconds by which it comes late."""
    clock = PlayoutClock(4.0)
    return await _read(visited(clock, *visits), clock)


async def _read(
    source: LiveSource, clock: PlayoutClock
) -> list[tuple[float, AudioChunk | PicturePacket]]:
    loop, out = asyncio.get_running_loop(), []
    async with contextlib.aclosing(source.batches()) as media:
        async for batch in media:
            if not _absent(batch[0]):
                clock.observe(loop.time(), max(item.end for item in batch))
            out += [(loop.time() - clock.arrival(item.end), item) for item in batch]
    return out


def _absent(item: AudioChunk | PicturePacket) -> bool:
    return isinstance(item, AudioChunk) and item.absent


@pytest.mark.parametrize("minutes", [2, 36])
async def test_an_absence_passes_as_it_lasts_and_the_return_is_in_sync(minutes: int) -> None:
    items = await given(at_once(Plain(3)), after(60 * minutes, Plain(3)))
    sound = [(late, item) for late, item in items if isinstance(item, AudioChunk)]
    assert all(a.end == b.start for (_, a), (_, b) in zip(sound, sound[1:], strict=False))
    heard = [(late, item) for late, item in sound if not item.absent]
    assert len(heard) == 30, "nothing of what was sent is lost"
    assert all(abs(late) < 0.25 for late, _ in heard)
    assert heard[15][1].start / TICK_RATE == pytest.approx(3 + 60 * minutes, abs=0.1)
    # No more than the viewer's delay and a little is ever handed on late, and at once.
    assert max(late for late, _ in sound) < LATEST


async def test_it_is_known_how_long_nobody_had_been_there() -> None:
    clock = PlayoutClock(4.0)
    source = visited(clock, at_once(Plain(3)), after(60, Plain(3)), after(90, Plain(1)))
    await _read(source, clock)
    away = [source.absence(second * TICK_RATE) / TICK_RATE for second in (1, 5, 60, 65, 150, 156)]
    assert away == pytest.approx([0, 2, 57, 0, 84, 0], abs=0.5)
    assert source.absence(400 * TICK_RATE) > 200 * TICK_RATE


async def test_sound_that_stays_away_while_the_picture_goes_on_is_silence_meanwhile() -> None:
    items = await given(at_once(Plain(100, silent=range(10, 90))))
    sound = [(late, item) for late, item in items if isinstance(item, AudioChunk)]
    assert max(late for late, _ in sound) < LATEST
    starts = [item.start / TICK_RATE for _, item in sound if item.samples[0, 0]]
    assert [start for start in starts if start < 80] == [n / 5 for n in range(50)]
    assert [start for start in starts if start > 80] == [n / 5 for n in range(450, 500)]
    assert sum(isinstance(item, PicturePacket) for _, item in items) == 500


async def test_sound_that_can_still_be_heard_is_never_silenced() -> None:
    """Three seconds of absence, then a server that begins with what it kept of them."""
    items = await given(at_once(Plain(3)), after(3.0, Hoarder(2)))
    heard = [
        item for _, item in items if isinstance(item, AudioChunk) and item.samples[0, 0] > 0.15
    ]
    assert sum(len(item.samples) for item in heard) == 2 * TICK_RATE


class Hoarder(Plain):
    """Sends at once what it kept."""

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        for time in range(0, self._seconds * TICK_RATE, SPAN):
            yield [AudioChunk(time, 2 * SOUND)]


async def test_a_session_left_in_mid_sentence_several_times_dubs_on(clip: Clip) -> None:
    word = clip.sentences[0].start + 1.2  # the sentence is not over
    seen = await watch(
        [
            at_once(CutOff(clip, word)),
            after(20.0, CutOff(clip, word)),
            after(45.0, from_file(clip)),
        ]
    )
    assert seen.session is not None and seen.session.clock.restarts == 0
    begun = next(
        block.start
        for block in seen.sound[ORIGINAL]
        if block.start > 60 * TICK_RATE and np.abs(block.samples).max() > 0.01
    )
    shift = begun / TICK_RATE - clip.sentences[0].start
    dubs = [event.start / TICK_RATE - shift for event in seen.events if event.kind == "dub"]
    last = [start for start in dubs if start > 0][-3:]
    assert last == pytest.approx([sentence.start for sentence in clip.sentences], abs=0.2)
    assert seen.fates()[-3:] == ["on_time"] * 3
    assert max(seen.lateness) < 0.1


async def test_a_session_ends_in_peace_while_its_publisher_is_away(clip: Clip) -> None:
    async def end(session: LiveSession) -> None:
        await asyncio.sleep(60.0)
        await session.drain()

    async def never() -> Connection:
        await asyncio.Event().wait()
        raise AssertionError

    word = clip.sentences[0].start + 1.2
    seen = await watch([at_once(CutOff(clip, word)), never], meanwhile=end)
    assert seen.track(ORIGINAL)[: round(word * TICK_RATE)].any()
    assert seen.session is not None and seen.session.position > 50 * TICK_RATE
