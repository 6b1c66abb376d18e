"""Settings reach what obeys them, and each section says in one sentence what it cannot take."""

import asyncio
import subprocess
import sys
from dataclasses import fields

import pytest

from server.config import Config, ConfigError, load
from server.engines.options import options_of
from server.rtmp.ingest import RtmpOptions
from server.sessions.daemon import Daemon
from stages.registry import ENGINES, option_sections, section_of
from stages.tts.xtts.options import XttsOptions


def _load(*assignments: str) -> Config:
    return load(assignments=assignments, environment={})


def test_every_engine_with_options_has_a_section_with_their_defaults() -> None:
    for section, options in option_sections().items():
        assert getattr(Config(), section) == options()
    engines = [(name, engine) for kind in ENGINES.values() for name, engine in kind.items()]
    own = {section_of(name) for name, engine in engines if engine.options}
    assert own == set(option_sections())
    assert not own & set(Config.__annotations__)


def test_an_engines_own_options_reach_it_and_no_other() -> None:
    _, options = options_of("tts", _load("tts.engine=xtts", "xtts.seed=7"))
    assert options["options"] == XttsOptions(seed=7)
    assert "options" not in options_of("tts", _load("xtts.seed=7"))[1]
    assert {field.name for field in fields(XttsOptions)} >= {"seed", "candidates"}


def test_the_configuration_is_read_without_any_engine() -> None:
    needed = {module for kind in ENGINES.values() for one in kind.values() for module in one.needs}
    code = "import sys, server.config; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not needed & set(ran.stdout.split())


def test_a_file_is_dubbed_without_what_only_other_commands_need() -> None:
    absent = ("aiortc", "fastapi", "httpcore", "httpx", "starlette", "uvicorn", "websockets")
    absent += ("scipy",)  # importing it takes as long as everything else together
    # None is how Python is told that a module is not there.
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); import server.commands.file"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["xtts.sed=1"], "unknown key 'xtts.sed'; known are temperature"),
        (["rtmp.handshake=0"], "rtmp.handshake is 0, but should be greater than 0"),
        (["serve.min_delay=20"], "serve.min_delay is 20.0, but must not exceed serve.max_delay"),
        (["asr.denoise=arnndn"], "asr.denoise is arnndn, which needs asr.denoise_model"),
        (["tts.listener=tiny"], "which tts.engine auto does not: set it to xtts, or"),
        (["tts.voice=auto"], "but speakers.engine is auto"),
    ],
)
def test_what_a_section_cannot_take_is_one_sentence(assignments: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        _load(*assignments)
    assert str(told.value).startswith("the configuration: ") and sentence in str(told.value)


def test_the_dub_is_in_the_sources_language_where_nothing_is_translated() -> None:
    assert _load("languages.target=es").target == "es"
    assert _load("languages.target=es", "mt.engine=none").target == "en"


def test_rtmp_settings_reach_the_server() -> None:
    async def scenario() -> None:
        daemon = Daemon(_load("serve.rtmp_port=0", "rtmp.connections=1"))
        await daemon.start()
        try:
            assert daemon.rtmp is not None
            address = "127.0.0.1", daemon.rtmp.port
            reader, first = await asyncio.open_connection(*address)
            _, second = await asyncio.open_connection(*address)
            # The first makes way, sooner than its handshake would time out.
            assert await asyncio.wait_for(reader.read(), RtmpOptions().handshake - 1) == b""
            first.close()
            second.close()
        finally:
            await daemon.aclose()

    asyncio.run(scenario())
