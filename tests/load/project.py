"""A project of any size on the fake Label Studio: what its first sync takes, and what one change
costs afterwards."""

from __future__ import annotations

import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil

from label_config.values import Task
from sync.connect import connect
from sync.loop import turn
from sync.pull import pull
from sync.studio_values import NewPrediction, StudioDown, TaskState
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import ANSWER, CONFIG, House, open_house

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
VERBS = "play buy paint find send open close move".split()
REQUEST_S, TASK_S, ID_S = 0.03, 0.0014, 0.00035
"""Label Studio's share: of a request, of a task with all that hangs on it, of an id."""


@dataclass
class LargeStudio(FakeStudio):
    """Knows what changed when without sorting; `waited_s`: what the real one would have taken."""

    waited_s: float = 0.0
    listed: int = 0
    ends_after: int = 0
    _changed: list[tuple[datetime, int]] = field(default_factory=list)
    _at: datetime = START

    def now(self) -> datetime:
        self._at += timedelta(milliseconds=200)
        return self._at

    def fill(self, tasks: int, answers: int) -> None:
        """So many tasks of one sentence each, the first of them answered."""
        for n in range(tasks):
            words = f"{VERBS[n % len(VERBS)]} the {n * 7919 % 10007:x} {n:b} thing of {n * 31:x}"
            number = next(self._ids)
            self.tasks[number] = TaskState(Task(number, "1", {"text": words}), self.now())
            self._changed.append((self.tasks[number].updated_at, number))
        for number in list(self.tasks)[:answers]:
            self.annotate(number, ANSWER)

    def later(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)

    def _change(self, task: int, **values: Any) -> None:
        super()._change(task, **values)
        self._changed.append((self.tasks[task].updated_at, task))

    def _heard(self, project: str) -> None:
        self.waited_s += REQUEST_S
        super()._heard(project)

    def changed_tasks(self, project: str, since: datetime | None) -> Iterator[TaskState]:
        self._heard(project)
        first = bisect_left(self._changed, (since, 0)) if since else 0
        for at, number in self._changed[first:]:
            state = self.tasks.get(number)
            if state is None or state.updated_at != at:
                continue  # it changed later: it comes then
            if self.ends_after and self.listed == self.ends_after:
                raise StudioDown("it went away")
            self.listed += 1
            self.waited_s += TASK_S
            yield state

    def task_ids(self, project: str) -> set[int]:
        self.waited_s += ID_S * len(self.tasks)
        return super().task_ids(project)

    def tasks_with_version(self, project: str, version: str, first: int = 0) -> set[int]:
        found = super().tasks_with_version(project, version, first)
        self.waited_s += ID_S * len(found)
        return found


@dataclass(frozen=True)
class Cost:
    """What a project of one size took, in processor seconds, which a busy machine does not stretch.
    `change_s`: ours of a turn after one answer; `with_studio_s`: with Label Studio's share;
    `new_task_s`, `new_task_with_studio_s`: of a turn after one import; `again`: tasks listed twice,
    as it was cut off."""

    tasks: int
    answers: int
    first_s: float
    grew_mb: float
    again: int
    change_s: float
    with_studio_s: float
    new_task_s: float
    new_task_with_studio_s: float


def measure(tasks: int, answers: int, turns: int = 5) -> Cost:
    """Sync it, cut off in the middle and taken up; then let single answers come."""
    with tempfile.TemporaryDirectory() as folder, open_house(Path(folder)) as house:
        studio = LargeStudio(CONFIG)
        studio.fill(tasks, answers)
        with_tabs(house, studio)
        first_s, grew, again = _first(house, studio)
        shown(house, studio)
        studio.later(3600)
        turn(house.world, "1", sweep=True)
        own, whole = _median(house, studio, turns)
        new_task_s = _one_more(house, studio)  # the first one may find nothing in memory
        new_task_s = _one_more(house, studio)
    rounded = (round(v, 3) for v in (own, whole, *new_task_s))
    return Cost(tasks, answers, round(first_s, 1), round(grew, 1), again, *rounded)


def with_tabs(house: House, studio: LargeStudio) -> None:
    """This Label Studio, and the tabs of what to look at again, which other tests do without."""
    own = house.world.settings
    settings = replace(own, sync=replace(own.sync, tabs=True))
    house.world, house.studio = replace(house.world, studio=studio, settings=settings), studio


def _first(house: House, studio: LargeStudio) -> tuple[float, float, int]:
    """Seconds, MB by which this process grew, and tasks that had to be listed a second time."""
    log, grown = house.world.log, [0.0]
    process = psutil.Process()
    before, began = process.memory_info().rss, time.process_time()

    def look() -> None:
        grown.append((process.memory_info().rss - before) / 1e6)

    log.connect("1", "large")
    studio.ends_after = len(studio.tasks) // 2
    try:
        pull(studio, log, "1", 0.3, after_part=look)
        raise AssertionError("it was not cut off")
    except StudioDown:
        studio.ends_after = 0
    pull(studio, log, "1", 0.3, after_part=look)
    assert set(log.sides("1")) == set(studio.tasks)
    again, took = studio.listed - len(studio.tasks), time.process_time() - began
    connect(house.world, "1")
    return took, max(grown), again


def shown(house: House, studio: LargeStudio) -> None:
    """As if all had been pushed: what it costs to predict is another matter."""
    log, version = house.world.log, house.backend.version
    lacking = log.lacking("1", version)
    said = [ANSWER[0] | {"score": 0.5}]
    made = [
        NewPrediction(task, () if blind else said, n / len(lacking), version)
        for n, (task, blind) in enumerate(lacking.items())
    ]
    for start in range(0, len(made), 1000):
        log.plan("1", made[start : start + 1000])
        studio.import_predictions("1", made[start : start + 1000])
        log.confirm("1", made[start : start + 1000])


def _one_more(house: House, studio: LargeStudio) -> tuple[float, float]:
    """What a turn after one new task takes: of ours, and with Label Studio's share."""
    studio.fill(1, 0)
    waited, began = studio.waited_s, time.process_time()
    turn(house.world, "1")
    own = time.process_time() - began
    assert len(house.world.log.sides("1")) == len(studio.tasks)
    return own, own + studio.waited_s - waited


def _median(house: House, studio: LargeStudio, turns: int) -> tuple[float, float]:
    own, whole = [], []
    for _ in range(turns):
        task = next(iter(house.world.log.unanswered("1")))
        studio.annotate(task, ANSWER)
        waited, began = studio.waited_s, time.process_time()
        done = turn(house.world, "1")
        assert done.changes.added.answers == 1
        own.append(time.process_time() - began)
        whole.append(own[-1] + studio.waited_s - waited)
    return sorted(own)[turns // 2], sorted(whole)[turns // 2]
