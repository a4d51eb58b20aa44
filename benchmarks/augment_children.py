"""Children for `augment.py`, made and guarded as `sync/expand.py` does it, and kept on this disk.

Vectors and what generators wrote lie under results/cache, which git ignores: nothing is embedded
or asked for twice. A prompt that several plans share is asked in one batch only, that of the
first plan which has it, so that answers do not depend on which cell was run first.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from augment.aim import MOST_EACH, Plan, aim, uniform
from augment.expand import Candidates, Rows, make, questions
from augment.guard.fit import fit_thresholds
from augment.guard.guard import Passed, guard
from augment.guard.values import Context, Judges, Thresholds
from augment.guard.vectors import row_vectors
from augment.policy import Policy, Situation, decide
from augment.profile import Profile, profile
from augment.standing import GENERATORS
from augment.values import Prompt, Vectors
from benchmarks.augment_sets import SOURCES, Mode, Unit, written_plans
from benchmarks.report import RESULTS
from label_config.controls import Schema
from label_config.values import Example
from lora.base import Base
from lora.crossfit import CrossFit, Embedder, crossfit
from lora.expansions import Kept
from settings import load

CACHE = RESULTS / "cache"
Batch = Callable[[Sequence[Prompt]], Iterator[str | None]]


class StoredEmbedder(Embedder):
    """An Embedder that begins with the vectors of a file; `store` writes what it knows by then."""

    def __init__(self, base: Base, path: Path) -> None:
        super().__init__(base)
        self._path, self._stored = path, 0
        if path.exists():
            with np.load(path) as held:
                texts = json.loads(bytes(held["texts"]))
                self._known.update(zip(texts, held["vectors"], strict=True))
            self._stored = len(self._known)

    def store(self) -> None:
        if len(self._known) == self._stored:
            return
        texts = np.frombuffer(json.dumps(list(self._known)).encode(), np.uint8)
        held = io.BytesIO()
        np.savez(held, texts=texts, vectors=np.stack(list(self._known.values())))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}")
        beside.write_bytes(held.getvalue())
        beside.replace(self._path)
        self._stored = len(self._known)


class Shared:
    """A Generate over prompts that several plans share: each is asked in its place among those new
    in the first plan that has it, in batches of `size`. `plans`: prompts, in the plans' order."""

    def __init__(self, ask: Batch, size: int, plans: Iterable[Sequence[Prompt]]) -> None:
        self._ask, self._size, self._plans = ask, size, iter(plans)
        self._batch_of: dict[str, list[Prompt]] = {}
        self._said: dict[str, str | None] = {}

    def __call__(self, prompts: Sequence[Prompt], /) -> Iterator[str | None]:
        """Raises KeyError at a prompt that is in no plan."""
        while any(p.digest not in self._batch_of for p in prompts):
            plan = next(self._plans, None)
            if plan is None:
                break
            known = self._batch_of.keys()
            new = list({p.digest: p for p in plan if p.digest not in known}.values())
            for i in range(0, len(new), self._size):
                some = new[i : i + self._size]
                self._batch_of.update((p.digest, some) for p in some)
        for p in prompts:
            if p.digest not in self._said:
                some = self._batch_of[p.digest]
                self._said.update(zip([q.digest for q in some], self._ask(some), strict=True))
            yield self._said[p.digest]


@dataclass(frozen=True)
class Known:
    """A unit's rows, as far as making children goes. `blind`: for the leak filter alone."""

    unit: Unit
    schema: Schema
    human: Sequence[Example]
    blind: Sequence[Example]
    pool: Sequence[dict[str, str]]


class Nursery:
    """The children of one unit's rows, by mode and ratio."""

    def __init__(self, known: Known, base: Base, generator: str, cache: Path = CACHE) -> None:
        self._known, self._generator, self._cache = known, generator, cache
        self._place = f"{known.unit.set.replace(' ', '-')}-{known.unit.n}-{known.unit.seed}"
        vectors = cache / f"vectors-{self._place}-{base.revision[:12]}.npz"
        self._embed = StoredEmbedder(base, vectors)
        self._made: dict[tuple[object, ...], tuple[Plan, Candidates]] = {}
        self._reused: set[tuple[object, ...]] = set()

    @property
    def human(self) -> Sequence[Example]:
        """The parents."""
        return self._known.human

    @cached_property
    def _judged(self) -> CrossFit:
        k = self._known
        found = crossfit(self._embed, k.schema, k.human, k.pool, k.unit.seed)
        self._embed.store()
        return found

    @cached_property
    def _profile(self) -> Profile:
        k = self._known
        return profile(k.human, k.schema, self._judged.out_of_fold, k.pool)

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self._known.human, self._known.schema, self._profile, self._known.unit.seed)

    @cached_property
    def _bars(self) -> Thresholds:
        k = self._known
        return fit_thresholds(
            k.schema,
            k.human,
            k.pool,
            row_vectors(self._vectors, [e.texts for e in k.human]),
            judges=Judges(self._judged.fold, self._judged.judges),
            seed=k.unit.seed,
        )

    def policy(self) -> Policy:
        """What the loop would do with these rows, if all sources were on."""
        return decide(
            Situation(
                size=len(self._known.human),
                accuracy=self._profile.accuracy,
                lower=self._profile.lower,
                pool=len(self._known.pool),
                generator=True,
                sources=(*SOURCES, "pool"),
            )
        )

    def plan(self, mode: Mode, ratio: float) -> Plan:
        k = self._known
        budget, seed = math.floor(ratio * len(k.human) + 1e-9), k.unit.seed
        most = max(MOST_EACH, math.ceil(1.5 * ratio))  # so that ratio 10 can be reached
        if not mode.aimed:
            return uniform(k.human, k.schema, budget, mode.sources, seed, most)
        out = self._judged.out_of_fold
        return aim(k.human, k.schema, budget, mode.sources, out, seed, most_each=most)

    def candidates(self, mode: Mode, ratio: float) -> tuple[Plan, Candidates]:
        """Once for all that differ in their filters only."""
        key = (mode.sources, mode.aimed, ratio)
        if key not in self._made:
            plan = self.plan(mode, ratio)
            if GENERATORS & plan.children.keys():
                asked, before = questions(plan, self._rows), self._written.asked
                made = make(plan, self._rows, self._shared, self._written.name)
                alone = len({q.prompt.digest for q in asked})
                if self._written.asked - before != alone:
                    self._reused.add(key)
            else:
                made = make(plan, self._rows)
            self._made[key] = plan, made
        return self._made[key]

    def reused(self, mode: Mode, ratio: float) -> bool:
        """Whether a writer was not asked for just these candidates: answers were kept, or others
        came in the same batches, so that the time it took is not that of making them."""
        return (mode.sources, mode.aimed, ratio) in self._reused

    def guarded(self, candidates: Candidates, mode: Mode) -> Passed:
        k = self._known
        context = Context(
            k.schema,
            tuple(k.human),
            holdout=tuple(e.texts for e in k.blind),
            pool=tuple(k.pool),
            embed=self._vectors,
            judges=Judges(self._judged.fold, self._judged.judges),
        )
        passed = guard(candidates.made, context, self._bars, mode.off)
        self._embed.store()
        return passed

    @cached_property
    def _written(self) -> Kept:
        from lora.base import load_base
        from lora.causal.write import Writer

        writer = Writer(load_base(self._generator, threads=1, device=load(os.environ).train.device))
        path = self._cache / f"written-{self._place}.jsonl"
        return Kept(path, writer.name, writer, writer.batch)

    @cached_property
    def _shared(self) -> Shared:
        from lora.causal.write import BATCH

        plans = (
            [q.prompt for q in questions(self.plan(mode, ratio), self._rows)]
            for mode, ratio in written_plans(self._known.unit.n)
        )
        return Shared(self._written, BATCH, plans)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts).astype(np.float32)
