"""What a task costs in the log, on SQLite and on PostgreSQL: bytes, and processor seconds; and
what a turn of the loop costs there, after an answer and after nothing.

    python -m benchmarks.scaling [--sizes 2000,20000] [--table]

Each size is a project of its own in an empty log: tasks of one sentence of 200 characters, then an
answer to every second one, then a prediction on each, in parts of 500 as a pull brings them. Time
is the processor's, ours and the server's together, so that a busy machine changes little; the
PostgreSQL is a real one on loopback with its defaults but for fsync. docs/scaling.md goes on from
these to 10 million tasks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import RESULTS, table, write
from label_config.values import Task
from sync.groups import Place
from sync.log import Log
from sync.log_tables import chunks
from sync.loop import turn
from sync.studio_values import NewPrediction, SeenAnnotation, TaskState
from tests.load.project import LargeStudio, shown
from tests.postgres import Postgres, run_postgres
from tests.sync.house import ANSWER, CONFIG, open_house

SIZES = (2_000, 20_000)
REPEATS = 3
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
VERBS = "play buy paint find send open close move".split()
VERSION = "v1-0123456789ab"


@dataclass(frozen=True)
class Database:
    """An empty log, where it is, how large on the disk, and the processor's seconds so far."""

    name: str
    url: str
    log: Log
    size: Callable[[], int]
    spent: Callable[[], float]


def words(n: int) -> str:
    """A sentence of 200 characters that no other task has."""
    some = f"{VERBS[n % len(VERBS)]} the {n * 7919 % 10007:x} thing number {n} of {n * 31:x} "
    return (some * 9)[:200]


def region(n: int, **more: Any) -> list[dict[str, Any]]:
    value = {"choices": ["AB"[n % 2]]}
    named = {"from_name": "intent", "to_name": "text", "type": "choices"}
    return [{**named, "id": f"{n:010x}", "value": value, **more}]


def state(n: int, answered: bool) -> TaskState:
    at = START + timedelta(seconds=n)
    said = (SeenAnnotation(n, n, region(n), 1 + n % 7, at, at, lead_time=6.5),) if answered else ()
    return TaskState(Task(n, "1", {"text": words(n)}), at, said)


def measured(database: Database, tasks: int) -> dict[str, Any]:
    """One project of so many tasks: what each part of it takes, and what looking at it costs."""
    log, spent, size = database.log, database.spent, database.size
    log.connect("1", "scaling")
    found: dict[str, Any] = {"database": database.name, "tasks": tasks}
    before = size()

    def part(name: str, count: int, does: Callable[[], object]) -> None:
        nonlocal before
        began = spent()
        does()
        found[f"{name}_us"] = round((spent() - began) / count * 1e6, 1)
        after = size()
        found[f"{name}_bytes"], before = round((after - before) / count), after

    numbers = range(1, tasks + 1)
    places = {n: Place(f"{n:064x}", n % 5 == 0) for n in numbers}

    def heard(which: Sequence[int], answered: bool) -> None:
        for some in chunks(which):
            log.append("1", [state(n, answered) for n in some], places)

    def predicted() -> None:
        for some in chunks(numbers):
            sent = [NewPrediction(n, region(n, score=0.75), 0.75, VERSION) for n in some]
            log.plan("1", sent)
            log.confirm("1", sent)

    part("task", tasks, lambda: heard(numbers, False))
    part("answer", tasks // 2, lambda: heard(numbers[::2], True))
    part("prediction", tasks, predicted)
    one = [state(7, True)]
    looks: dict[str, Callable[[], object]] = {
        "counts": lambda: log.counts("1"),
        "waiting": lambda: log.waiting("1"),
        "lacking": lambda: log.lacking("1", VERSION),
        "blind": lambda: log.blind_tasks("1"),
        "freeze": lambda: (log.current_annotations("1"), log.tasks("1"), log.shown("1")),
        "heard again": lambda: log.append("1", one, {}),
    }
    for name, look in looks.items():
        took = []
        for _ in range(REPEATS):
            began = spent()
            look()
            took.append(spent() - began)
        found[f"{name}_ms"] = round(statistics.median(took) * 1000, 2)
    return found


def turned(database: Database, tasks: int, turns: int = 5) -> dict[str, Any]:
    """Milliseconds of a turn of a project of so many tasks, half of them answered: after one more
    answer, and after nothing. Label Studio is a fake, whose part is not counted."""
    took: dict[str, list[float]] = {"answer_turn_ms": [], "quiet_turn_ms": []}
    with tempfile.TemporaryDirectory() as folder, open_house(Path(folder), database.url) as house:
        studio = LargeStudio(CONFIG)
        studio.fill(tasks, tasks // 2)
        house.world, house.studio = replace(house.world, studio=studio), studio
        house.world.log.connect("1", "scaling")
        turn(house.world, "1", sweep=True)
        shown(house, studio)
        studio.later()
        turn(house.world, "1", sweep=True)
        for _ in range(turns):
            studio.annotate(next(iter(house.world.log.unanswered("1"))), ANSWER)
            for name in took:
                began = database.spent()
                turn(house.world, "1")
                took[name].append(database.spent() - began)
    return {name: round(statistics.median(times) * 1000, 1) for name, times in took.items()}


@contextmanager
def sqlite() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        log = Log(f"sqlite:///{path}")

        def size() -> int:
            return sum(p.stat().st_size for p in Path(folder).glob("log.db"))

        def flushed() -> int:
            log.scrub()  # else part of it is in the write-ahead log
            return size()

        yield Database("sqlite", f"sqlite:///{path}", log, flushed, time.process_time)
        log.close()


@contextmanager
def postgresql(running: Postgres) -> Iterator[Database]:
    url = running.database()
    log = Log(url)
    name = url.rpartition("/")[2]

    def size() -> int:
        return int(str(running.say(name, f"SELECT pg_database_size('{name}')")[0][0]))

    def spent() -> float:
        assert running.process is not None
        server = psutil.Process(running.process.pid)
        every = [server, *server.children(recursive=True)]
        times = [p.cpu_times() for p in every]
        gone = times[0].children_user + times[0].children_system
        return time.process_time() + gone + sum(t.user + t.system for t in times)

    yield Database("postgresql", url, log, size, spent)
    log.close()


def run(sizes: Sequence[int]) -> list[dict[str, Any]]:
    rows = []
    with run_postgres() as running:
        for tasks in sizes:
            for opened in (sqlite, partial(postgresql, running)):
                with opened() as database:
                    found = measured(database, tasks)
                with opened() as database:
                    found |= turned(database, tasks)
                print(json.dumps(found), flush=True)
                rows.append(found)
    return rows


def printed(rows: Sequence[dict[str, Any]]) -> str:
    names = [n for n in rows[0] if n not in {"database", "tasks"}]
    head = ["", *(f"{r['database']}, {r['tasks']:,} tasks" for r in rows)]
    return table(head, [[n.replace("_", ", "), *(r[n] for r in rows)] for n in names])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="tasks of each project")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    asked = parser.parse_args()
    if asked.table:
        kept = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))
        print(printed(kept["log"]))
        return
    rows = run([int(size) for size in asked.sizes.split(",")])
    write("scaling", {"log": rows}, printed(rows))


if __name__ == "__main__":
    main()
