"""The state of every session and its outputs at the time of a scrape, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from server.cluster.models import Standing
from server.sessions.running import RunningSession
from stream.live.link import Link
from stream.live.output import OutputStatus
from stream.timeline import seconds

SESSION_GAUGES: tuple[tuple[str, str, Callable[[RunningSession], float]], ...] = (
    ("live", "Whether a publisher is connected.", lambda s: s.source.connected),
    ("connections", "Publishers so far.", lambda s: s.source.connections),
    (
        "source_restarts",
        "Times the source fell behind for good.",
        lambda s: s.live.clock.restarts,
    ),
    ("delay_seconds", "How far viewers are behind the source.", lambda s: s.live.clock.behind),
    (
        "position_seconds",
        "Media time that viewers have reached.",
        lambda s: seconds(s.live.position),
    ),
    ("viewers", "Those who watch or listen by WebRTC, WebSocket or HLS.", lambda s: s.viewers),
    ("unheard", "Utterances waiting for recognition.", lambda s: s.live.unrecognised),
    ("pending", "Recognised utterances whose dub is not ready yet.", lambda s: len(s.live.pending)),
    (
        "pending_seconds",
        "Time since the oldest of them was spoken.",
        lambda s: max(s.live.pending, default=0.0),
    ),
)
"""Name after ``livedub_session_``, meaning, and value."""

OUTPUT_COUNTERS: tuple[tuple[str, str, Callable[[OutputStatus], float]], ...] = (
    (
        "reconnects",
        "Times an output re-established a broken connection.",
        lambda o: o.reconnects,
    ),
    (
        "missed_seconds",
        "Sound of the session that an output lacks.",
        lambda o: seconds(o.missed),
    ),
    (
        "missed_pictures",
        "Pictures dropped because an output was too slow.",
        lambda o: o.missed_pictures,
    ),
)
"""Name between ``livedub_output_`` and ``_total``, meaning, and value."""


CLUSTER_GAUGES: tuple[tuple[str, str, Callable[[Standing], float]], ...] = (
    ("replicas", "Replicas on the cluster that answer.", lambda s: s.replicas),
    ("queued_seconds", "Work that they have, all together.", lambda s: s.queued),
    ("refused", "Calls that they could not do in time.", lambda s: s.refused),
)
"""Name after ``livedub_cluster_``, meaning, and value."""


def gauges(
    sessions: Iterable[RunningSession],
    waiting: Mapping[str, int],
    carried: int | None,
    cluster: Sequence[Standing] = (),
) -> Iterable[Metric]:
    """One value per session, output or engine of each metric.

    Args:
        sessions: the daemon's; any other has no series.
        waiting: calls waiting, by kind of engine.
        carried: see ``Capacity``.
        cluster: how the models do that are there.
    """
    known = list(sessions)
    for name, meaning, value in SESSION_GAUGES:
        family = GaugeMetricFamily(f"livedub_session_{name}", meaning, labels=["session"])
        for session in known:
            family.add_metric([session.id], float(value(session)))
        yield family
    concealed = CounterMetricFamily(
        "livedub_session_concealed_seconds",
        "Sound synthesised for packets lost on the way from the publisher.",
        labels=["session"],
    )
    for session in known:
        concealed.add_metric([session.id], seconds(session.source.concealed))
    yield concealed
    links = [([session.id], session.source.link) for session in known]
    yield from _links("session", "from the source", ["session"], links)
    yield from _outputs(known)
    if carried is not None:
        meaning = "About how many sessions like the live ones this machine carries."
        yield GaugeMetricFamily("livedub_sessions_carried", meaning, carried)
    family = GaugeMetricFamily(
        "livedub_engine_waiting", "Calls waiting for an engine.", labels=["engine"]
    )
    for engine, number in waiting.items():
        family.add_metric([engine], number)
    yield family
    for name, meaning, told in CLUSTER_GAUGES if cluster else ():
        gauge = GaugeMetricFamily(f"livedub_cluster_{name}", meaning, labels=["engine"])
        for standing in cluster:
            gauge.add_metric([standing.kind], told(standing))
        yield gauge


def _outputs(sessions: Sequence[RunningSession]) -> Iterable[Metric]:
    """Outputs are labelled by their index: there is no bound to the number of targets."""
    labels = ["session", "output", "kind"]
    every = [
        ([session.id, str(number), status.kind], status)
        for session in sessions
        for number, status in enumerate(session.outputs)
    ]
    failed = GaugeMetricFamily(
        "livedub_output_failed",
        "Whether an output has failed or lost its connection.",
        labels=labels,
    )
    for values, status in every:
        failed.add_metric(values, status.state in ("retrying", "failed"))
    yield failed
    for name, meaning, value in OUTPUT_COUNTERS:
        counter = CounterMetricFamily(f"livedub_output_{name}", meaning, labels=labels)
        for values, status in every:
            counter.add_metric(values, value(status))
        yield counter
    links = [(values, status.link) for values, status in every]
    yield from _links("output", "to an output's server", labels, links)


def _links(
    of: str, way: str, labels: Sequence[str], links: Iterable[tuple[list[str], Link | None]]
) -> Iterable[Metric]:
    """How networks do; what does not tell has no series."""
    told = [(values, link) for values, link in links if link is not None]
    rtt = GaugeMetricFamily(f"livedub_{of}_rtt_seconds", f"Round-trip time {way}.", labels=labels)
    packets = CounterMetricFamily(
        f"livedub_{of}_packets",
        f"Packets {way} that were lost at first, sent again, or dropped as too late.",
        labels=[*labels, "fate"],
    )
    for values, link in told:
        if link.rtt is not None:
            rtt.add_metric(values, link.rtt)
        for fate in ("lost", "resent", "dropped"):
            packets.add_metric([*values, fate], getattr(link, fate))
    yield rtt
    yield packets
