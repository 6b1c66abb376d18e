"""What each stage does with a job, for files and live sessions alike: engines as stages."""

from __future__ import annotations

import math
from dataclasses import replace

from server.config import Config
from server.sessions.casting import Part
from stages.asr.units import Units
from stages.base import Recogniser, Synthesiser
from stages.options import TtsConfig
from stages.text.function_words import conjunctions, leaning
from stages.tts.proofread import Proofread
from stream.dub.deliver import Voice
from stream.speech.agreement import LocalAgreement
from stream.speech.incremental import BREATH, Incremental
from stream.speech.segment import Segmenter, within_delay

REACTION = 0.5
"""Seconds that recognition and translation take together."""

CONTEXT = 4.0
"""Seconds of speech before an utterance that are heard again with it."""

SOON = 0.07
"""Seconds before the end of the pause that ends an utterance where nobody waits for it."""


def listened_to(
    synthesiser: Synthesiser, listener: Recogniser | None, config: TtsConfig
) -> Synthesiser:
    """The synthesiser, behind somebody who listens to it if the configuration wants one.

    Half of the stage's deadline is left for the reading that was begun last.
    """
    if listener is None:
        return synthesiser
    return Proofread(synthesiser, listener, config.deadline / 2)


def increments(
    config: Config, segmenter: Segmenter, *, live: bool, pace: float
) -> Incremental | None:
    """Recognition while people speak, where it is configured.

    Args:
        config: checked.
        segmenter: of the same stream.
        live: whether somebody waits.
        pace: seconds that the slowest synthesiser takes for a second of speech.
    """
    if config.asr.mode != "incremental":
        return None
    options = segmenter.options
    return Incremental(
        segmenter,
        # Where speech is heard once, there is nothing that could agree.
        LocalAgreement(config.asr.agreement if live else 1),
        Units(options, config.languages.source, live=live),
        # What hearing more often would bring is less than what it takes from a voice that is slow.
        step=config.asr.step * min(1 + 2 * pace, 2) if live else math.inf,
        breath=BREATH if live else options.pause - SOON,
    )


def segmenter(config: Config, window: int, *, delay: float | None, pace: float) -> Segmenter:
    """The segmenter of a stream.

    Args:
        config: checked.
        window: samples of one speech probability.
        delay: seconds that the viewer is behind; ``None`` where nobody watches.
        pace: seconds that the slowest synthesiser takes for a second of speech.
    """
    options, incremental = config.segment, config.asr.mode == "incremental"
    if delay is not None:
        reaction = REACTION if incremental else options.pause + REACTION
        options = within_delay(options, delay, pace, reaction)
    elif incremental:
        # Heard with what follows, an end of a sentence is told from a breath.
        options = replace(options, pause=options.late_pause, early_pause=options.late_pause)
    language = config.languages.source
    return Segmenter(
        options,
        window,
        breaths=not incremental,
        leaning=leaning(language),
        opening=conjunctions(language),
        context=CONTEXT if incremental else 0.0,
    )


def voice(synthesiser: Synthesiser, part: Part) -> Voice:
    """A synthesiser as the delivery sees it: each speaker in the voice of ``part``."""
    return Voice(
        synthesiser.synthesise,
        synthesiser.sample_rate,
        synthesiser.rate_range,
        synthesiser.characters_per_second,
        part.voice,
    )
