import asyncio
import contextlib
import gc
import os
from types import SimpleNamespace

import numpy as np
import pytest

import server.engines.shared
from server.config import load
from server.engines.options import options_of
from server.engines.pool import EnginePool
from server.engines.shared import FAULTS, SharedEngine
from stages.base import EngineError, SpeechTranslator
from tests.helpers.scripted import ScriptedPool


class _BySound:
    cost = 0.4

    async def translate_speech(self, speech: np.ndarray, spoken: str = "") -> str:
        return f"{len(speech)} samples{spoken}"

    async def aclose(self) -> None: ...


async def test_a_translator_of_speech_stays_one_and_tells_its_cost() -> None:
    lane = await ScriptedPool(translator=_BySound()).lane(load(environment={}), "session")
    assert isinstance(lane.translator, SpeechTranslator) and lane.cost == 0.4
    speech = np.zeros(7, np.float32)
    assert await lane.translator.translate_speech(speech) == "7 samples"
    assert await lane.translator.translate_speech(speech, " and more") == "7 samples and more"
    assert (await ScriptedPool().lane(load(environment={}), "session")).cost == 0


def test_translation_by_sound_uses_the_model_of_recognition_if_it_can() -> None:
    def model(*assignments: str) -> tuple[str, int]:
        given = ["mt.engine=whisper", "languages.target=en", "languages.source=de", *assignments]
        _, options = options_of("mt", load(assignments=given, environment={}))
        return options["model"], options["threads"]

    assert model("asr.model=small", "asr.threads=1") == ("small", 1)
    assert model("asr.model=turbo")[0] == model("asr.model=tiny.en")[0] == "default"
    assert model("asr.model=small", "mt.model=base")[0] == "base"


async def _nothing() -> None:
    """Closes."""


async def _call(shared: SharedEngine, takes: float, deadline: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline), shared.use("session"):
            await asyncio.sleep(takes)


@pytest.mark.parametrize(("usual", "restarts"), [(0.0, 1), (0.05, 0)])
async def test_a_call_given_up_is_a_fault_only_if_it_took_far_longer_than_usual(
    usual: float, restarts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine's engine is slow, not broken; reloading it would take what is left."""
    engine = SimpleNamespace(aclose=_nothing)
    monkeypatch.setattr(server.engines.shared, "HUNG_S", 0.02)
    monkeypatch.setattr(server.engines.shared, "LONGEST_S", 0.5)
    monkeypatch.setattr(server.engines.shared, "create", lambda *_, **__: engine)
    restarted: list[str] = []

    shared = SharedEngine("tts", "scripted", {}, engine, restarted.append)
    for _ in range(12):
        await _call(shared, usual, 5)
    for _ in range(FAULTS):
        await _call(shared, 5, 0.06)
    await asyncio.sleep(0.1)
    assert len(restarted) == restarts
    for _ in range(FAULTS):
        await _call(shared, 5, 0.6)
    await asyncio.sleep(0.1)
    assert restarted == ["tts"] * (restarts + 1)


@pytest.mark.parametrize(("cores", "threads"), [({0}, 1), ({0, 2, 5}, 2)])
def test_an_engine_gets_no_more_threads_than_cores(
    cores: set[int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
    config = load(assignments=["asr.threads=2"], environment={})
    for kind in ("asr", "mt", "tts"):
        assert options_of(kind, config)[1]["threads"] == threads


def test_of_several_engines_that_cannot_be_loaded_one_is_reported_and_none_logged() -> None:
    logged: list[object] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: logged.append(told))
        pool = EnginePool()
        # Neither Bergamot nor eSpeak NG knows the language.
        config = load(
            assignments=["languages.target=aa", "mt.engine=bergamot", "tts.engine=espeak"],
            environment={},
        )
        with pytest.raises(EngineError, match="cannot turn 'en' into 'aa'"):
            await pool.lane(config, "file")
        await pool.aclose()

    asyncio.run(run())
    gc.collect()
    assert not logged
