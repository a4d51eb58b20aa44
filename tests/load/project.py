"""A project of any size on the fake Label Studio: what its first sync takes, and what one change
costs afterwards. Label Studio's share is reckoned (tests/load/prices.py) and told apart."""

from __future__ import annotations

import os
import tempfile
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Protocol

from label_config.values import Task
from sync.connect import connect
from sync.loop import turn
from sync.pull import pull
from sync.studio_values import NewPrediction, SeenPrediction, StudioDown, TaskState
from tests.load.prices import prices
from tests.load.watched import Watched
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import ANSWER, CONFIG, House, open_house

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
VERBS = "play buy paint find send open close move".split()


class Large(Protocol):
    """A Label Studio, fake or real, with one large project of ours. `waited_s`: seconds that are
    its share so far; `requests`, `rows`: how many it was asked, and how many rows of tasks, ids or
    predictions went over the wire; `listed`: tasks among them; `ends_after`: so many tasks it goes
    away, once; 0: it stays."""

    requests: int
    rows: int
    listed: int
    ends_after: int

    @property
    def number(self) -> str: ...

    @property
    def waited_s(self) -> float: ...

    def fill(self, tasks: int, answers: int) -> object: ...

    def say(self, task: int) -> object: ...

    def later(self) -> object: ...


def sentence(n: int) -> str:
    """The text of the n-th task."""
    return f"{VERBS[n % len(VERBS)]} the {n * 7919 % 10007:x} {n:b} thing of {n * 31:x}"


@dataclass
class LargeStudio(FakeStudio):
    """Knows what changed when without sorting, and of a prediction no more than that it is there:
    this process is the one whose memory is looked at. `waited_s`: what the real one would have
    taken (tests/load/prices.py)."""

    number = "1"
    waited_s: float = 0.0
    requests: int = 0
    rows: int = 0
    listed: int = 0
    ends_after: int = 0
    held: dict[str, set[int]] = field(default_factory=dict)
    _changed: list[tuple[datetime, int]] = field(default_factory=list)
    _at: datetime = START

    def now(self) -> datetime:
        self._at += timedelta(milliseconds=200)
        return self._at

    def fill(self, tasks: int, answers: int) -> None:
        """So many tasks of one sentence each, the first of them answered."""
        for n in range(tasks):
            number = next(self._ids)
            self.tasks[number] = TaskState(Task(number, "1", {"text": sentence(n)}), self.now())
            self._changed.append((self.tasks[number].updated_at, number))
        for number in list(self.tasks)[:answers]:
            self.annotate(number, ANSWER)

    def say(self, task: int) -> object:
        return self.annotate(task, ANSWER)

    def later(self) -> None:
        """What was heard so far is no longer within a pull's overlap."""
        self._at += timedelta(hours=1)

    def _change(self, task: int, **values: Any) -> None:
        super()._change(task, **values)
        self._changed.append((self.tasks[task].updated_at, task))

    def _heard(self, project: str) -> None:
        self.requests += 1
        self.waited_s += prices(len(self.tasks)).request_s
        super()._heard(project)

    def _rows(self, count: int, each_s: float) -> None:
        self.rows += count
        self.waited_s += count * each_s

    def changed_tasks(self, project: str, since: datetime | None) -> Iterator[TaskState]:
        self._heard(project)
        first = bisect_left(self._changed, (since, 0)) if since else 0
        each_s = prices(len(self.tasks)).task_s
        for at, number in self._changed[first:]:
            state = self.tasks.get(number)
            if state is None or state.updated_at != at:
                continue  # it changed later: it comes then
            if self.ends_after and self.listed == self.ends_after:
                raise StudioDown("it went away")
            self.listed += 1
            self._rows(1, each_s)
            yield replace(state, predictions=self._predictions(state))

    def _predictions(self, state: TaskState) -> tuple[SeenPrediction, ...]:
        number, said = state.task.id, [ANSWER[0] | {"score": 0.5}]
        versions = [v for v, tasks in self.held.items() if number in tasks]
        return tuple(
            SeenPrediction(number, number, v, state.updated_at, 0.5, said) for v in versions
        )

    def task_ids(self, project: str) -> set[int]:
        self._rows(len(self.tasks), prices(0).id_s)
        return super().task_ids(project)

    def tasks_with_version(self, project: str, version: str, first: int = 0) -> set[int]:
        self._heard(project)
        self.lists += 1
        found = {task for task in self.held.get(version, ()) if task >= first}
        self._rows(len(found), prices(0).id_s)
        return found

    def import_predictions(self, project: str, predictions: Sequence[NewPrediction]) -> int:
        self._heard(project)
        for p in predictions:
            self.held.setdefault(p.version, set()).add(p.task)
        self._rows(len(predictions), prices(len(self.tasks)).prediction_s)
        return len(predictions)

    def set_model_version(self, project: str, version: str) -> None:
        self._heard(project)
        self.info = replace(self.info, model_version=version)


@dataclass(frozen=True)
class Change:
    """What a turn after one change took. `own_s`: processor seconds of ours, which a busy machine
    does not stretch; `studio_s`: Label Studio's share; `requests`, `rows`: what it was asked."""

    own_s: float
    studio_s: float
    requests: int
    rows: int

    @property
    def whole_s(self) -> float:
        return self.own_s + self.studio_s


@dataclass(frozen=True)
class First:
    """What the first sync took: `heard_s` and `pushed_s` of ours until all was in the log and
    shown, `studio_s` of Label Studio; `grew_mb`: at most; `again`: tasks listed twice, as it was
    cut off. The stub that answers for the backend is in this process, too."""

    heard_s: float
    pushed_s: float
    studio_s: float
    grew_mb: float
    again: int


@dataclass(frozen=True)
class Cost:
    """What a project of one size took: its first sync, a turn after one answer, one after one new
    task."""

    tasks: int
    answers: int
    first: First
    answer: Change
    new_task: Change


def measure(tasks: int, answers: int, turns: int = 5) -> Cost:
    """The project on the fake one."""
    studio = LargeStudio(CONFIG)
    studio.fill(tasks, answers)
    return measured(studio, tasks, answers, turns)


def measured(studio: Any, tasks: int, answers: int, turns: int = 5) -> Cost:
    """Sync this project, which is filled, cut off in the middle and taken up; then let single
    answers and tasks come. `studio`: Large, and what sync asks of one."""
    with tempfile.TemporaryDirectory() as folder, open_house(Path(folder)) as house:
        with_tabs(house, studio)
        house.backend.asked = deque(maxlen=0)  # type: ignore[assignment]  # it remembers nothing
        house.backend.scores = {sentence(n): n * 7919 % 997 / 997 for n in range(tasks)}
        first = _first(house, studio)
        studio.later()
        turn(house.world, studio.number, sweep=True)
        _one_answer(house, studio)
        answered = middle([_one_answer(house, studio) for _ in range(turns)])
        _one_more(house, studio)  # it may find nothing in memory
        added = middle([_one_more(house, studio) for _ in range(turns)])
    return Cost(tasks, answers, first, answered, added)


def with_tabs(house: House, studio: Any) -> None:
    """This Label Studio, and the tabs of what to look at again, which other tests do without."""
    own = house.world.settings
    settings = replace(own, sync=replace(own.sync, tabs=True))
    house.world, house.studio = replace(house.world, studio=studio, settings=settings), studio


def _first(house: House, studio: Any) -> First:
    """All tasks into the log, in two goes, and a prediction for each open one into Label Studio."""
    log, own, number = house.world.log, time.process_time(), studio.number
    waited = studio.waited_s
    with Watched(os.getpid(), 0.05) as watched:
        log.connect(number, "large")
        studio.ends_after = house.world.studio.project(number).tasks // 2
        try:
            pull(studio, log, number, 0.3)
            raise AssertionError("it was not cut off")
        except StudioDown:
            studio.ends_after = 0
        pull(studio, log, number, 0.3)
        again, heard = studio.listed - len(log.sides(number)), time.process_time()
        connect(house.world, number)
        while (pushed := turn(house.world, number).pushed) is None or pushed.left:
            pass
    heard_s, pushed_s = round(heard - own, 1), round(time.process_time() - heard, 1)
    found = First(heard_s, pushed_s, round(studio.waited_s - waited, 1), watched.grew_mb(), again)
    assert set(log.sides(number)) == studio.task_ids(number)
    version = house.backend.version
    assert studio.tasks_with_version(number, version) == set(log.unanswered(number))
    return found


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


def _one_more(house: House, studio: Large) -> Change:
    before = len(house.world.log.sides(studio.number))
    studio.fill(1, 0)
    done = _turned(house, studio)
    assert len(house.world.log.sides(studio.number)) == before + 1
    return done


def _one_answer(house: House, studio: Large) -> Change:
    log, number = house.world.log, studio.number
    before = log.counts(number).answers
    studio.say(next(iter(log.unanswered(number))))
    done = _turned(house, studio)
    assert log.counts(number).answers == before + 1
    return done


def _turned(house: House, studio: Large) -> Change:
    requests, rows = studio.requests, studio.rows
    waited, began = studio.waited_s, time.process_time()
    turn(house.world, studio.number)
    own = time.process_time() - began
    waited = round(studio.waited_s - waited, 3)
    return Change(round(own, 3), waited, studio.requests - requests, studio.rows - rows)


def middle(changes: Sequence[Change]) -> Change:
    """Each number's median, apart."""
    rows = zip(*(astuple(change) for change in changes), strict=True)
    return Change(*(sorted(row)[len(row) // 2] for row in rows))
