"""Engines elsewhere are engines: contracts, deadlines, voices, and what serves instead of them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

from server.cluster.clips import recordings
from server.cluster.recipe import config_of, recipe_of
from server.cluster.records import Failure
from server.config import Config
from server.engines.options import options_of
from server.engines.pool import EnginePool, LaneEngines
from stages.base import EngineError, SpeechTranslator
from stream.clock.due import DUE
from stream.dub.job import TooLate
from stream.frames import Manner, Samples
from tests.helpers.near_link import ENGINES, NearLink, cluster_config, near_models
from tests.helpers.remote_engines import RATE, voice_mark

GONE = Failure("it is gone", lost=True)


@contextlib.asynccontextmanager
async def _lane(
    config: Config, down: Failure | None = None
) -> AsyncGenerator[tuple[LaneEngines, NearLink, EnginePool], None]:
    models, link = near_models(config)
    link.down = down
    pool = EnginePool(elsewhere=models)
    try:
        yield await pool.lane(config, "session"), link, pool
    finally:
        await pool.aclose()


async def _spoken(pieces: AsyncGenerator[Samples, None]) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *[piece async for piece in pieces]])


async def test_engines_elsewhere_keep_the_contracts() -> None:
    config = cluster_config()
    async with _lane(config) as (lane, link, pool):
        assert await lane.translator.translate("hello") == "pt: HELLO"
        assert [r.text for r in await lane.translator.alternatives("abc", 2)] == ["A", "AB"]
        assert await lane.translator.continuations("a", "b", 2) == []  # it cannot
        assert lane.synthesiser.sample_rate == RATE and lane.synthesiser.clones
        speech = await _spoken(lane.synthesiser.synthesise("one two"))
        assert len(speech) == 2 * RATE // 10 and lane.pace > 0
        audio = np.full(100, 0.25, np.float32)
        audio.flags.writeable = False
        recogniser = (await pool.source(config, "session")).recogniser
        heard = await recogniser.recognise(audio, words=True)
        assert heard.text == "100 float32 0.500 True"
        assert {request.owner for request in link.asked if request.method} == {"session"}


async def test_a_translator_of_speech_is_one_elsewhere_too() -> None:
    config = cluster_config(f"mt.engine={ENGINES}:BySound")
    async with _lane(config) as (lane, _, _):
        assert isinstance(lane.translator, SpeechTranslator) and lane.cost == 0.4
        speech = np.zeros(7, np.float32)
        assert await lane.translator.translate_speech(speech, "Sim,") == "7 after Sim,"


async def test_an_engines_fault_is_told_and_one_that_cannot_be_made_ends_the_session() -> None:
    async with _lane(cluster_config()) as (lane, _, _):
        with pytest.raises(EngineError, match="that cannot be said"):
            await lane.translator.translate("fail")
    with pytest.raises(EngineError, match=r"the model is broken: .* \(said by a node"):
        async with _lane(cluster_config("mt.model=broken")):
            pass


@pytest.mark.virtual_time
async def test_what_cannot_be_in_time_is_refused_at_once() -> None:
    async with _lane(cluster_config("playout.max_late=0.1")) as (lane, link, _):
        await lane.translator.translate("sleep 0.1")  # from which it learns how long it takes
        now = asyncio.get_running_loop().time()
        DUE.set(now + 0.005)
        first = asyncio.create_task(lane.translator.translate("sleep 0.1"))
        await asyncio.sleep(0)
        with pytest.raises(TooLate, match="the cluster refuses: it would wait"):
            await lane.translator.translate("sleep 0.1")
        assert asyncio.get_running_loop().time() == now
        assert await first == "pt: SLEEP 0.1"
        assert 0 < link.asked[-1].worth - link.asked[-1].left <= 0.11


async def test_a_call_given_up_is_cancelled_at_its_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEDUB_TEST_CANCELLED", str(tmp_path / "cancelled"))
    async with _lane(cluster_config()) as (lane, _, _):
        speaking = asyncio.ensure_future(_spoken(lane.synthesiser.synthesise("slow a b")))
        await asyncio.sleep(0.05)
        speaking.cancel()
        await asyncio.wait({speaking})
        assert (tmp_path / "cancelled").read_text() == "slow a b"
        assert await lane.translator.translate("next") == "pt: NEXT"


async def test_while_there_is_none_another_serves_and_then_it_is_back() -> None:
    config = cluster_config("cluster.fallback={tts: espeak, mt: none}")
    async with _lane(config, down=GONE) as (lane, link, _):
        assert await lane.translator.translate("hello") == "hello"
        robot = await _spoken(lane.synthesiser.synthesise("hello"))
        assert lane.synthesiser.sample_rate == 22_050 and len(robot) > 5000
        link.down = None
        assert await lane.translator.translate("hello") == "pt: HELLO"
        speech = await _spoken(lane.synthesiser.synthesise("one"))
        assert abs(len(speech) - 2205) < 5 and speech.mean() == pytest.approx(0.25, abs=0.01)
        link.down = GONE
        assert len(await _spoken(lane.synthesiser.synthesise("hello"))) == len(robot)


async def test_without_another_the_original_is_heard_and_then_it_is_back() -> None:
    async with _lane(cluster_config(), down=GONE) as (lane, link, _):
        with pytest.raises(EngineError, match="there is no mt on the cluster: it is gone"):
            await lane.translator.translate("hello")
        link.down = None
        assert await lane.translator.translate("hello") == "pt: HELLO"


async def test_cloned_voices_travel_by_what_is_in_them(tmp_path: Path) -> None:
    clip = tmp_path / "anna.wav"
    clip.write_bytes(b"one voice")
    config = cluster_config("tts.voices={S1: bob}", "speakers.engine=ge2e")
    async with _lane(config) as (lane, link, _):
        manner = Manner(voice=str(clip))
        speech = await _spoken(lane.synthesiser.synthesise("one", manner))
        assert speech.mean() == pytest.approx(voice_mark(clip), abs=1e-4)
        first = link.asked[-1].voice
        assert first is not None and link.asked[-1].arguments[1].voice == ""
        clip.write_bytes(b"another voice")
        speech = await _spoken(lane.synthesiser.synthesise("one", manner))
        assert speech.mean() == pytest.approx(voice_mark(clip), abs=1e-4)
        assert link.asked[-1].voice != first
        with pytest.raises(EngineError, match="there is no voice 'bob'"):
            lane.synthesiser.check_voice("bob")
    assert recordings("an engine's own") == ()


def test_a_recipe_makes_what_the_configuration_makes() -> None:
    settings = (
        ("tts.engine=xtts", "xtts.seed=7", "languages.target=es"),
        ("tts.engine=piper", "tts.voice=joe", "tts.deadline=5"),
        ("mt.engine=whisper", "languages.target=en", "languages.source=de", "asr.model=small"),
        ("asr.model=tiny", "asr.beam_size=3", "languages.source=auto", "mt.engine=bergamot"),
    )
    for given in settings:
        config = cluster_config(*given)
        here = config.model_copy(update={"cluster": Config().cluster})
        for kind in ("asr", "mt", "tts", "speakers"):
            if getattr(config, kind).engine not in ("auto", "none"):
                recipe = recipe_of(kind, config)
                assert options_of(kind, config_of(recipe)) == options_of(kind, here)
    one, other = (cluster_config(f"tts.deadline={n}", f"serve.port={n}") for n in (5, 6))
    assert recipe_of("tts", one) == recipe_of("tts", other)
