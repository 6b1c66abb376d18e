"""What tells the speakers of a source apart, if anything is to."""

from __future__ import annotations

from server.config import AUTO, Config
from server.engines.settled import settled
from stages.options import MATCH
from stages.registry import find, missing
from stages.weights.resolve import is_here

ENCODER = "ge2e"
"""The speaker encoder that ``speakers.engine: auto`` takes where it is installed."""


def wants_encoder(config: Config) -> bool:
    """Whether a speaker encoder is loaded: one that is named, or ``auto``'s if it is of use.

    It is where a speaker may get one of several voices, and where its weights are here.

    Raises:
        EngineError: if nothing here speaks the language.
    """
    engine = config.speakers.engine
    if engine != AUTO:
        return engine != "none"
    if config.tts.voice != MATCH or missing("speakers", ENCODER) or not is_here(ENCODER):
        return False
    engine = settled(config, "tts").tts.engine
    return engine != AUTO and find("tts", engine).several  # a cluster's nodes may choose it
