"""What a replica tells Ray's metrics, beside what Serve tells of it."""

from __future__ import annotations

from ray.util import metrics

SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]


class Exported:
    """The metrics of one replica.

    Args:
        kind: of its models.
    """

    def __init__(self, kind: str) -> None:
        self._known = 0
        tags = {"tag_keys": ("engine",)}
        self._queued = metrics.Gauge("livedub_queued_seconds", "Work that a replica has.", **tags)
        self._refused = metrics.Counter("livedub_refused", "Calls too late to be made.", **tags)
        self._calls = metrics.Histogram(
            "livedub_call_seconds", "Time of a call, without waiting.", boundaries=SECONDS, **tags
        )
        for metric in (self._queued, self._refused, self._calls):
            metric.set_default_tags({"engine": kind})

    def tell(self, queued: float, refused: int) -> None:
        """So many seconds of work there are, and so many calls could not be in time so far."""
        self._queued.set(queued)
        if refused > self._known:
            self._refused.inc(refused - self._known)
            self._known = refused

    def called(self, seconds: float) -> None:
        """A call took so long."""
        self._calls.observe(seconds)
