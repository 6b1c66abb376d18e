"""What Prometheus scrapes."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stages.gpu import peak_gpu
from stream.dub.attempt import Notice, Settled, StageDone
from stream.dub.job import Stage
from stream.timeline import seconds

LATENCIES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12)


class Metrics:
    """Counters and histograms of one daemon, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._stage = Histogram(
            "livedub_stage_seconds",
            "Time that one utterance takes in a stage.",
            ["stage"],
            buckets=LATENCIES,
            registry=self.registry,
        )
        self._total = Histogram(
            "livedub_utterance_seconds",
            "From the end of an utterance to its dub being complete.",
            buckets=LATENCIES,
            registry=self.registry,
        )
        self._ready = Histogram(
            "livedub_dub_ready_seconds",
            "From the start of an utterance to the first sample of its dub being ready.",
            buckets=LATENCIES,
            registry=self.registry,
        )
        self._speech = Counter(
            "livedub_speech_seconds",
            "Speech detected in sources.",
            ["session"],
            registry=self.registry,
        )
        self._fates = Counter(
            "livedub_utterances",
            "Utterances by the fate of their dub.",
            ["session", "track", "fate"],
            registry=self.registry,
        )
        self._faults = Counter(
            "livedub_stage_faults",
            "Utterances for which a stage failed or missed its deadline.",
            ["stage"],
            registry=self.registry,
        )
        self._restarts = Counter(
            "livedub_engine_restarts",
            "Engines reloaded after repeated failures.",
            ["engine"],
            registry=self.registry,
        )

    def observe(self, session: str, notice: Notice) -> None:
        """Count what a session reports of an utterance."""
        job = notice.job
        if isinstance(notice, Settled):
            if job.fate is not None:
                self._fates.labels(session, notice.track, job.fate.value).inc()
            if job.available is not None:
                self._ready.observe(job.available)
            if "total" in job.latency:
                self._total.observe(job.latency["total"])
        elif isinstance(notice, StageDone):
            self._stage.labels(notice.stage).observe(job.latency[notice.stage])
            if notice.stage is Stage.RECOGNITION:
                self._speech.labels(session).inc(seconds(job.slot.duration))
            if job.fault is not None:
                self._faults.labels(notice.stage).inc()

    def restarted(self, engine: str) -> None:
        """Count an engine that was reloaded."""
        self._restarts.labels(engine).inc()

    def forget(self, session: str) -> None:
        """Drop a session's series: names come and go for as long as the daemon runs."""
        for counter in (self._speech, self._fates):
            counter.remove_by_labels({"session": session})

    def watch(self, state: Callable[[], Iterable[Metric]]) -> None:
        """Also export what ``state`` yields at the time of a scrape."""
        self.registry.register(_State(state))

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _State(Collector):
    def __init__(self, state: Callable[[], Iterable[Metric]]) -> None:
        self._state = state

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._state()
        memory = GaugeMetricFamily("livedub_peak_memory_bytes", "Peak resident size.")
        memory.add_metric([], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        yield memory
        if (held := peak_gpu()) is not None:
            gpu = GaugeMetricFamily(
                "livedub_peak_gpu_memory_bytes", "Peak GPU memory held by PyTorch."
            )
            gpu.add_metric([], held)
            yield gpu
