"""What the backend counts for Prometheus. Counting along costs microseconds a request and a batch;
the rest is read from /health's own report when /metrics is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import Histogram
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)

from metering import SECONDS, Metering, gauge
from ml_backend.refusals import ELSE, KINDS

ROWS = (1, 2, 4, 8, 16, 32, 64)

Told = Mapping[str, Any]


class Metrics(Metering):
    """The backend's numbers; any thread may count."""

    def __init__(self, release: str = "") -> None:
        super().__init__(release)
        self._batch = Histogram(
            "annotune_batch_size_tasks",
            "Tasks that were answered in one batch.",
            ("base",),
            buckets=ROWS,
            registry=self.registry,
        )
        self._inference = Histogram(
            "annotune_inference_duration_seconds",
            "Batches, from the lane's taking them to their answers.",
            ("base",),
            buckets=SECONDS,
            registry=self.registry,
        )

    def observe(self, base: str, rows: int, seconds: float) -> None:
        """Count a batch."""
        self._batch.labels(base).observe(rows)
        self._inference.labels(base).observe(seconds)

    def watch(
        self, health: Callable[[], Told], refused: Callable[[], Told], running: Callable[[], int]
    ) -> None:
        """Read these at each scrape."""
        self.look(lambda: _of_backend(health(), refused(), running()))


def _of_backend(health: Told, refused: Told, running: int) -> Iterator[Metric]:
    yield gauge(
        "annotune_model_ready", "1 once the server's own base is loaded.", bool(health.get("ready"))
    )
    yield gauge("annotune_requests_running", "Predictions being answered.", running)
    waiting = "Batches that wait for a lane, of all bases."
    yield gauge("annotune_batches_waiting", waiting, health.get("queue") or 0)
    turned = CounterMetricFamily(
        "annotune_requests_refused", "Predictions that were refused.", labels=["why"]
    )
    none = dict.fromkeys([*(why for _, why in KINDS), ELSE], 0)  # a first one is seen as a rise
    for why, count in {**none, **_part(refused, "why")}.items():
        turned.add_metric([why], count)
    yield turned
    for name, about in (
        ("swaps", "Times that another version came to serve."),
        ("evictions", "Times that a project's adapter was let go for want of memory."),
    ):
        yield CounterMetricFamily(f"annotune_{name}", about, value=health.get(name) or 0)
    memory = _part(health, "memory")
    used = "Memory of the adapters ready to serve."
    yield gauge("annotune_adapter_memory_bytes", used, memory.get("used") or 0)
    most = "What they may take before the least recently used is let go."
    yield gauge("annotune_adapter_memory_limit_bytes", most, memory.get("most") or 0)
    yield from _of_projects(_part(health, "projects"))


def _of_projects(projects: Told) -> Iterator[Metric]:
    serves = InfoMetricFamily(
        "annotune_active_version", "The version that serves a project.", labels=["project"]
    )
    about = "1 where a project is not served as it should be."
    broken = GaugeMetricFamily("annotune_project_error", about, labels=["project"])
    for project, told in projects.items():
        if not told.get("asleep"):  # let go of until somebody asks: nothing serves, rightly
            version = str(told.get("version") or "cold")
            serves.add_metric([project], {"version": version, "base": str(told.get("base") or "")})
        broken.add_metric([project], float(bool(told.get("error"))))
    yield serves
    yield broken


def _part(of: Told, key: str) -> Told:
    found = of.get(key)
    return found if isinstance(found, Mapping) else {}
