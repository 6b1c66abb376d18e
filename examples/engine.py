"""A voice of your own: here the one in FFmpeg's `flite` filter, English only.

The class keeps the contract `stages.base.Synthesiser`. Where Python finds this module, name it
in config.yaml, `tts: {engine: "engine:Flite"}`, or on the command line:

PYTHONPATH=examples livedub file talk.mp4 dubbed.mp4 --target-lang en --set tts.engine=engine:Flite
"""

import asyncio
import contextlib
import subprocess
import tempfile
from collections.abc import AsyncGenerator

import numpy as np

from stages.base import EngineError
from stream.frames import PLAIN, Manner, Samples

VOICES = ("slt", "rms", "awb", "kal16")


class Flite:
    sample_rate = 16_000
    rate_range = (0.8, 1.3)
    characters_per_second = 15.0
    clones = False

    def __init__(self, *, language: str, voice: str, model: str, threads: int) -> None:
        if language != "en":
            raise EngineError(f"Flite speaks English only, not '{language}'.")
        self._voice = VOICES[0] if voice == "default" else voice
        self.check_voice(self._voice)

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        rate = min(max(manner.rate, self.rate_range[0]), self.rate_range[1])
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            graph = f"flite=textfile={file.name}:voice={manner.voice or self._voice},atempo={rate}"
            process = await asyncio.create_subprocess_exec(
                *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph),
                *("-f", "f32le", "-ar", str(self.sample_rate), "-ac", "1", "-"),
                stdout=subprocess.PIPE,
            )
            try:
                sound, _ = await process.communicate()
            finally:  # a call that is too late is cancelled
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if sound:
            yield np.frombuffer(sound, np.float32)

    def check_voice(self, name: str) -> None:
        if name not in VOICES:
            raise EngineError(f"Flite has no voice '{name}', only {', '.join(VOICES)}.")

    async def aclose(self) -> None: ...
