"""Translators by source language: loaded once, lazily, and never by who waits for them."""

import asyncio

import pytest

from server.config import Config, load
from server.engines.translators import MOST, Translators
from stages.base import EngineError
from tests.helpers.scripted import ScriptedPool, Translator


def _config(*assignments: str) -> Config:
    given = ["languages.source=auto", "languages.target=en", "mt.engine=whisper", *assignments]
    return load(assignments=given, environment={})


def _waiting() -> tuple[Translators, list[str], asyncio.Event]:
    loaded: list[str] = []
    go = asyncio.Event()

    async def slow(config: Config) -> Translator:
        loaded.append(config.source)
        await go.wait()
        if config.source == "fi":
            raise EngineError("no Finnish")
        return Translator()

    return Translators(_config(), slow), loaded, go


async def test_loading_outlives_who_asked_first() -> None:
    translators, loaded, go = _waiting()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await translators.of("de")
    go.set()
    assert await translators.of("de") is await translators.of("de")
    with pytest.raises(EngineError, match="no Finnish"):
        await translators.of("fi")
    assert loaded == ["de", "fi"]


async def test_there_are_not_any_number_of_them() -> None:
    translators, _, go = _waiting()
    go.set()
    for language in ("de", "es", "fr", "it", "nl", "pl", "pt", "ru")[:MOST]:
        await translators.of(language)
    with pytest.raises(EngineError, match="8 languages are translated already"):
        await translators.of("uk")


async def test_nothing_that_is_installed_says_what_to_ask() -> None:
    config = _config("mt.engine=auto", "languages.target=pt")
    lane = await ScriptedPool().lane(config, "session")
    assert isinstance(lane.translator, Translators) and lane.cost == 0
    with pytest.raises(EngineError, match="from Klingon: see livedub languages --source tlh"):
        await lane.translator.of("tlh")
