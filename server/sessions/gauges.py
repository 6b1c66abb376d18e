"""The state of every session at the time of a scrape, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily

from server.sessions.running import RunningSession
from stream.timeline import seconds

SESSION_GAUGES: tuple[tuple[str, str, Callable[[RunningSession], float]], ...] = (
    ("live", "Whether a publisher is there.", lambda s: s.source.connected),
    ("connections", "Publishers that came so far.", lambda s: s.source.connections),
    (
        "source_restarts",
        "Times that the source fell behind for good.",
        lambda s: s.live.clock.restarts,
    ),
    ("delay_seconds", "How far viewers are behind the source.", lambda s: s.live.clock.behind),
    (
        "position_seconds",
        "Media time that viewers have seen.",
        lambda s: seconds(s.live.position),
    ),
    ("viewers", "Readers of the session's sound.", lambda s: s.viewers),
    ("unheard", "Utterances that wait for recognition.", lambda s: s.live.unheard),
    ("pending", "Recognised utterances whose dub is not ready.", lambda s: len(s.live.pending)),
    (
        "pending_seconds",
        "How long the oldest of them has waited since it was spoken.",
        lambda s: max(s.live.pending, default=0.0),
    ),
)
"""Name after ``livedub_session_``, meaning, and value."""


def gauges(
    sessions: Iterable[RunningSession], waiting: Mapping[str, int]
) -> Iterable[GaugeMetricFamily]:
    """One value per session of each gauge, and the calls that wait for each kind of engine."""
    known = list(sessions)
    for name, meaning, value in SESSION_GAUGES:
        family = GaugeMetricFamily(f"livedub_session_{name}", meaning, labels=["session"])
        for session in known:
            family.add_metric([session.id], float(value(session)))
        yield family
    family = GaugeMetricFamily(
        "livedub_engine_waiting", "Calls that wait for an engine.", labels=["engine"]
    )
    for engine, number in waiting.items():
        family.add_metric([engine], number)
    yield family
