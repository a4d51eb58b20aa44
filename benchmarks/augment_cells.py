"""What one unit of `augment.py` does: make children, fit with them, judge; by the program's code.

Judged are the test rows, the same for every cell, and the blind rows that a project of this size
would have: by these alone the loop would choose (augment_choice.py does it from the cells' marks).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from augment.aim import Plan
from augment.expand import Candidates
from augment.guard.guard import Passed
from augment.guard.values import family
from augment.values import Made
from benchmarks.augment_children import CACHE, Known, Nursery
from benchmarks.augment_marks import marks_of, pack, share, tally
from benchmarks.augment_sets import BY_NAME, JUDGE, Mode, Unit, blind_of, weight
from benchmarks.causal_cells import Clock, Rows, answered, fitted, scores, served
from benchmarks.causal_sets import DataSet
from benchmarks.data import Split, data_digest, draw
from label_config.controls import Schema
from label_config.values import Example
from lora.base import Base, load_base
from lora.loaded import Loaded
from lora.network import Tree
from lora.networks import network_of
from lora.recipe import FIT
from lora.weights import pick_mode
from settings import Train

BASE = "minilm"

Facts = dict[str, Any]
Wanted = Sequence[tuple[Mode, float]]


@dataclass(frozen=True)
class Drawn:
    """A unit's data: what is learned from, what the loop judges on, what we do."""

    mine: DataSet
    split: Split
    schema: Schema
    human: list[Example]
    blind: list[Example]
    pool: list[dict[str, str]]
    test: list[Example]

    @staticmethod
    def of(unit: Unit) -> Drawn:
        mine = BY_NAME[unit.set]
        return drawn(mine, mine.load(), unit.n, unit.seed)


def drawn(mine: DataSet, split: Split, n: int, seed: int) -> Drawn:
    """The same examples for a seed however many blind ones follow them; none of them is in the
    pool."""
    taken, pool = draw(split, n + blind_of(n), seed)
    examples = mine.examples(taken, "train")
    blind = [replace(e, side="holdout") for e in examples[n:]]
    test = mine.examples(mine.judged(split), "holdout")
    return Drawn(mine, split, mine.schema(split), examples[:n], blind, pool, test)


def work(
    unit: Unit, wanted: Wanted, known: Mapping[str, Facts], generator: str, cache: Path = CACHE
) -> Iterator[tuple[Mode, float, Facts]]:
    """The wanted cells of a unit, each as soon as it is done. `known`: facts of cells with the same
    examples by what was learned from; what is known is not learned again."""
    clock, data = Clock(), Drawn.of(unit)
    base = load_base(BASE, threads=1)
    clock.lap("load")
    place = Known(unit, data.schema, data.human, data.blind, data.pool)
    nursery = Nursery(place, base, generator, cache)
    learned = dict(known)
    if any(mode.sources for mode, _ in wanted):
        nursery.policy()  # judges and profile, which all modes share: no mode's time
        clock.lap("profile")
    for mode, ratio in wanted:
        clock.laps.clear()
        passed, facts = _passed(nursery, mode, ratio, clock) if mode.sources else (None, {})
        if mode is JUDGE:
            assert passed is not None
            made = nursery.candidates(mode, ratio)[1].made
            facts |= _judged(base, data, made, passed, clock, cache)
            yield mode, ratio, facts
            continue
        children = as_examples(passed.kept if passed else (), data.human, weight(ratio))
        digest = digest_of(children, mode.pool)
        if digest not in learned:
            learned[digest] = _learned(base, data, mode, children, unit.seed, clock)
        facts |= learned[digest]
        if mode.name == "pool":
            facts["cold"] = _cold(base, data, clock)
        facts |= {"learned": digest, "cpu_s": dict(clock.laps)}
        yield mode, ratio, facts | {"load": round(os.getloadavg()[0], 1)}


def digest_of(children: Sequence[Example], pool: bool) -> str:
    """12 hex digits of what is learned from beside the human rows."""
    said = [pool, *sorted((e.id, e.origin.weight) for e in children)]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


def _passed(nursery: Nursery, mode: Mode, ratio: float, clock: Clock) -> tuple[Passed, Facts]:
    """What the guard made of the candidates."""
    plan, candidates = nursery.candidates(mode, ratio)
    clock.lap("make")
    if nursery.reused(mode, ratio):
        del clock.laps["make"]
    passed = nursery.guarded(candidates, mode)
    clock.lap("guard")
    policy = nursery.policy()
    facts = counts(plan, candidates, passed) | {
        "policy": {"ratio": round(policy.ratio, 2), "reason": policy.reason}
    }
    return passed, facts


def counts(plan: Plan, candidates: Candidates, passed: Passed) -> Facts:
    """The funnel in numbers."""
    funnel = passed.funnel
    return {
        "planned": plan.total,
        "missing": dict(candidates.missing),
        "made": funnel.made,
        "refused": {s.name: s.refused for s in funnel.steps if s.refused},
        "kept": funnel.kept,
        "by_transform": {name: dict(count) for name, count in funnel.by_transform.items()},
        "bars": funnel.thresholds.to_dict(),
    }


def _learned(
    base: Base, data: Drawn, mode: Mode, children: Sequence[Example], seed: int, clock: Clock
) -> Facts:
    """Fit, read back, answer as it is served."""
    pool = data.pool if mode.pool else []
    rows = Rows(data.schema, [*data.human, *children], pool, data.test, data.split.dropped)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "adapter"
        notes = fitted(base, rows, Train(base=BASE, seed=seed), folder)
        clock.lap("fit")
        network = network_of(base, pick_mode(base))
        loaded = served(network, folder, rows)
        return {"notes": notes, **_scored(network, loaded, data, clock)}


def _cold(base: Base, data: Drawn, clock: Clock) -> Facts:
    """The cold start, as it serves: knows label names and pool."""
    network = network_of(base, pick_mode(base))
    rows = Rows(data.schema, [], data.pool, data.test, data.split.dropped)
    return _scored(network, served(network, Path("nowhere"), rows), data, clock, "answer cold")


def _scored(network: Tree, loaded: Loaded, data: Drawn, clock: Clock, lap: str = "answer") -> Facts:
    """Test rows and blind rows, with each row's marks."""
    rows = Rows(data.schema, [], [], data.test, data.split.dropped)
    got = answered(network, loaded, [e.inputs for e in data.test])
    clock.lap(lap)
    blind = answered(network, loaded, [e.inputs for e in data.blind])
    return {
        "scores": scores(rows, got),
        "test": len(data.test),
        "blind": scores(replace(rows, test=data.blind), blind),
        "blind_rows": len(data.blind),
        "marks": {
            "test": pack(marks_of(data.schema, data.test, got)),
            "blind": pack(marks_of(data.schema, data.blind, blind)),
        },
    }


def _judged(
    base: Base,
    data: Drawn,
    made: Sequence[Made],
    passed: Passed,
    clock: Clock,
    cache: Path,
) -> Facts:
    """How often one who learned from the full train set agrees: with people on the test rows, with
    what was made, with what was kept of it, by source, and with what each filter refused."""
    name = data.mine.name.replace(" ", "-")
    folder = cache / f"judge-{name}-fit{FIT}-{data_digest(data.mine.data)}"
    rows = Rows(data.schema, [], [], data.test, data.split.dropped)
    if not folder.exists():
        _learn_all(base, data, folder)
        clock.lap("judge's fit")
    network = network_of(base, pick_mode(base))
    loaded = served(network, folder, rows)

    def marked(examples: Sequence[Example]) -> list[list[float]]:
        got = answered(network, loaded, [e.inputs for e in examples])
        return marks_of(data.schema, examples, got)

    children = as_examples(made, data.human, 1.0)
    by_id = dict(zip([e.id for e in children], marked(children), strict=True))
    tallies = {"test": tally(marked(data.test))}
    sizes = {"test": len(data.test)}
    for what, some in sorted(_parts(made, passed).items()):
        own = [by_id[e.id] for e in as_examples(some, data.human, 1.0)]
        sizes[what] = len(own)
        if own:
            tallies[what] = tally(own)
    clock.lap("judge")
    agrees = {what: round(share(counts), 4) for what, counts in tallies.items()}
    return {"scores": agrees, "rows": sizes, "tallies": tallies, "cpu_s": dict(clock.laps)}


def _parts(made: Sequence[Made], passed: Passed) -> dict[str, list[Made]]:
    """The candidates, those kept, also by source, and those refused by the filter that did."""
    parts: dict[str, list[Made]] = {"made": list(made), "kept": list(passed.kept)}
    for m in made:
        parts.setdefault(f"kept, {family(m.transform)}", [])
    for m in passed.kept:
        parts[f"kept, {family(m.transform)}"].append(m)
    for r in passed.refused:
        parts.setdefault(f"refused, {r.by}", []).append(r.made)
    return parts


def _learn_all(base: Base, data: Drawn, folder: Path) -> None:
    """Under another name until it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    train = data.mine.examples(data.split.train, "train")
    rows = Rows(data.schema, train, [], data.test, data.split.dropped)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        made = Path(place) / "adapter"
        fitted(base, rows, Train(base=BASE), made)
        made.rename(folder)


def as_examples(made: Sequence[Made], human: Sequence[Example], weighs: float) -> list[Example]:
    """Each once: what two candidates say alike is one row."""
    parents = {e.id: e for e in human}
    found = (m.as_example(parents[m.parent], weighs) for m in made)
    return list({e.id: e for e in found}.values())
