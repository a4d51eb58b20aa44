"""One run of a replay: people's answers given again in some order, with a training at each count.

Everything that decides is the product's own: the blind share and the order (sync/order.py), the
trainer, the gate and the store (sync/jobs.py), the expansion and its challenger (sync/expand.py).
Only people, Label Studio and the server are missing. Each count leaves a cell, written last; a run
that was killed goes on at the next one.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from augment.standing import DEFAULT_SOURCES
from label_config.snapshot_json import snapshot_to_json
from label_config.values import Example, Snapshot
from lora.atomic import read_json, write_atomic
from lora.expansions import Expansions
from lora.say import command
from lora.store import ProjectStore, Store
from settings import Augment, Settings
from sync.challenge import makes_children
from sync.children import TrainingFailed, run, run_child
from sync.jobs import train_here
from sync.order import blind_places, drawn_by, fraction
from sync.pool import MOST as PUBLISHED
from sync.replay.orders import ARMS, RANDOM, Arm, Asked
from sync.replay.rows import NothingToReplay, Rows, at_most, dealt
from sync.terms import Terms, read_terms

logger = logging.getLogger(__name__)

PROJECT = "replay"
COLD = "cold"
CHILDLESS = Augment(sources="pool")
"""What the pool lends is borrowed in every training, and is no child."""


@dataclass(frozen=True)
class Cell:
    """What came of so many answers. `learned`, `expanded`: the judged rows' scores of the version
    that learned from people's rows, and of the one with children; `served`: of the version that
    serves after the verdicts; each has `mean` and a number a control. `rows`: those newly given."""

    arm: str
    seed: int
    answers: int
    blind: int
    rows: tuple[str, ...]
    version: str | None
    serving: str | None
    reason: str
    learned: Mapping[str, float]
    expanded: Mapping[str, float]
    served: Mapping[str, float]
    children: int
    seconds: float

    @property
    def best(self) -> Mapping[str, float]:
        """What the arm has learned: with children where there are any."""
        return self.expanded or self.learned or self.served

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def of(raw: Mapping[str, Any]) -> Cell:
        return Cell(**{**raw, "rows": tuple(raw["rows"])})


@dataclass(frozen=True)
class Run:
    """One arm with one seed. `settings`: ops' own; `folder`: of the run, with a store of its own
    while it goes on; `most`: rows that it may ask for."""

    rows: Rows
    settings: Settings
    arm: Arm
    seed: int
    counts: Sequence[int]
    folder: Path
    most: int

    @cached_property
    def terms(self) -> Terms:
        """The project's own; in an arm that never expands without a source of children, or the
        gate would keep half of each round's level for a challenger that never comes."""
        train = replace(self.settings.train, seed=self.settings.train.seed + self.seed)
        own = replace(self.settings, home=self.folder, train=train)
        if not self.arm.expands:
            own = replace(own, augment=CHILDLESS)
        return read_terms(own, self.rows.config)

    @cached_property
    def ask(self) -> tuple[Example, ...]:
        """The rows to ask for, each on its side; the same in all arms of a seed."""
        drawn = at_most(self.rows, self.most, self.seed)
        return dealt(drawn, f"{PROJECT}-{self.seed}", self.terms.settings.blind.share)

    @cached_property
    def store(self) -> ProjectStore:
        return Store(self.terms.settings.store).project(PROJECT)

    def cells(self) -> list[Cell]:
        """Those that are there, the first count first, up to the first that is not. A run that is
        not over and lost its adapters begins anew."""
        found: list[Cell] = []
        for count in self.counts:
            raw = read_json(self._cell(count), None)
            if raw is None:
                return found if self.store.folder.is_dir() else []
            found.append(Cell.of(raw))
        return found

    def restore(self, cells: Sequence[Cell]) -> None:
        """Take a run over whose cells were kept elsewhere."""
        if self.missing() and [c.answers for c in cells] == list(self.counts):
            self.folder.mkdir(parents=True, exist_ok=True)
            for cell in cells:
                write_atomic(self._cell(cell.answers), cell.to_json())

    def missing(self) -> list[int]:
        """The counts that have no cell yet."""
        return list(self.counts)[len(self.cells()) :]

    def play(self) -> Iterator[Cell]:
        """The missing cells, each as soon as it is done. Raises what a training raises."""
        done = self.cells()
        for count in self.missing():
            began = time.monotonic()
            cell = self._round(done, count)
            cell = replace(cell, seconds=round(time.monotonic() - began, 1))
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._cell(count), cell.to_json())
            done.append(cell)
            yield cell
        self.tidy()

    def tidy(self) -> None:
        """Remove the adapters and texts of a run that is over; its cells stay."""
        if not self.missing():
            shutil.rmtree(self.terms.settings.store, ignore_errors=True)
            shutil.rmtree(self.folder / "logs", ignore_errors=True)
            for left in [*self.folder.glob("said-*.json"), self.folder / "rows.json"]:
                left.unlink(missing_ok=True)

    def _cell(self, count: int) -> Path:
        return self.folder / f"cell-{count:06}.json"

    def _round(self, done: Sequence[Cell], count: int) -> Cell:
        """Give answers up to `count`, train, judge, expand, score."""
        given = [name for cell in done for name in cell.rows]
        serving = done[-1].serving if done else None
        self.store.publish_pool(self._pool((), PUBLISHED))
        new = self._next(given, count - len(given), serving)
        taken = {*given, *new}
        rows = [e for e in self.ask if e.id in taken]
        snapshot = self._frozen(rows)
        blind = len(snapshot.holdout)
        version, reason = self._train(snapshot.hash)
        challenger, children = self._expand(snapshot.hash) if version else (None, 0)
        now = self.store.current().version
        if self.arm.order and count != self.counts[-1]:  # what serves orders the next answers
            self._said(now, to_all=True)
        return Cell(
            arm=self.arm.name,
            seed=self.seed,
            answers=len(taken),
            blind=blind,
            rows=tuple(new),
            version=version,
            serving=now,
            reason=reason,
            learned=self._scores(version) if version else {},
            expanded=self._scores(challenger) if challenger else {},
            served=self._scores(now),
            children=children,
            seconds=0.0,
        )

    def _next(self, given: Sequence[str], count: int, serving: str | None) -> list[str]:
        known = set(given)
        left = [e for e in self.ask if e.id not in known]
        shown = [e for e in left if e.side == "train"]
        project = f"{PROJECT}-{self.seed}"
        if self.arm.order:
            mine = [e for e in self.ask if e.id in known and e.side == "train"]
            said = self._said(serving, to_all=True)["said"]
            learned = serving is not None
            asked = Asked(project, self.terms.schema, shown, mine, said, learned)
            places = self.arm.order(asked)
        else:
            places = {e.task: fraction(project, e.task) for e in shown}
        blind = sorted((e.task for e in left if e.side == "holdout"), key=_line(project))
        labelled = sum(e.id in known and e.side == "holdout" for e in self.ask)
        rule = self.terms.settings.blind
        places |= blind_places(places, {}, blind, served=len(given), labelled=labelled, rule=rule)
        return [e.id for e in sorted(left, key=lambda e: places[e.task])[:count]]

    def _frozen(self, rows: Sequence[Example]) -> Snapshot:
        own = {e.id: e for e in rows}
        beside = [
            replace(child, group=parent.group)
            for name, children in self.rows.beside.items()
            if (parent := own.get(name)) and parent.side == "train"
            for child in children
        ]
        most = self.terms.settings.train.pool
        pool = () if self.terms.regulated else self._pool(own, most)
        snapshot = Snapshot(PROJECT, self.rows.config, (*rows, *beside), pool)
        self.store.put_snapshot(snapshot)
        return snapshot

    def _pool(self, without: Mapping[str, Example] | tuple[()], most: int) -> tuple[Any, ...]:
        left = [e for e in self.ask if e.side == "train" and e.id not in without]
        left.sort(key=lambda e: _line(f"{PROJECT}-{self.seed}")(e.task))
        return tuple(dict(e.texts) for e in left[:most])

    def _train(self, digest: str) -> tuple[str | None, str]:
        """The version made of a snapshot, and what the gate said; None where it cannot be trained.

        A candidate that only a person may promote is promoted, as this person would.
        """
        try:
            if self.store.verdict(digest) is None:
                train_here(self.terms.settings, self.store, digest)
        except TrainingFailed as error:
            logger.warning("replay: %s", error)
            return None, str(error)
        verdict = self.store.verdict(digest) or {}
        if verdict.get("waits") and (waits := self.store.waiting()):
            who: dict[str, Any] = {"by": PROJECT, "why": verdict["reason"], "by_hand": True}
            self.store.move_current(waits.champion, waits.version, **who)
        return str(verdict["version"]), str(verdict["reason"])

    def _expand(self, digest: str) -> tuple[str | None, int]:
        """The challenger's version and how many children it learned from."""
        place = Expansions(self.store)
        if not self.arm.expands:
            return None, 0
        if place.get(digest) is None:
            own = self.terms.settings
            argv = [sys.executable, "-m", "sync.expand", "--project", PROJECT]
            argv += ["--snapshot", digest, "--past", json.dumps(place.past())]
            log, how = self.folder / "logs" / "expand.log", self._environment()
            threads, timeout_s = own.train.threads, own.queue.timeout_s
            try:
                run(argv, log, threads=threads, timeout_s=timeout_s, env=how)
            except TrainingFailed as error:  # as in the loop: the human-only version stands
                logger.warning("replay: %s", error)
                return None, 0
        record = place.get(digest)
        if record is None or record["challenger"] is None:
            return None, 0
        version, _ = self._train(record["challenger"])
        return version, len(record["kept"])

    def _environment(self) -> dict[str, str]:
        """What the expansion's process must not take from ours; the rest of it is the same."""
        own = self.terms.settings
        return {
            "ANNOTUNE_HOME": str(self.folder.resolve()),
            "ANNOTUNE_TRAIN_BASE": self.settings.train.base,
            "ANNOTUNE_TRAIN_SEED": str(own.train.seed),
            "ANNOTUNE_AUGMENT_SOURCES": own.augment.sources,
            "ANNOTUNE_AUGMENT_GENERATOR": own.augment.generator,
        }

    def _scores(self, version: str | None) -> dict[str, float]:
        scores = self._said(version)["scores"]
        judged = {name: c["value"] for name, c in scores["controls"].items() if c["n"]}
        return {"mean": scores["mean"], **judged}

    def _said(self, version: str | None, to_all: bool = False) -> dict[str, Any]:
        """How right a version is on the rows that judge, and, `to_all`, what it says to those that
        may be asked for; each is found out once. Only who orders the next answers is asked all."""
        path = self.folder / f"said-{version or COLD}.json"
        found: dict[str, Any] = read_json(path, None) or {}
        if not found or (to_all and "said" not in found):
            shown = [e for e in self.ask if e.side == "train"] if to_all else []
            asked = (replace(e, group=f"asked {e.group}") for e in shown)
            made = self._ask((*(() if found else self.rows.judge), *asked), version)
            found = {"scores": found.get("scores") or made["scores"]}
            found |= {"said": made["said"]} if to_all else {}
            write_atomic(path, json.dumps(found))
        return found

    def _ask(self, examples: Sequence[Example], version: str | None) -> dict[str, Any]:
        own, rows = self.terms.settings, self.folder / "rows.json"
        report = self.folder / "said-now.json"
        write_atomic(rows, snapshot_to_json(Snapshot(PROJECT, self.rows.config, tuple(examples))))
        argv = command(own.store, PROJECT, rows, version, own.train.base, report)
        argv += ["--threads", str(own.train.threads), "--quantize", own.backend.quantize]
        argv += ["--serve", own.backend.serve, "--dtype", own.backend.dtype]
        log, timeout_s = self.folder / "logs" / "say.log", own.queue.timeout_s
        return run_child(argv, report, log, threads=own.train.threads, timeout_s=timeout_s)


def _line(project: str) -> Any:
    return lambda task: drawn_by(project, task)


def full(rows: Rows, settings: Settings, folder: Path, seed: int = 0) -> dict[str, float]:
    """The judged rows' scores of an adapter that learned from all other rows; learned once. Raises
    NothingToReplay where it cannot be trained."""
    path = folder / "full.json"
    known: dict[str, float] | None = read_json(path, None)
    if known is not None:
        return known
    whole = Run(rows, settings, ARMS[RANDOM], seed, (), folder / "all", len(rows.ask))
    texts = tuple(replace(e, side="train") for e in rows.ask)
    typed = (e for some in rows.beside.values() for e in some)
    snapshot = Snapshot(PROJECT, rows.config, (*texts, *typed))
    whole.store.put_snapshot(snapshot)
    version, reason = whole._train(snapshot.hash)
    if version is None:
        raise NothingToReplay(f"all {len(rows.ask)} answers together cannot be learned: {reason}")
    found = whole._scores(version)
    write_atomic(path, json.dumps(found))
    whole.tidy()
    return found


def expanding(settings: Settings, rows: Rows) -> str | None:
    """Why children are not made in a replay; None: they are."""
    terms = read_terms(settings, rows.config)
    if terms.regulated:
        return "a regulated project's children need people's approval"
    if not makes_children(terms):
        off = ", ".join(s for s, standing in DEFAULT_SOURCES.items() if not standing.on)
        return f"no source is on; ANNOTUNE_AUGMENT_SOURCES names some of {off}"
    if settings.augment.review:
        return "ANNOTUNE_AUGMENT_REVIEW has people approve each"
    return None
