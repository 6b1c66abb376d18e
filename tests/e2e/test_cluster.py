"""Models on a real Ray cluster of two nodes: calls, and what is killed while they go on."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sleeping
from benchmarks.demo_clip import Clip
from server.batch.results import NAME
from server.batch.workers import Workers
from server.cli import main
from server.cluster.models import ClusterModels
from server.config import Config
from server.engines.pool import EnginePool
from stages.base import MultilingualRecogniser, Recogniser, Synthesiser
from stream.frames import Manner
from tests.helpers.near_link import SETTINGS, cluster_config
from tests.helpers.ray_cluster import RayCluster
from tests.helpers.remote_engines import RATE, voice_mark

SPEECH = np.full(6 * 16_000, 0.25, np.float32)

# Ray's own deprecations are its own.
pytestmark = pytest.mark.filterwarnings("ignore")

# Of the two nodes each has a replica that recognises.
DEPLOYED = (
    "cluster.asr={replicas: 2, num_cpus: 0.6}",
    "cluster.tts={num_cpus: 0.4}",
    "cluster.mt=null",
)


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Generator[RayCluster, None, None]:
    """The nodes, and the models on them."""
    mark = tmp_path_factory.mktemp("cluster") / "cancelled"
    with RayCluster(mark) as cluster:
        cluster.run("up", *_settings(cluster))
        yield cluster


def _settings(ray: RayCluster) -> list[str]:
    return [*SETTINGS[1:], f"cluster.address={ray.address}", *DEPLOYED]


@contextlib.asynccontextmanager
async def _engines(ray: RayCluster) -> AsyncGenerator[tuple[Recogniser, Synthesiser], None]:
    config: Config = cluster_config(*_settings(ray), "mt.engine=none")
    models = ClusterModels(config)
    models.start()
    pool = EnginePool(elsewhere=models)
    try:
        async with asyncio.timeout(120):  # after what was killed in the test before
            while any(one.failure for one in models.standing):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        source, lane = await pool.source(config, "session"), await pool.lane(config, "session")
        await source.detector.aclose()
        yield source.recogniser, lane.synthesiser
    finally:
        await pool.aclose()
        await models.aclose()


async def _replicas(recogniser: Recogniser) -> set[int]:
    heard = await asyncio.gather(*[recogniser.recognise(SPEECH) for _ in range(20)])
    return {int(transcript.language) for transcript in heard}


async def test_calls_streams_voices_and_cancellation_reach_the_replicas(
    ray: RayCluster, tmp_path: Path
) -> None:
    told = ray.run("status", *_settings(ray))
    assert told["running"] and told["kinds"]["asr"]["replicas"] == {"running": 2}
    async with _engines(ray) as (recogniser, synthesiser):
        heard = await recogniser.recognise(SPEECH, words=True)
        assert heard.text == "96000 float32 0.500 True" and SPEECH[0] == 0.25
        assert len(await _replicas(recogniser)) == 2
        clip = tmp_path / "anna.wav"
        clip.write_bytes(bytes(300_000))
        pieces = [p async for p in synthesiser.synthesise("a b", Manner(voice=str(clip)))]
        assert [len(piece) for piece in pieces] == [RATE // 10, RATE // 10]
        assert pieces[0].mean() == pytest.approx(voice_mark(clip), abs=1e-4)
        given_up = synthesiser.synthesise("slow down please slow")
        assert len(await anext(given_up)) == RATE // 10
        await given_up.aclose()
        await ray.marked("slow down")


async def test_a_replica_killed_in_a_call_costs_no_dub_that_has_time(ray: RayCluster) -> None:
    async with _engines(ray) as (recogniser, synthesiser):
        there = await _replicas(recogniser)
        assert isinstance(recogniser, MultilingualRecogniser)
        slow = [recogniser.recognise_in(SPEECH, "slow") for _ in range(6)]
        calls = [asyncio.create_task(call) for call in slow]
        await asyncio.sleep(0.3)
        os.kill(there.pop(), signal.SIGKILL)
        assert [one.language for one in await asyncio.gather(*calls)] == ["slow"] * 6
        await asyncio.to_thread(ray.kill_controller)
        assert (await recogniser.recognise(SPEECH)).text
        assert [p async for p in synthesiser.synthesise("a")]


async def test_a_node_that_dies_costs_what_is_under_way_at_most(ray: RayCluster) -> None:
    async with _engines(ray) as (recogniser, _):
        for _ in range(200):  # the one that was killed is started again
            if len(await _replicas(recogniser)) == 2:
                break
            await asyncio.sleep(0.5)
        await asyncio.to_thread(ray.kill_node)
        lost = 0
        for _ in range(40):
            try:
                async with asyncio.timeout(3):
                    await recogniser.recognise(SPEECH)
            except Exception:
                lost += 1
            await asyncio.sleep(0.1)
        assert lost <= 1


def test_down_takes_them_away(ray: RayCluster, capsys: pytest.CaptureFixture[str]) -> None:
    ray.run("down", *_settings(ray))
    assert not ray.run("status", *_settings(ray))["running"]
    assert main(["cluster", "status"]) == 2
    assert "no cluster is configured: set cluster.address" in capsys.readouterr().err


def test_files_of_a_batch_are_tasks_of_the_cluster(
    ray: RayCluster, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    monkeypatch.delattr(Workers, "do")  # nobody here dubs
    settings = [f"cluster.address={ray.address}", *sleeping.SETTINGS]
    given = [word for setting in settings for word in ("--set", setting)]
    assert main(["batch", str(clip.path), str(broken), "--out", str(tmp_path), *given]) == 1
    told = {Path(one["input"]): one for one in json.loads((tmp_path / NAME).read_text())["files"]}
    assert told[clip.path]["state"] == "finished"
    assert told[clip.path]["summary"]["utterances"] == len(clip.sentences)
    assert (tmp_path / told[clip.path]["output"]).stat().st_size > 10_000
    assert told[broken]["state"] == "failed" and "broken.mp4" in told[broken]["error"]
