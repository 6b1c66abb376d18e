"""``playout.delay: auto``: as few seconds as the engines need on this machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from server.config import AUTO, Config
from server.engines.pool import LaneEngines
from server.sessions.assembly import reaction
from stream.speech.lengths import delay_for

UNIT_S = 3.2
"""Utterances that a delay must have room for: 19 of 20 dubs are on time then, at 4 s with a voice
that takes no time, at 6 s with one that takes half of its speech's."""

SENTENCE_S = 6.0
"""The same where each utterance is translated by itself, which wants whole sentences."""

STEP_S = 0.5


def in_seconds(config: Config, lanes: Sequence[LaneEngines]) -> tuple[Config, str | None]:
    """The configuration with a delay in seconds, and a sentence where that was chosen.

    Args:
        config: checked.
        lanes: what dubs it, loaded: their pace was measured then.
    """
    if config.playout.delay != AUTO:
        return config, None
    pace, cost = max(lane.pace for lane in lanes), max(lane.cost for lane in lanes)
    serve = config.serve
    delay = shortest(pace, reaction(config), cost, serve.min_delay, serve.max_delay)
    why = f"the voice takes {pace:.2f} s for a second of speech here"
    if cost:
        why += f", translation {cost:.1f} s for an utterance"
    playout = replace(config.playout, delay=delay)
    said = f"viewers are {delay:g} s behind (playout.delay is auto): {why}"
    return config.model_copy(update={"playout": playout}), said


def shortest(pace: float, reaction: float, cost: float, least: float, most: float) -> float:
    """The shortest delay that leaves the engines time for utterances that are worth translating.

    Args:
        pace: seconds that the slowest voice takes for a second of speech.
        reaction: seconds from the end of speech to its translation as text.
        cost: seconds that the slowest translator takes for the sound of an utterance; 0 for those
            of text.
        least: bounds, seconds.
        most: as ``least``.
    """
    needed = delay_for(SENTENCE_S if cost else UNIT_S, pace, reaction + cost)
    return min(max(math.ceil(needed / STEP_S) * STEP_S, least), most)
