"""What `make load` measures at length, here where a number does not depend on the machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event

from label_config.values import Task
from sync.connect import connect
from sync.log import Log
from sync.log_tasks import LoggedTask
from sync.loop import turn
from sync.pull import pull
from tests.load.project import LargeStudio, measure, shown, with_tabs
from tests.sync.house import ANSWER, CONFIG, House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        yield made


def at_rest(house: House, tasks: int) -> LargeStudio:
    """A project of this size, half of it answered, all of it shown."""
    studio = LargeStudio(CONFIG)
    studio.fill(tasks, tasks // 2)
    with_tabs(house, studio)
    own = house.world.settings
    house.world = replace(house.world, settings=replace(own, train=replace(own.train, every=10**6)))
    connect(house.world, "1")
    shown(house, studio)
    studio.later()
    turn(house.world, "1", sweep=True)
    return studio


def decoded_in_a_turn(house: House, monkeypatch: pytest.MonkeyPatch, tasks: int) -> int:
    """How much JSON of the log one answer makes a turn read, in a project of this size."""
    studio = at_rest(house, tasks)
    studio.annotate(next(iter(house.world.log.unanswered("1"))), ANSWER)
    read = [0]

    def loads(raw: str) -> Any:
        read[0] += 1
        return json.loads(raw)

    with monkeypatch.context() as patch:
        patch.setattr("sync.log_tables.json", SimpleNamespace(loads=loads, dumps=json.dumps))
        done = turn(house.world, "1")
    assert done.changes.added.answers == 1 and done.problems == []
    return read[0]


def test_one_answer_makes_a_turn_read_as_much_of_a_large_log_as_of_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    for tasks in (400, 1600):
        (tmp_path / f"{tasks}").mkdir()
        with open_house(tmp_path / f"{tasks}") as house:
            read.append(decoded_in_a_turn(house, monkeypatch, tasks))
    assert read[1] <= read[0] + 10 < 400


BIG = "tasks|revisions|shown|standing"
WHOLE = re.compile(rf"SCAN ({BIG})\b|SEARCH ({BIG}) USING [A-Z ]*INDEX \w+ \(project=\?\)")
ONE = re.compile(r"\b(max|min)\(|\bLIMIT\b", re.IGNORECASE)  # the first row of an index at most


def test_no_statement_of_a_turn_after_one_answer_goes_through_a_whole_table(house: House) -> None:
    """What the database says it will do, whatever there is in it today."""
    studio = at_rest(house, 400)
    studio.annotate(next(iter(house.world.log.unanswered("1"))), ANSWER)
    asked: list[tuple[str, Any]] = []
    engine = house.world.log._engine

    def note(_db: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    done = turn(house.world, "1")
    event.remove(engine, "before_cursor_execute", note)
    assert done.changes.added.answers == 1 and len(asked) > 20
    whole = []
    with engine.connect() as db:
        for statement, values in asked:
            one = values[0] if isinstance(values, list) else values
            plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", one).all()
            whole += [(statement, r[3]) for r in plan if WHOLE.search(r[3])]
    assert [(s, how) for s, how in whole if not ONE.search(s)] == []


def test_one_new_task_is_put_beside_its_like_without_reading_all_others_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, read, real = at_rest(house, 60), [0], Log.first_seen_order

    def counted(log: Log, project: str) -> list[LoggedTask]:
        read[0] += 1
        return real(log, project)

    def one_more() -> LoggedTask:
        studio.fill(1, 0)  # the text of the first one
        turn(house.world, "1")
        return house.world.log.tasks("1")[-1]

    monkeypatch.setattr(Log, "first_seen_order", counted)
    first = house.world.log.tasks("1")[0]
    assert one_more().place == one_more().place == first.place and read == [0]
    other = Task(first.id, "1", {"text": "another text that nobody wrote before"})
    studio.tasks[first.id] = replace(studio.tasks[first.id], task=other)
    studio._change(first.id)
    turn(house.world, "1")
    one_more()
    assert read == [1], "what is remembered of a text goes when the text is another"
    one_more()
    assert read == [1]


def test_a_first_sync_that_is_cut_off_goes_on_where_it_was() -> None:
    cost = measure(tasks=1200, answers=600, turns=1)
    assert cost.first.again < 600, "no more than a part, and what changed within the overlap"
    assert cost.answer.rows < 10 and cost.answer.studio_s > 0.18


def test_the_counts_are_what_the_rows_say(house: House) -> None:
    studio = house.studio
    connect(house.world, "1")
    tasks = list(studio.tasks)
    for task in tasks[:7]:
        studio.annotate(task, ANSWER)
    studio.annotate(tasks[0], ANSWER)
    skipped = studio.annotate(tasks[7], ANSWER, cancelled=True)
    gone = studio.annotate(tasks[8], ANSWER)
    turn(house.world, "1")
    studio.remove_annotation(gone)
    studio.edit(skipped, ANSWER)
    turn(house.world, "1")
    log = house.world.log
    counts, sides = log.counts("1"), log.sides("1")
    kept = log.current_annotations("1")
    assert counts.answers == len(kept) == 8
    assert counts.skips == sum(a.cancelled for s in studio.tasks.values() for a in s.annotations)
    assert counts.blind == len({a.task for a in kept if sides[a.task]})
    assert (counts.tasks, counts.blind_tasks) == (len(sides), sum(sides.values()))
    answered = {a.task for a in kept}
    assert log.unanswered("1") == {t: b for t, b in sides.items() if t not in answered}
    assert log.waiting("1") == sum(not b for b in log.unanswered("1").values())
    version = house.backend.version
    has = log.tasks_showing("1", version)
    open_ = log.unanswered("1")
    assert log.lacking("1", version) == {t: b for t, b in open_.items() if t not in has}
    studio.add_task("not shown yet")
    pull(studio, log, "1", 0.3)
    assert len(log.lacking("1", version)) == 1 and len(log.lacking("1", "v9")) == len(open_) + 1
