"""How both servers count: a registry of its own each, and answers in Prometheus' text form.

Names follow vLLM's and the rq exporter's habits: a prefix, base units, `_total` for what only
grows, `_info` for words. What can be looked up is looked up when somebody asks, not counted along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metering:
    """One server's numbers."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, release: str) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        for kind in (ProcessCollector, PlatformCollector, GCCollector):
            kind(registry=self.registry)
        self.look(lambda: [info("annotune_build", "The program that runs.", version=release)])
        self._requests = Histogram(
            "annotune_request_duration_seconds",
            "Requests, by route and status, from the first header read to the answer made.",
            ("route", "code"),
            buckets=SECONDS,
            registry=self.registry,
        )

    def answered(self, route: str, code: int, seconds: float) -> None:
        """Count a request. `route`: a name of ours, never what somebody sent."""
        self._requests.labels(route, str(code)).observe(seconds)

    def look(self, found: Callable[[], Iterable[Metric]]) -> None:
        """Have numbers looked up at each scrape."""
        self.registry.register(_Looked(found))

    def text(self) -> bytes:
        """All of it, as /metrics answers."""
        return generate_latest(self.registry)


class _Looked(Collector):
    def __init__(self, found: Callable[[], Iterable[Metric]]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield from self._found()

    def describe(self) -> Iterable[Metric]:
        """Nothing: to be registered must not ask a neighbour."""
        return ()


def gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    """One number."""
    return GaugeMetricFamily(name, about, value=float(value))


def info(name: str, about: str, **words: str) -> InfoMetricFamily:
    """Words, as labels of a 1."""
    return InfoMetricFamily(name, about, value=words)
