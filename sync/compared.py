"""What a comparison of bases found: for programs as JSON, for people as lines.

The figures of each base, the cold start's beside them, and for every two bases whether one is
better beyond chance: paired, on the controls that both predict and the blind answers both were
judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import median
from typing import Any

from label_config.controls import BaseKind, Control, Schema
from label_config.refusals import NEEDS_CAUSAL
from label_config.values import Snapshot
from lora.evaluate import METRICS
from lora.paired import Difference, Estimate, Marks, difference, estimate

WRONG = 0.05  # how often the sentences may be wrong about bases that are equal, all pairs together
MB = 1_000_000


@dataclass(frozen=True)
class Contestant:
    """A base: the trainer's report of each seed (lora/train.py), its pace (lora/speed.py), and the
    bytes of its first adapter. `schema`: what it predicts."""

    base: str
    kind: BaseKind
    schema: Schema
    reports: tuple[Mapping[str, Any], ...]
    pace: Mapping[str, Any]
    adapter_bytes: int

    @property
    def trained(self) -> list[Marks]:
        return [r["scores"]["candidate"]["right"] for r in self.reports]

    @property
    def cold(self) -> list[Marks]:
        return [self.reports[0]["scores"]["cold"]["right"]]  # no seed is in it

    @property
    def metrics(self) -> dict[str, str]:
        return {c.name: METRICS[c.form] for c in self.schema.controls}

    def mean(self, who: str) -> float:
        """The mean over its controls, and over seeds."""
        found = [float(r["scores"][who]["mean"]) for r in self.reports]
        return sum(found) / len(found)

    def seconds(self, *stages: str) -> float:
        """Of these stages of a training (none: all of it), the median over seeds."""
        found = [r["seconds"] for r in self.reports]
        return float(median(sum(s.get(stage, 0.0) for stage in stages or s) for s in found))

    def memory_mb(self, part: str = "main") -> int | None:
        """The most that a training held."""
        found = [int(r["memory_mb"][part]) for r in self.reports if part in r["memory_mb"]]
        return max(found) if found else None


@dataclass(frozen=True)
class Verdict:
    """Two bases side by side; `better`: the one that is, beyond chance."""

    first: str
    second: str
    found: Difference | None
    better: str | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        found = self.found.to_dict() if self.found else None
        names = {"first": self.first, "second": self.second, "better": self.better}
        return {**names, "difference": found, "sentence": self.sentence}


@dataclass(frozen=True)
class Compared:
    """All bases on one snapshot. `least`: fewest blind answers to tell anything from;
    `disturbed`: the project was being trained meanwhile."""

    project: str
    digest: str
    snapshot: Snapshot
    contestants: tuple[Contestant, ...]
    least: int
    disturbed: bool = False

    @cached_property
    def controls(self) -> tuple[Control, ...]:
        """What any of the bases predicts."""
        widest = max(self.contestants, key=lambda c: len(c.schema.controls))
        return widest.schema.controls

    @cached_property
    def groups(self) -> dict[str, str]:
        return {e.id: e.group for e in self.snapshot.holdout}

    def estimates(self, one: Contestant, marks: Sequence[Marks]) -> dict[str, Estimate | None]:
        """By control; None where no blind answer is one to it."""
        return {name: estimate(marks, name, m, self.groups) for name, m in one.metrics.items()}

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        pairs = list(combinations(self.contestants, 2))
        level = 1 - WRONG / len(pairs)
        return tuple(self._verdict(one, other, level) for one, other in pairs)

    def _verdict(self, one: Contestant, other: Contestant, level: float) -> Verdict:
        metrics = {c: m for c, m in one.metrics.items() if c in other.metrics}
        found = difference(one.trained, other.trained, metrics, self.groups, level)
        names = one.base, other.base
        apart = f"{one.base} and {other.base} cannot be told apart"
        if found is None:
            why = f"{apart}: no blind answer is one to a control that both predict"
            return Verdict(*names, None, None, why)
        rows = f"{found.n} blind answers ({', '.join(found.controls)})"
        if found.n < self.least:
            why = f"{apart}: {found.n} blind answers are too few; {self.least} are needed"
            return Verdict(*names, found, None, f"{why} (ANNOTUNE_GATE_LEAST_BLIND)")
        if not found.real(level):
            gap = f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
            why = f"{apart} on {rows}: {one.base} less {other.base} is {gap}, p = {found.p:.3f}"
            return Verdict(*names, found, None, why)
        better, worse = names if found.value > 0 else names[::-1]
        ends = sorted((abs(found.low), abs(found.high)))
        by = f"{abs(found.value):.3f} ({ends[0]:.3f} to {ends[1]:.3f}, p = {found.p:.3f})"
        why = f"{better} is better than {worse} by {by} on the same {rows}"
        return Verdict(*names, found, better, why)

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        found: list[str] = []
        if len(self.contestants[0].reports) == 1:
            found.append(
                "one fit a base: what another seed would change is in no interval; --seeds 3 "
                "puts it there"
            )
        if self.disturbed:
            found.append("this project was being trained meanwhile, so the times are too long")
        refused = [
            {u.name for u in c.schema.unsupported if u.reason == NEEDS_CAUSAL[0]}
            for c in self.contestants
        ]
        mute = sorted(set.intersection(*refused))
        return found + [f"{name}: none of these bases writes texts" for name in mute]

    def to_dict(self) -> dict[str, Any]:
        return {
            "project": self.project,
            "snapshot": self.digest,
            "train": len(self.snapshot.train),
            "holdout": len(self.snapshot.holdout),
            "seeds": len(self.contestants[0].reports),
            "bases": [self._base(c) for c in self.contestants],
            "verdicts": [v.to_dict() for v in self.verdicts],
            "notes": self.notes,
        }

    def _base(self, c: Contestant) -> dict[str, Any]:
        trained, cold = self.estimates(c, c.trained), self.estimates(c, c.cold)
        controls: dict[str, Any] = {
            name: {
                "trained": e.to_dict() if e else None,
                "cold": z.to_dict() if (z := cold[name]) else None,
            }
            for name, e in trained.items()
        }
        for control in self.controls:
            controls.setdefault(control.name, {"refused": NEEDS_CAUSAL[0]})
        return {
            "base": c.base,
            "kind": c.kind,
            "score": c.mean("candidate"),
            "cold": c.mean("cold"),
            "controls": controls,
            "latency": {k: v for k, v in c.pace.items() if k != "memory_mb"},
            "seconds": [dict(r["seconds"]) for r in c.reports],
            "memory_mb": {
                "train": c.memory_mb(),
                "train_gpu": c.memory_mb("gpu"),
                "serve": c.pace["memory_mb"]["main"],
            },
            "adapter_bytes": c.adapter_bytes,
            "notes": list(c.reports[0]["notes"]),
        }

    def lines(self) -> list[str]:
        """The same for people: a column a base."""
        rows = f"{len(self.snapshot.train)} answers to learn from"
        rows += f", {len(self.snapshot.holdout)} blind ones to judge on"
        fits = len(self.contestants[0].reports)
        head = f"project {self.project}, snapshot {self.digest[:12]}: {rows}, "
        head += f"{fits} fit{'s' if fits > 1 else ''} a base; intervals of 95 %"
        table = [["", *(f"{c.base} ({c.kind})" for c in self.contestants)]]
        for control in self.controls:
            table += self._rows(control)
        table += [[name, *map(say, self.contestants)] for name, say in FACTS]
        verdicts = [v.sentence for v in self.verdicts]
        return [head, "", *_columns(table), "", *verdicts, *(f"note: {n}" for n in self.notes)]

    def _rows(self, control: Control) -> list[list[str]]:
        """A control's scores, the cold start's below."""
        names = f"{control.name}, {METRICS[control.form]}", "  cold start"
        made = [[name] for name in names]
        for c in self.contestants:
            for row, marks in zip(made, (c.trained, c.cold), strict=True):
                row.append(self._cell(c, marks, control.name))
        return made

    def _cell(self, c: Contestant, marks: Sequence[Marks], control: str) -> str:
        if control not in c.metrics:
            return NEEDS_CAUSAL[0]
        e = estimate(marks, control, c.metrics[control], self.groups)
        return f"{e.value:.3f} ({e.low:.3f} to {e.high:.3f})" if e else "no blind answer"


FACTS: Sequence[tuple[str, Callable[[Contestant], str]]] = (
    ("tasks timed", lambda c: f"{c.pace['tasks']}"),
    ("one task, ms: median", lambda c: f"{c.pace['median_ms']:.1f}"),
    ("one task, ms: p95", lambda c: f"{c.pace['p95_ms']:.1f}"),
    ("many at once, tasks/s", lambda c: f"{c.pace['tasks_per_s']:.1f}"),
    ("fit, s", lambda c: f"{c.seconds('fit'):.1f}"),
    ("whole training, s", lambda c: f"{c.seconds():.1f}"),
    ("memory of training, MB", lambda c: f"{c.memory_mb()}"),
    ("memory of serving, MB", lambda c: f"{c.pace['memory_mb']['main']}"),
    ("adapter, MB", lambda c: f"{c.adapter_bytes / MB:.1f}"),
)


def _columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table
    ]
