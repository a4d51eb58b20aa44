"""What one unit of `causal.py` does: fit, answer the test rows, judge; by the program's own code.

What is trained is written and read back, and answered as it is served (bfloat16 where the processor
has it, adapters merged while the base is small).
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.causal_sets import BY_NAME, DataSet, Unit
from benchmarks.causal_ways import decoding, scoring
from benchmarks.data import draw
from label_config.controls import Schema
from label_config.values import Example, Inputs, Region, Written
from lora.answer import answer
from lora.base import Base, load_base
from lora.causal.answer import Answerer, Limits
from lora.causal.network import CausalNetwork
from lora.causal.train import make_causal
from lora.evaluate import evaluate
from lora.fit import fit, write_adapter
from lora.loaded import Loaded, open_folder, ready
from lora.network import Network, Tree
from lora.networks import network_of
from lora.weights import pick_mode
from settings import Train
from sync.order import Guess, answer_of, shown_places

BASES = {"encoder": "minilm"}  # of the others: smollm
CHUNK = 64  # rows that are answered together
OPEN = 600  # tasks of which a hundred are asked for
PATIENCE = 3600.0  # seconds of a chunk: a busy machine must not cut what a server would not
NAIVE = {"banking77": 60}  # rows of a set with so many labels that naive scoring takes minutes

Facts = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """What a unit learns from, knows without labels, and is judged on."""

    schema: Schema
    train: list[Example]
    pool: list[dict[str, str]]
    test: list[Example]
    dropped: int


class Clock:
    """Seconds of CPU time of each stage: this process has one thread, and others share the
    machine."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


def work(unit: Unit, wanted: Sequence[str]) -> Iterator[tuple[str, Facts]]:
    """The wanted methods of a unit, each as soon as it is done."""
    clock, rows = Clock(), rows_of(unit)
    common = {"test": len(rows.test), "dropped": rows.dropped, "load": round(os.getloadavg()[0], 1)}
    for method, facts in _cells(unit, rows, wanted, clock):
        yield method, {**common, "cpu_s": dict(clock.laps), **facts}


def rows_of(unit: Unit) -> Rows:
    """The rows of a unit; the texts without labels are the same with 0 and 100 examples."""
    mine = BY_NAME[unit.set]
    split = mine.load()
    taken, pool = draw(split, unit.n or 100, unit.seed)
    train = mine.examples(taken[: unit.n], "train")
    test = mine.examples(mine.judged(split), "holdout")
    return Rows(mine.schema(split), train, pool, test, split.dropped)


def _cells(
    unit: Unit, rows: Rows, wanted: Sequence[str], clock: Clock
) -> Iterator[tuple[str, Facts]]:
    mine = BY_NAME[unit.set]
    if unit.kind == "copy":
        yield "copy", {"scores": scores(rows, copied(mine, rows.test))}
        return
    settings = Train(
        base=BASES.get(unit.kind, "smollm"),
        seed=unit.seed,
        quantize="nf4" if unit.kind == "nf4" else "",
    )
    before = _peak()
    if unit.kind == "asked":
        rows = replace(rows, train=asked(unit, rows, settings.base))
        clock.lap("ask")
    base = load_base(settings.base, threads=1, quantize=settings.quantize)
    clock.lap("load")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "adapter"
        notes = fitted(base, rows, settings, folder) if rows.train else []
        clock.lap("fit")
        facts: Facts = {"notes": notes, "before_mb": before, "peak_mb": _peak()}
        network = network_of(base, pick_mode(base))
        loaded = served(network, folder, rows)
        clock.lap("ready")
        if unit.kind == "naive":
            assert isinstance(network, CausalNetwork)
            some = rows.test[: NAIVE.get(unit.set, len(rows.test))]
            yield "naive", facts | {"test": len(some), "scores": scoring(network, loaded, some)}
            return
        if unit.methods[0] in wanted:
            yield unit.methods[0], facts | _judged(network, loaded, rows, clock)
        if "decoding" in wanted:
            assert isinstance(network, CausalNetwork)
            yield "decoding", facts | {"scores": decoding(network, loaded, rows.schema, rows.test)}
        if "nf4 on bf16" in wanted:
            other = load_base(settings.base, threads=1)
            network = network_of(other, pick_mode(other))
            loaded = served(network, folder, rows)
            clock.lap("ready")
            yield "nf4 on bf16", facts | _judged(network, loaded, rows, clock)


def asked(unit: Unit, rows: Rows, base: str) -> list[Example]:
    """Of OPEN random train rows those that sync puts first while nothing is learned: one of each
    predicted answer in turn, by hash within one (a causal base says no vectors)."""
    mine = BY_NAME[unit.set]
    drawn, _ = draw(mine.load(), OPEN, unit.seed)
    some = mine.examples(drawn, "train")
    network = network_of(cold := load_base(base, threads=1), pick_mode(cold))
    said = answered(network, served(network, Path("nowhere"), rows), [e.inputs for e in some])
    guesses = [
        Guess(e.task, answer_of(rows.schema, regions), 0.0)
        for e, regions in zip(some, said, strict=True)
    ]
    places = shown_places("benchmark", guesses, by_confidence=False)
    return sorted(some, key=lambda e: places[e.task])[: unit.n]


def fitted(base: Base, rows: Rows, settings: Train, folder: Path) -> list[str]:
    """Train as the worker does, into a folder; what was decided, in words."""
    schema = rows.schema.served_by(base.kind)
    if base.kind == "causal":
        how: dict[str, Any] = {"recipe_id": "benchmark", "tokens": 0}
        return make_causal(base, schema, rows.train, rows.pool, settings, folder, **how) or []
    made = fit(base, schema, rows.train, rows.pool, settings)
    folder.mkdir()
    write_adapter(folder, made)
    return list(made.notes)


def served(network: Tree, folder: Path, rows: Rows) -> Loaded:
    """The adapter in a folder, or the cold start where there is none."""
    if not folder.exists():
        return ready(network, None, rows.schema, rows.pool)
    return ready(
        network, open_folder(network, folder, "benchmark", rows.schema.digest), rows.schema
    )


def _judged(network: Tree, loaded: Loaded, rows: Rows, clock: Clock) -> Facts:
    found = scores(rows, answered(network, loaded, [e.inputs for e in rows.test]))
    clock.lap("answer")
    weights = network.plain_bytes if isinstance(network, CausalNetwork) else None
    size = {"weights_mb": round(weights / 1e6, 1)} if weights else {}
    return {"scores": found, "cpu_s": dict(clock.laps), **size}


def answered(network: Tree, loaded: Loaded, inputs: Sequence[Inputs]) -> list[tuple[Region, ...]]:
    """What would be shown of each row."""
    found: list[tuple[Region, ...]] = []
    for first in range(0, len(inputs), CHUNK):
        some = inputs[first : first + CHUNK]
        if isinstance(network, Network):
            found += [a.regions for a in answer(network, loaded, some)]
        else:
            assert isinstance(network, CausalNetwork)
            answerer = Answerer(network, Limits(seconds=PATIENCE))
            found += [a.regions for a in answerer.answer(loaded, some)]
    return found


def copied(mine: DataSet, test: Sequence[Example]) -> list[tuple[Region, ...]]:
    """Each text as its own answer: what doing nothing is worth."""
    return [(Written(mine.control, "text", e.texts["text"]),) for e in test]


def scores(rows: Rows, got: Sequence[tuple[Region, ...]]) -> dict[str, float]:
    """By metric; of written texts `exact` too: the share that are the human's, spaces aside."""
    gold = [e.answers for e in rows.test]
    (control,) = evaluate(rows.schema, gold, got).controls.values()
    found: dict[str, float] = {control.metric: control.value}
    if control.metric == "chrf":
        same = [_written(a) == _written(b) for a, b in zip(gold, got, strict=True)]
        found["exact"] = sum(same) / len(same)
    return {name: round(value, 4) for name, value in found.items()}


def _written(regions: Sequence[Region]) -> str:
    return " ".join(next((r.text for r in regions if isinstance(r, Written)), "").split())


def _peak() -> float:
    """The most memory this process has held so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
