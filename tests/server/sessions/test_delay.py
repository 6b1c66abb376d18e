"""``playout.delay: auto``: what is chosen, where it counts, and that it is said."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config import load
from server.engines.pool import LaneEngines
from server.sessions.daemon import Daemon
from server.sessions.delay import SENTENCE_S, STEP_S, UNIT_S, in_seconds, shortest
from server.sessions.spec import SessionSpec
from stream.speech.lengths import SegmentOptions, within_delay
from tests.helpers.rtc import until
from tests.helpers.scripted import ScriptedPool, Synthesiser, Translator
from tests.helpers.virtual_time import run_virtual

LONG = SegmentOptions(soft_length=6.0, max_length=20.0)


@given(st.floats(0, 2), st.floats(0.3, 1.5), st.one_of(st.just(0.0), st.floats(0.1, 3)))
def test_utterances_are_worth_translating_and_viewers_wait_no_longer(
    pace: float, reaction: float, cost: float
) -> None:
    delay = shortest(pace, reaction, cost, 0, 60)
    wanted = SENTENCE_S if cost else UNIT_S
    assert within_delay(LONG, delay, pace, reaction + cost).max_length >= wanted - 1e-9
    assert within_delay(LONG, delay - STEP_S, pace, reaction + cost).max_length < wanted
    assert delay % STEP_S == 0


@given(st.floats(0, 5), st.floats(0, 5))
def test_the_operators_bounds_hold(pace: float, cost: float) -> None:
    assert 3.0 <= shortest(pace, 0.5, cost, 3.0, 15.0) <= 15.0


def test_it_is_what_was_measured() -> None:
    """A voice that takes no time at 4 s, one that takes half of its speech's at 6 s."""
    assert shortest(0.03, 0.5, 0, 3, 15) == 4.0
    assert shortest(0.5, 0.5, 0, 3, 15) == 6.0


def test_the_slowest_lane_decides_and_the_sentence_says_why() -> None:
    lanes = [LaneEngines(Translator(), Synthesiser(), pace=pace) for pace in (0.03, 0.5)]
    config, said = in_seconds(load(assignments=["playout.delay=auto"], environment={}), lanes)
    assert config.playout.delay == 6.0
    assert said == (
        "viewers are 6 s behind (playout.delay is auto): the voice takes 0.50 s for a second of "
        "speech here"
    )
    named = load(assignments=["playout.delay=4"], environment={})
    assert in_seconds(named, lanes) == (named, None)


@pytest.mark.parametrize(
    ("configured", "asked", "begins", "adapts"),
    [
        ("auto", None, 4.0, True),
        ("auto", 2.5, 2.5, False),
        ("5", "auto", 5.0, True),
        ("5", None, 5.0, False),
    ],
)
def test_a_session_begins_there_and_adapts_within_the_bounds(
    configured: str,
    asked: float | str | None,
    begins: float,
    adapts: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def check() -> None:
        settings = (f"playout.delay={configured}", "serve.rtmp_port=null")
        daemon = Daemon(load(assignments=settings, environment={}))
        daemon.pool = ScriptedPool()
        await daemon.start()
        try:
            session = daemon.create(SessionSpec.model_validate({"id": "ferry", "delay": asked}))
            await until(lambda: session.state == "waiting")
            assert session.live.clock.delay == begins
            assert (session.live._adaptive is not None) == adapts
        finally:
            await daemon.aclose()

    with caplog.at_level(logging.INFO):
        run_virtual(check())
    chosen = [one for one in caplog.messages if "playout.delay is auto" in one]
    assert len(chosen) == (configured == "auto" and asked is None)


def test_it_is_one_delay_until_the_engines_are_known() -> None:
    assert load(assignments=["playout.delay=auto"], environment={}).playout.behind == 6.0
