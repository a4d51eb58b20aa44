"""A whole replay: every seed and arm, count by count, and the figure and JSON of what there is.

Its folder is named by all that the outcome depends on, so the same replay goes on where it was
killed, and another one is another folder; within it, runs that expand are named by what makes
children, which the others do not depend on. It holds texts while a run goes on; then cells alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lora.atomic import write_atomic
from lora.recipe import recipe_for
from settings import Settings
from sync.children import started_by
from sync.order import RULES
from sync.replay.chart import Line, draw
from sync.replay.orders import ARMS, RANDOM, Arm
from sync.replay.place import alone
from sync.replay.play import Cell, Run, full
from sync.replay.rows import NothingToReplay, Rows
from sync.replay.told import Told, called, counts_of
from sync.replay.warm import Warm
from sync.terms import read_terms

LEAST = 2  # times the first count: fewer answers tell nothing


@dataclass(frozen=True)
class Wish:
    """What is asked for. `most`: answers at the last count; `pool`: answers that one run may draw
    its own from; `goal`: the share of full quality."""

    seeds: Sequence[int] = (0, 1, 2)
    counts: int = 8
    most: int = 1000
    pool: int = 2000
    goal: float = 0.9
    arms: Sequence[str] = field(default=("random", "ours"))


@dataclass(frozen=True)
class Replay:
    """One replay's folder and runs. `home`: where replays lie; `known`: the arms there are."""

    rows: Rows
    settings: Settings
    wish: Wish
    home: Path
    note: str | None = None
    known: Mapping[str, Arm] = field(default_factory=lambda: ARMS)

    def __post_init__(self) -> None:
        """Raises NothingToReplay."""
        schema = read_terms(self.settings, self.rows.config).schema
        controls = {c.name for c in schema.controls}
        said = {r.from_name for e in (*self.rows.ask, *self.rows.judge) for r in e.answers}
        if not controls & said:
            mine, theirs = (", ".join(sorted(some)) or "no" for some in (controls, said))
            raise NothingToReplay(
                f"{self.rows.name}: the label config predicts {mine} control, the answers are to "
                f"{theirs} control"
            )
        first, there = self.settings.train.every, len(self.rows.ask)
        if there < LEAST * first or not self.rows.judge:
            raise NothingToReplay(
                f"{self.rows.name} has {there} answers to give and {len(self.rows.judge)} to judge "
                f"on; a replay needs {LEAST * first} and 1 (the first training comes after "
                f"{first}, ANNOTUNE_TRAIN_EVERY)"
            )

    @property
    def counts(self) -> list[int]:
        most = min(self.wish.most, self.wish.pool, len(self.rows.ask))
        return counts_of(self.settings.train.every, most, self.wish.counts)

    @property
    def folder(self) -> Path:
        return self.home / self.key

    @property
    def key(self) -> str:
        """16 hex digits of what the outcome of all arms depends on, seeds and goal aside."""
        own = read_terms(self.settings, self.rows.config).settings
        recipe = recipe_for(own.train.base, self.rows.digest, own.train)
        parts = [recipe.id, RULES, self.counts, self.wish.pool, asdict(own.blind), asdict(own.gate)]
        return _digest([*parts, own.train.pool], 16)

    def key_of(self, arm: Arm) -> str:
        """What the outcome of an arm depends on: where it expands, who makes children, too."""
        return f"{self.key}-{self._expansion}" if arm.expands else self.key

    @cached_property
    def _expansion(self) -> str:
        from augment.versions import versions  # here: few replays expand

        own = read_terms(self.settings, self.rows.config).settings.augment
        facts = [own.sources, own.generator, own.generator_url, own.generator_api, own.budget]
        return _digest([*facts, own.generator_tokens, versions()], 8)

    def runs(self) -> Iterator[Run]:
        """Seed by seed all arms, so that what is there can be compared early."""
        for seed in self.wish.seeds:
            for name in self.wish.arms:
                yield self.run(self.known[name], seed)

    def _compared(self) -> Iterator[Run]:
        """The runs asked for, and random order's, which the others are told against."""
        wished = replace(self.wish, arms=list(dict.fromkeys((RANDOM, *self.wish.arms))))
        yield from replace(self, wish=wished).runs()

    def run(self, arm: Arm, seed: int) -> Run:
        name = f"{arm.name}-{self._expansion}" if arm.expands else arm.name
        place = self.folder / f"{name}-{seed}"
        return Run(self.rows, self.settings, arm, seed, self.counts, place, self.wish.pool)

    def missing(self) -> int:
        """How many cells are not there yet."""
        return sum(len(run.missing()) for run in self.runs())

    def play(
        self,
        tell: Callable[[Cell], None],
        most: int | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> int:
        """Make what is missing, at most so many cells; returns how many were made. `check` raises
        what makes it give way; it is asked before each cell.

        Raises Busy where another process is at it, and what a training raises.
        """
        made = 0
        with alone(self.folder), Warm() as warm, started_by(warm):
            check()
            self.full()
            for run in self.runs():
                if not run.missing():
                    run.tidy()  # a kill may have come before
                    continue
                check()
                for cell in run.play():
                    made += 1
                    tell(cell)
                    if made == most:
                        return made
                    check()
        return made

    def full(self) -> dict[str, float]:
        """The scores of all answers learned at once."""
        return full(self.rows, self.settings, self.folder)

    def told(self) -> Told:
        """What the cells so far say. Raises NothingToReplay while there is no full quality yet."""
        own = read_terms(self.settings, self.rows.config).settings
        return Told(
            name=self.rows.name,
            base=own.train.base,
            asked=len(self.rows.ask),
            judged=len(self.rows.judge),
            counts=self.counts,
            cells=[cell for run in self._compared() for cell in run.cells()],
            full=self.full(),
            goal=self.wish.goal,
            lead_s=self.rows.lead_s,
            blind_share=own.blind.share,
            note=self.note,
        )


def _digest(parts: list[Any], digits: int) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:digits]


def write(told: Told, out: Path) -> tuple[Path, Path]:
    """The figure and the JSON."""
    out.mkdir(parents=True, exist_ok=True)
    figure, table = out / "replay.png", out / "replay.json"
    lines = [
        Line(
            called(arm),
            {n: (mean.value, mean.low, mean.high) for n, mean in told.at(arm, "mean").items()},
        )
        for arm in told.arms
    ]
    whole = told.full["mean"]
    marks = {"all answers": whole, f"{told.goal:.0%} of that": told.goal * whole}
    title = f"{told.name}: what an adapter learned, judged on {told.judged} others"
    figure.write_bytes(draw(title, lines, marks, told.counts))
    write_atomic(table, json.dumps(told.to_dict(), indent=1, ensure_ascii=False))
    return figure, table
