"""The recogniser that hears a file's utterances once more: ``asr.second_model``."""

from __future__ import annotations

import asyncio

from server.config import AUTO, Config, amend
from server.engines.pool import EnginePool
from server.engines.pooled import PooledRecogniser
from stages.base import Recogniser
from stages.registry import is_external
from stages.weights.resolve import is_here

BEAM = 5
"""Hypotheses that it keeps at least."""

PARTNERS = {"tiny.en": "base"}
"""What ``auto`` takes beside a model, if it is here: large models gain nothing from small ones."""


def second_hearing(config: Config) -> Config | None:
    """Its configuration; ``None`` where a file is heard once.

    Args:
        config: with the recogniser's model by name.
    """
    asr = config.asr
    name = PARTNERS.get(asr.model) if asr.second_model == AUTO else asr.second_model
    if name in (None, "none") or config.languages.one is None or is_external(asr.engine):
        return None
    if asr.second_model == AUTO and not is_here(str(name)):
        return None
    return amend(config, {"asr.model": name, "asr.beam_size": max(BEAM, asr.beam_size)})


async def second_recogniser(config: Config, pool: EnginePool, owner: str) -> Recogniser | None:
    """What hears a file once more; ``None`` where it is heard once.

    Raises:
        EngineError: if it is missing something or does not know the language.
    """
    own = await asyncio.to_thread(second_hearing, config)
    return None if own is None else PooledRecogniser(await pool.engine("asr", own, owner), owner)
