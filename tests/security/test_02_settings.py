"""Settings of a session neither reach what nobody declared, nor stop the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import server.engines.pool
from server.config import Config, load
from server.engines.pool import IDLE_S, EnginePool
from server.sessions.lendable import check_settings
from server.sessions.spec import SessionSpec, SpecError
from stages.asr.denoised import DenoisedRecogniser
from stages.base import EngineError
from tests.helpers.daemons import served

CONFIG = load(
    assignments=[
        "serve.models=[models/large, some/whisper]",
        "serve.voices=[anna]",
        "tts.voice=chief",
        "asr.model=own/model",
    ],
    environment={},
)


@pytest.mark.parametrize(
    "settings",
    [
        {"asr.denoise": "arnndn", "asr.denoise_model": "/dev/stderr"},
        {"asr.model": "attacker/evil-whisper"},
        {"asr.model": "/etc/shadow"},
        {"asr.model": ["some/whisper"]},
        {"mt.model": "/root"},
        {"tts.model": "attacker/evil:v.onnx"},
        {"speakers.model": "x"},
        {"tts.listener": "attacker/evil-whisper"},
        {"tts.engine": "piper", "tts.voice": "attacker/evil:v.onnx"},
        {"tts.engine": "kokoro", "tts.voice": "/srv/voices/board.wav"},
        {"tts.engine": "xtts", "tts.voice": "board"},
        {"tts.engine": "xtts", "tts.voice": "chief"},
        {"tts.engine": "xtts", "speakers.engine": "ge2e", "tts.voices": {"S1": "board"}},
        {"tts.engine": "xtts", "tts.voice": "0.5*anna+0.5*board"},
        {"tts.consent": True},
    ],
)
def test_what_nobody_declared_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as refused:
        check_settings(settings, CONFIG)
    assert not any(str(value) in str(refused.value) for value in settings.values() if value != True)  # noqa: E712


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"asr.model": "some/whisper", "asr.beam_size": 2, "asr.denoise": "afftdn"},
        {"asr.model": "own/model", "mt.model": "default", "tts.listener": None},
        {"asr.model": "tiny.en"},
        {"tts.voice": "chief"},
        {"tts.engine": "xtts", "tts.voice": "anna"},
        {"tts.engine": "espeak", "tts.voice": "f3"},
        {"tts.engine": "piper", "tts.voice": "default"},
        {"mt.glossary": {"ferry": "balsa"}, "playout.bed": "keep", "input.channel": "left"},
    ],
)
def test_what_the_operator_has_may_be_had(settings: dict[str, Any]) -> None:
    check_settings(settings, CONFIG)


async def test_over_the_api_it_is_a_problem_document() -> None:
    async with served() as it:
        asked = {"settings": {"asr.denoise": "arnndn", "asr.denoise_model": "/dev/stderr"}}
        refused = await it.http.post("/sessions", json=asked)
        assert refused.status_code == 422 and "serve.models" in refused.json()["detail"]
        assert (await it.http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("language", ["pt-/../../x", "../x", "pt/x"])
def test_languages_are_no_paths(language: str) -> None:
    for name in ("languages.source", "languages.target"):
        with pytest.raises(SpecError):
            SessionSpec(settings={name: language}).configured(CONFIG)


def test_a_pipe_is_no_model_of_the_operators_either(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.rnnn")
    with pytest.raises(EngineError, match="no regular file"):
        DenoisedRecogniser(SimpleNamespace(), "arnndn", tmp_path / "pipe.rnnn")  # type: ignore[arg-type]


class Engines:
    """Makes engines that do nothing, and knows which are open."""

    def __init__(self) -> None:
        self.open: list[int] = []
        self.made = 0

    def create(self, kind: str, name: str, **options: Any) -> Any:
        number = self.made = self.made + 1
        self.open.append(number)

        async def aclose() -> None:
            self.open.remove(number)

        async def recognise(audio: object) -> None: ...

        return SimpleNamespace(aclose=aclose, recognise=recognise)


@pytest.fixture(name="engines")
def _engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    engines = Engines()
    monkeypatch.setattr(server.engines.pool, "create", engines.create)
    monkeypatch.setattr(server.engines.pool, "SileroDetector", SimpleNamespace)
    return engines


def beam(size: int) -> Config:
    settings = [f"asr.beam_size={size}", "speakers.engine=none"]
    return load(assignments=settings, environment={})


@pytest.mark.virtual_time
async def test_engines_are_closed_some_minutes_after_their_last_session(engines: Engines) -> None:
    pool = EnginePool()
    for size in range(1, 6):
        await pool.source(beam(size), f"session {size}")
    await pool.source(beam(1), "another")
    for size in range(1, 6):
        pool.release(f"session {size}")
    await asyncio.sleep(IDLE_S / 2)
    assert len(engines.open) == 5, "a session that comes back finds its models"
    await pool.source(beam(2), "back")
    await asyncio.sleep(IDLE_S)
    assert len(engines.open) == 2
    await pool.aclose()
    assert not engines.open


async def test_there_are_only_so_many(engines: Engines) -> None:
    pool = EnginePool(most=4)
    for size in range(1, 5):
        await pool.source(beam(size), f"session {size}")
    with pytest.raises(EngineError, match="serve.max_engines"):
        await pool.source(beam(5), "one too many")
    pool.release("session 2")
    await pool.source(beam(5), "instead")
    assert engines.open == [1, 3, 4, 5]
    with contextlib.suppress(KeyError):
        pool.release("nobody")
    await pool.aclose()
