"""Any interleaving of what people do, crashes and restarts: log, split, snapshots and store agree
with a plain model of Label Studio, drawn by hypothesis.

`ANNOTUNE_FUZZ=2000` tries so many interleavings; without it a few, always the same.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection

from label_config import Choice
from sync.connect import connect
from sync.freeze import freeze
from sync.log import Log
from sync.loop import turn
from sync.studio_values import SeenAnnotation
from sync.terms import read_terms
from tests.postgres import Postgres
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import CONFIG, House, open_house
from tests.sync.summed import as_counted_anew

TEXTS = ["oak fig elm ash bay", "yew box sky sea sun", "fog dew ice hay rye", "", "oak fig elm ash"]
CONFIGS = [CONFIG, CONFIG.replace('<Choice value="B"/>', '<Choice value="C"/>')]
LABELS = "ABC"


def answer(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    return [{"from_name": "intent", "to_name": "text", "type": "choices", "value": value}]


class Crash(BaseException):
    """A SIGKILL, as far as one process can play it."""


class Fuse:
    """Burns down step by step; whoever reaches its end is killed there."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash


class MortalLog(Log):
    """Can be killed before a transaction, at its end, and right after it."""

    fuse = Fuse()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        self.fuse.burn()
        with super()._write() as db:
            yield db
            self.fuse.burn()
        self.fuse.burn()


class TimedStudio(FakeStudio):
    """Has its own clock, which the test moves; each call is a place to be killed at."""

    fuse = Fuse()
    time = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def now(self) -> datetime:
        self.time += timedelta(microseconds=1)
        return self.time

    def _heard(self, project: str) -> None:
        self.fuse.burn()
        super()._heard(project)


class Interleavings(RuleBasedStateMachine):
    """People, the loop and its crashes, in any order."""

    tasks = Bundle("tasks")
    answers = Bundle("answers")
    database: Callable[[], str] = staticmethod(lambda: "")
    """Makes an empty one and says its address; empty: SQLite in the home."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.home = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.house: House = self.stack.enter_context(open_house(self.home, self.database()))
        self.house.world.log.close()
        self.fuse = Fuse()
        self.studio = TimedStudio(CONFIG)
        self.studio.fuse = self.fuse
        self.house.studio = self.studio
        self.live: dict[int, SeenAnnotation] = {}
        self.sides: dict[int, bool] = {}
        self.judged = 0
        self.agreed = False
        self.restart()
        for n, text in enumerate(TEXTS[:3]):
            self.studio.add_task(f"{text} {n}")
        connect(self.house.world, "1")

    def restart(self) -> None:
        log = MortalLog(self.house.world.settings.log_url)
        log.fuse = self.fuse
        self.house.world = replace(self.house.world, log=log, studio=self.studio)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.house.world.log.close()
            self.stack.close()

    # ---- what people do

    @rule(target=tasks, text=st.sampled_from(TEXTS), twice=st.booleans())
    def create_tasks(self, text: str, twice: bool) -> Any:
        self.agreed = False
        return multiple(*(self.studio.add_task(text) for _ in range(1 + twice)))

    @rule(target=answers, task=tasks, label=st.sampled_from(LABELS), skipped=st.booleans())
    def answer(self, task: int, label: str, skipped: bool) -> Any:
        if task not in self.studio.tasks:
            return multiple()
        self.agreed = False
        made = self.studio.annotate(task, answer(label), cancelled=skipped)
        self.live[made.id] = made
        return made.id

    @rule(number=answers, label=st.sampled_from(LABELS), skipped=st.booleans())
    def edit(self, number: int, label: str, skipped: bool) -> None:
        if number in self.live:
            self.agreed = False
            old = replace(self.live[number], cancelled=skipped)
            self.studio.edit(old, answer(label))
            state = self.studio.tasks[old.task]
            self.live[number] = next(a for a in state.annotations if a.id == number)

    @rule(number=consumes(answers))
    def delete_answer(self, number: int) -> None:
        if number in self.live:
            self.agreed = False
            self.studio.remove_annotation(self.live.pop(number))

    @rule(task=consumes(tasks))
    def delete_task(self, task: int) -> None:
        if task in self.studio.tasks:
            self.agreed = False
            del self.studio.tasks[task]
            self.live = {n: a for n, a in self.live.items() if a.task != task}

    @rule(config=st.sampled_from(CONFIGS))
    def change_config(self, config: str) -> None:
        self.studio.change_config(config)

    @rule(minutes=st.integers(1, 60))
    def time_passes(self, minutes: int) -> None:
        self.studio.time += timedelta(minutes=minutes)

    @rule(version=st.sampled_from(["cold-00000000", "v1-00000001", "v2-00000002"]))
    def backend_serves(self, version: str) -> None:
        self.house.backend.version = version

    @rule()
    def worker_judges(self) -> None:
        wanted = self.house.world.log.wanted("1")
        if wanted and not self.house.world.store.project("1").verdict(wanted.snapshot):
            self.house.judge(wanted.snapshot)
            self.judged += 1

    # ---- the loop

    @rule(sweep=st.booleans())
    def turn(self, sweep: bool) -> None:
        done = turn(self.house.world, "1", sweep=sweep)
        assert not [p for p in done.problems if "refused predictions" not in p]
        self.agreed = True

    @rule(after=st.integers(0, 40), sweep=st.booleans())
    def crash_and_restart(self, after: int, sweep: bool) -> None:
        self.fuse.left = after
        real = os.replace

        def replaced(*args: Any) -> None:
            self.fuse.burn()
            real(*args)
            self.fuse.burn()

        try:
            with mock.patch("os.replace", replaced):
                turn(self.house.world, "1", sweep=sweep)
        except Crash:
            pass
        finally:
            self.fuse.left = None
        self.house.world.log.close()
        self.restart()

    # ---- what holds

    @invariant()
    def sides_are_for_ever(self) -> None:
        if hasattr(self, "house"):
            now = self.house.world.log.sides("1")
            assert all(self.sides.get(task, side) == side for task, side in now.items())
            places = [t.place for t in self.house.world.log.tasks("1")]
            assert len({p.group: p.blind for p in places}) == len(
                {(p.group, p.blind) for p in places}
            )

    @invariant()
    def no_blind_task_was_ever_shown_an_answer(self) -> None:
        if hasattr(self, "house"):
            self.sides.update(self.house.world.log.sides("1"))
            for part in self.studio.imports:
                assert not [p for p in part if p.result and self.sides[p.task]]

    @invariant()
    def the_store_can_always_be_read(self) -> None:
        if hasattr(self, "house"):
            store = self.house.world.store.project("1")
            store.current(), store.versions(), store.blind(), store.pool()
            for path in (store.folder / "snapshots").glob("*.json"):
                assert store.snapshot(path.stem).hash == path.stem
            for path in (store.folder / "verdicts").glob("*.json"):
                json.loads(path.read_text())

    @invariant()
    def log_and_label_studio_agree(self) -> None:
        if not getattr(self, "agreed", False):
            return
        log, store = self.house.world.log, self.house.world.store.project("1")
        kept = {n: a for n, a in self.live.items() if not a.cancelled}
        heard = {a.id: a for a in log.current_annotations("1")}
        assert {n: (a.task, a.result) for n, a in heard.items()} == {
            n: (a.task, a.result) for n, a in kept.items()
        }
        assert set(log.sides("1")) == set(self.studio.tasks)
        counts = log.counts("1")
        assert (counts.answers, counts.skips) == (len(kept), len(self.live) - len(kept))
        blind = {t for t, blind in log.sides("1").items() if blind}
        gone = store.blind() - blind  # a deleted one stays in the list until the next turn
        assert blind <= store.blind() and gone.isdisjoint(self.studio.tasks)
        for state in self.studio.tasks.values():
            versions = [p.version for p in state.predictions]
            assert len(versions) == len(set(versions)), "one prediction of a version, no doubles"
        wanted = log.wanted("1")
        assert wanted is None or store.snapshot(wanted.snapshot)
        assert len([r for r in log.rounds("1") if r["verdict"]]) <= self.judged

    @invariant()
    def the_logs_sums_are_as_counted_anew(self) -> None:
        if hasattr(self, "house"):
            as_counted_anew(self.house.world.log)

    @rule()
    def a_snapshot_is_what_people_say_now(self) -> None:
        """Frozen twice it is the same, after a restart too; each row is an answer of now."""
        turn(self.house.world, "1", sweep=True)
        self.sides = self.house.world.log.sides("1") | self.sides  # those heard just now, too
        self.agreed = True
        terms = read_terms(self.house.world.settings, self.studio.config)
        one, report = freeze(self.house.world.log, "1", terms)
        self.house.world.log.close()
        self.restart()
        assert freeze(self.house.world.log, "1", terms)[0].hash == one.hash
        rows = {e.id: e for e in one.examples}
        assert len(rows) == len(one.examples)
        for e in one.examples:
            live = self.live[int(e.id.removeprefix("annotation-"))]
            (region,) = e.answers
            assert isinstance(region, Choice) and not live.cancelled
            assert region.labels == (live.result[0]["value"]["choices"][0],)  # type: ignore[index]
            assert e.side == ("holdout" if self.sides[e.task] else "train")
        train, holdout = ({e.group for e in side} for side in (one.train, one.holdout))
        assert train.isdisjoint(holdout)
        assert len(one.examples) + sum(report.left_out.values()) <= len(self.live)
        answered = {a.task for a in self.live.values() if not a.cancelled}
        assert {e.task for e in one.examples} <= answered
        assert sum(report.left_out.values()) == len(answered) - len(one.examples)


def test_log_split_snapshots_and_store_agree_with_label_studio_whatever_happens() -> None:
    _try_some(Interleavings, 6)


@pytest.mark.real
def test_so_they_do_with_the_log_on_postgresql(postgres: Postgres) -> None:
    class There(Interleavings):
        database = staticmethod(postgres.log)

    _try_some(There, 2)


def _try_some(machine: type[Interleavings], usually: int) -> None:
    more = int(os.environ.get("ANNOTUNE_FUZZ") or 0)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=more or usually,
            stateful_step_count=40 if more else 25,
            derandomize=not more,
            database=None,
            deadline=None,
            phases=[Phase.generate],  # a shorter case would be nicer, and takes many minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
