"""Speech by an XTTS model of a test."""

import asyncio
from pathlib import Path
from typing import Any

from stages.registry import create
from stages.tts.xtts.options import XttsOptions
from stream.frames import PLAIN, Manner, Samples

TEXT = "Amanhã vai chover em quase todo o país."


def make(model: Path, voice: str = "default", **options: Any) -> Any:
    return create(
        "tts",
        "xtts",
        language="pt",
        model=str(model),
        voice=voice,
        threads=1,
        options=XttsOptions(**options),
    )


def speak(engine: Any, text: str = TEXT, manner: Manner = PLAIN) -> list[Samples]:
    async def pieces() -> list[Samples]:
        try:
            return [piece async for piece in engine.synthesise(text, manner)]
        finally:
            await engine.aclose()

    return asyncio.run(pieces())
