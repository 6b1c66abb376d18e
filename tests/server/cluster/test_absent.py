"""A daemon whose cluster is not there starts all the same, and says what is away."""

import socket

import httpx
import pytest

from server.cli import main
from server.http.app import create_app
from server.sessions.daemon import Daemon
from tests.helpers.near_link import cluster_config


@pytest.fixture
def nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


async def test_a_daemon_without_its_cluster_is_degraded(nobody: str) -> None:
    config = cluster_config(
        f"cluster.address={nobody}", "cluster.fallback={tts: espeak}", "serve.rtmp_port=null"
    )
    daemon = Daemon(config)
    await daemon.start()
    try:
        http = httpx.ASGITransport(app=create_app(daemon))
        async with httpx.AsyncClient(transport=http, base_url="http://localhost") as client:
            told = (await client.get("/readyz")).json()
            assert told == {"status": "degraded", "away": "asr, mt, tts"}
            metrics = (await client.get("/metrics")).text
            assert 'livedub_cluster_replicas{engine="asr"} 0.0' in metrics
        lane = await daemon.pool.lane(config, "session")
        assert lane.synthesiser.sample_rate == 22_050  # eSpeak NG's
        assert [piece async for piece in lane.synthesiser.synthesise("hello")]
    finally:
        await daemon.aclose()


def test_commands_say_in_a_sentence_what_is_not_there(
    nobody: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "status"]) == 2
    assert "no cluster is configured: set cluster.address" in capsys.readouterr().err
    assert main(["doctor", "--set", f"cluster.address={nobody}"]) == 1
    said = capsys.readouterr().out
    assert f"Cluster: models on Ray at {nobody}: nobody answers (Connection refused) *" in said
