"""Killed before and after each thing that lasts: a turn's transactions, a job's files.

Where SIGKILLs at random hit a gap of microseconds once in a thousand, these stand in every gap.
Once killed, a process does nothing any more: what would tidy up on the way out is killed as well.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from label_config import Snapshot
from lora.adapter import verify
from lora.store import ProjectStore, Store
from settings import Gate, Settings
from sync import jobs
from sync.connect import connect
from sync.loop import turn
from tests.faults.test_studio_faults import check
from tests.sync.house import ANSWER, CONFIG, House, open_house
from tests.sync.test_interleavings import Crash, Fuse, MortalLog, TimedStudio
from tests.sync.test_train_job import example, frozen, trainer
from tests.sync.versioned import committed

HOUR = timedelta(hours=1)  # far more than a pull looks back (sync.pull.OVERLAP)
B = [ANSWER[0] | {"value": {"choices": ["B"]}}]


# ---- a turn


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Connected, ten tasks; a part of a pull is two of them."""
    monkeypatch.setattr("sync.pull.PART", 2)
    with open_house(tmp_path) as made:
        studio = TimedStudio(CONFIG)
        for n in range(10):
            studio.add_task(f"{n:b} {n * 7919:b} {n:x}")
        made.studio = studio
        made.world = replace(made.world, studio=studio)
        begin(made, Fuse())
        connect(made.world, "1")
        turn(made.world, "1", sweep=True)
        yield made


def begin(house: House, fuse: Fuse) -> None:
    """The process starts: another log on the same file."""
    house.world.log.close()
    log = MortalLog(str(house.world.log._engine.url))
    log.fuse = fuse
    house.world = replace(house.world, log=log)


def hours_of_work(house: House) -> None:
    """Five tasks change, an hour apart each; none of it is heard again unless it is asked for."""
    studio = house.studio
    assert isinstance(studio, TimedStudio)
    tasks = sorted(studio.tasks)
    for n, task in enumerate(tasks[:5]):
        studio.time += HOUR
        made = studio.tasks[task].annotations
        if not made:
            studio.annotate(task, ANSWER, cancelled=n == 3)
        else:
            other = B if made[0].result == ANSWER else ANSWER
            studio.edit(replace(made[0], cancelled=not made[0].cancelled and n == 2), other)
    studio.time += HOUR


def burning(fuse: Fuse, real: Callable[..., None]) -> Callable[..., None]:
    def burns(*args: Any) -> None:
        fuse.burn()
        real(*args)
        fuse.burn()

    return burns


def test_a_turn_killed_anywhere_loses_no_answer(house: House) -> None:
    for step in range(200):
        hours_of_work(house)
        fuse = Fuse()
        begin(house, fuse)
        house.studio.fuse = fuse  # type: ignore[attr-defined]
        fuse.left, died = step, False
        try:
            with mock.patch("os.replace", burning(fuse, os.replace)):
                turn(house.world, "1")
        except Crash:
            died = True
        fuse.left = None
        begin(house, Fuse())
        turn(house.world, "1")
        check(house)
        if not died:
            break
    assert not died and step >= 20, f"a turn has {step} places to be killed at"


# ---- a job


class Killed(BaseException):
    """SIGKILL, for whoever writes."""


@dataclass
class Knife:
    """Kills at the `left`-th place; from then on nothing that changes a file works any more."""

    left: int
    dead: bool = False
    places: list[str] = field(default_factory=list)

    def cut(self, where: str) -> None:
        self.places.append(where)
        if self.dead or self.left == 0:
            self.dead = True
            raise Killed(where)
        self.left -= 1

    def around(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def cuts(*args: Any, **how: Any) -> Any:
            self.cut(f"before {name}")
            done = real(*args, **how)
            self.cut(f"after {name}")
            return done

        return cuts

    @contextmanager
    def out(self) -> Iterator[None]:
        with mock.patch.multiple(
            os,
            replace=self.around(os.replace, "replace"),
            rename=self.around(os.rename, "rename"),
            unlink=self.around(os.unlink, "unlink"),
        ):
            with mock.patch.object(shutil, "rmtree", self.around(shutil.rmtree, "rmtree")):
                yield


def whole(store: ProjectStore) -> None:
    """What holds at every moment, for whoever looks."""
    serving = store.current().version
    if serving is not None:
        assert verify(store.adapter_folder(serving)).version == serving
    moved = [m.version for m in store.moves()]
    assert max(Counter(moved).values(), default=0) <= 1, moved
    assert [m.previous for m in store.moves()] == [None, *moved][: len(moved)]
    for made in store.versions():
        verdict = store.verdict(made.recipe.snapshot)
        if verdict:
            assert verdict["promoted"] == (made.version in moved), verdict["reason"]


@pytest.mark.parametrize("better", [True, False])
def test_a_job_killed_anywhere_ends_in_one_version_one_verdict_and_one_promotion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    places = 0
    for step in range(200):
        settings = Settings(home=tmp_path / f"{step}", gate=Gate(least_blind=10))
        store = Store(settings.store).project("1")
        before = store.put_snapshot(Snapshot("1", frozen().config, (example(99),)))
        first = committed(store, 9, snapshot=before)
        store.move_current(None, first, "gate", "better")
        store.put_verdict(before, {"promoted": True, "reason": "better", "version": first})
        snapshot = store.put_snapshot(frozen(*range(18)))
        monkeypatch.setattr(jobs, "_run_trainer", trainer(snapshot, 12 if better else 3))
        monkeypatch.setattr(jobs, "load", lambda environ, found=settings: found)
        knife = Knife(step)
        try:
            with knife.out():
                jobs.train("1", snapshot)
        except Killed:
            whole(store)
        places = max(places, len(knife.places))
        jobs.train("1", snapshot)  # rq's next try
        whole(store)
        assert [m.recipe.snapshot for m in store.versions()] == [before, snapshot]
        verdict = store.verdict(snapshot)
        assert verdict is not None and verdict["promoted"] == better
        assert (store.current().version == verdict["version"]) == better
        if not knife.dead:
            break
    assert not knife.dead and places > 10, places
