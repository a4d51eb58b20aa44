"""What sync counts for Prometheus: how far behind it is, what people say, what the gate decided.

All of it is looked up when /metrics is asked for; how often shown answers are changed, which means
reading every answer, at most once a minute and project.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric

from jobs import QueueDown
from metering import Metering, gauge
from sync.log import LogDown
from sync.loop import World
from sync.readings import rate_of, read_answers
from sync.terms import terms_or_default

RATE_S = 60.0

Told = Mapping[str, Any]

OF_PROJECT = {
    "lag_seconds": "Since the last turn of the loop that went well.",
    "problem": "1 where the last turn ran into something.",
    "tasks": "Tasks that sync knows.",
    "answers": "Human answers that count.",
    "blind_answers": "Those of them that were given without a prediction in view.",
    "unsynced_corrections": "Answers that no training has learned from yet.",
    "oldest_unsynced_seconds": "Age of the oldest of them.",
    "acceptance_rate": "Share of shown answers that people left as they were.",
    "gate_margin": "The last candidate's lead over what it was judged against last.",
    "gate_promoted": "1 if that candidate was let in.",
    "rounds": "Trainings so far, whatever became of them.",
}


@dataclass
class SyncMetrics(Metering):
    """Sync's numbers. `health`: the service's own report."""

    world: World
    health: Callable[[], Told]
    release: str = ""
    _rates: dict[str, tuple[float, float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.release)
        self.look(self._of_projects)
        self.look(self._of_queue)

    def _of_projects(self) -> Iterator[Metric]:
        rows = {
            name: GaugeMetricFamily(f"annotune_{name}", about, labels=["project"])
            for name, about in OF_PROJECT.items()
        }
        version = InfoMetricFamily(
            "annotune_wanted_version", "The version that CURRENT names.", labels=["project"]
        )
        seen = self.health()["projects"]
        up = "1 while the log's database answers."
        try:
            projects = self.world.log.connected()
        except LogDown:
            yield gauge("annotune_log_up", up, 0)
            return
        yield gauge("annotune_log_up", up, 1)
        for project in projects:
            for name, value in self._of(project, seen.get(project) or {}):
                rows[name].add_metric([project], value)
            current = self.world.store.project(project).current().version
            version.add_metric([project], {"version": current or "cold"})
        yield from rows.values()
        yield version

    def _of(self, project: str, seen: Told) -> Iterator[tuple[str, float]]:
        log = self.world.log
        if seen.get("ok_at"):
            yield "lag_seconds", max(0.0, time.time() - seen["ok_at"])
        yield "problem", float(bool(seen.get("problem")))
        counts = log.counts(project)
        yield "tasks", counts.tasks
        yield "answers", counts.answers
        yield "blind_answers", counts.blind
        yield "unsynced_corrections", counts.new
        yield "oldest_unsynced_seconds", counts.oldest_new_s
        yield "rounds", counts.rounds
        if (rate := self._accepted(project)) is not None:
            yield "acceptance_rate", rate
        verdict = log.last_verdict(project)
        if verdict:
            yield "gate_promoted", float(bool(verdict.get("promoted")))
            looks = (verdict.get("gate") or {}).get("looks") or []
            if looks:
                yield "gate_margin", float(looks[-1]["look"]["value"])

    def _accepted(self, project: str) -> float | None:
        asked, known = self._rates.get(project, (0.0, None))
        if asked and time.monotonic() - asked < RATE_S:
            return known
        log = self.world.log
        schema = terms_or_default(self.world.settings, log.config(project)).schema
        changed = rate_of(read_answers(log, project, schema)).value
        found = None if changed is None else 1.0 - changed
        self._rates[project] = (time.monotonic(), found)
        return found

    def _of_queue(self) -> Iterator[Metric]:
        up = "1 while the queue's Redis answers."
        try:
            seen = self.world.jobs.look()
        except QueueDown:
            yield gauge("annotune_redis_up", up, 0)
            return
        yield gauge("annotune_redis_up", up, 1)
        jobs = GaugeMetricFamily(
            "annotune_jobs", "Jobs, by what became of them.", labels=["status"]
        )
        jobs.add_metric(["queued"], seen.waiting)
        jobs.add_metric(["failed"], seen.failed)
        yield jobs
        workers = GaugeMetricFamily("annotune_workers", "Workers on our queue.", labels=["state"])
        states = [w.state for w in seen.workers]
        for state in ("idle", "busy", *sorted(set(states) - {"idle", "busy"})):
            workers.add_metric([state], states.count(state))
        yield workers
