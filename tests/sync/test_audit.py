"""The audit log: who did what, when and why; nobody changes it afterwards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lora.store import ProjectStore, Store
from sync.audit import COLD, hear_moves, hear_settings, leave_broken
from sync.log import Log, LogDown
from sync.log_audit import Entry
from sync.log_engine import open_engine, writer
from sync.operate import Person, rollback
from sync.terms import read_terms
from tests.sync.house import CONFIG, House
from tests.sync.reviewed import go, reviewed, says
from tests.sync.versioned import committed

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    made = Log(log_url)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> ProjectStore:
    return Store(tmp_path / "store").project("1")


def told(log: Log) -> list[tuple[str, str, str, str]]:
    return [(e.who, e.what, e.subject, e.why) for e in log.audit("1")]


@pytest.mark.parametrize("spell", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_an_entry(log: Log, log_url: str, spell: str) -> None:
    log.enter("1", [Entry(AT, "anna", "promoted", "v1", "good")])
    spells = [spell] if log.is_file else [spell, "TRUNCATE audit"]
    other = writer(open_engine(log_url))  # whoever has its address
    for one in spells:
        with pytest.raises(DBAPIError, match="append only"), other.begin() as db:
            db.execute(text(one))
    other.dispose()
    assert log.audit("1") == [Entry(AT, "anna", "promoted", "v1", "good")]


def test_a_log_that_was_there_before_gets_the_table_and_its_guards(log_url: str) -> None:
    Log(log_url).close()
    other = writer(open_engine(log_url))
    with other.begin() as db:
        db.execute(text("DROP TABLE audit"))
    made = Log(log_url)
    made.enter("1", [Entry(AT, "anna", "promoted")])
    made.close()
    with pytest.raises(DBAPIError, match="append only"), other.begin() as db:
        db.execute(text("DELETE FROM audit"))
    other.dispose()


def test_what_was_heard_from_the_store_is_entered_once_in_the_order_it_happened(
    log: Log, store: ProjectStore
) -> None:
    one, two = committed(store, 1), committed(store, 2)
    store.move_current(None, one, "gate", "0.9 beats the cold start")
    store.move_current(one, two, "gate", "0.95 beats it")
    hear_moves(log, store)
    rollback(store, Person("root", "Anna B."), why="it calls refunds complaints")
    for _ in range(2):
        hear_moves(log, store)
    assert told(log) == [
        ("annotune", "promoted", one, "0.9 beats the cold start"),
        ("annotune", "promoted", two, "0.95 beats it"),
        ("Anna B.", "rolled back", one, "it calls refunds complaints"),
    ]
    last = log.audit("1")[-1]
    assert last.detail == {"before": two, "login": "root"}
    assert last.at.isoformat() == store.current().moved_at and last.at.tzinfo is not None


def test_who_died_right_after_moving_current_is_in_the_log_all_the_same(
    log: Log, store: ProjectStore
) -> None:
    made = committed(store, 1)
    code = (
        "import os, sys; from pathlib import Path; from lora.store import Store\n"
        "Store(Path(sys.argv[1])).project('1').move_current(None, sys.argv[2], 'gate', 'better')\n"
        "os.kill(os.getpid(), 9)"
    )
    root = str(store.folder.parents[1])
    killed = subprocess.run([sys.executable, "-c", code, root, made], timeout=60)
    assert killed.returncode == -9
    hear_moves(log, store)
    assert told(log) == [("annotune", "promoted", made, "better")]


def test_settings_are_entered_when_they_change_and_only_then(log: Log, house: House) -> None:
    terms = read_terms(house.world.settings, CONFIG)
    for _ in range(3):
        hear_settings(log, "1", terms)
    assert [e.what for e in log.audit("1")] == ["settings"]
    own = replace(house.world.settings, train=replace(house.world.settings.train, rank=8))
    hear_settings(log, "1", read_terms(own, CONFIG))
    hear_settings(
        log, "1", read_terms(own, CONFIG.replace("<View>", '<View annotune-regulated="true">'))
    )
    entries = log.audit("1")
    assert [e.subject for e in entries] == ["", "train.rank", "config, regulated"]
    assert "train.rank: 16 -> 8" in entries[1].why and "regulated: False -> True" in entries[2].why
    assert not any("pw" in str(e.to_dict()) or "s3cret" in str(e.to_dict()) for e in entries)


def test_who_approved_which_child_is_entered_without_the_answer(house: House, human: str) -> None:
    go(house)
    review = reviewed(house)
    task, other = sorted(review.tasks)[:2]
    review.annotate(task, says("A"), author=1)
    review.annotate(other, says("B"), author=2)
    go(house)
    entries = [e for e in house.world.log.audit("1") if e.what in ("approved", "corrected")]
    assert [(e.who, e.what) for e in entries] == [
        (house.studio.users[1], "approved"),
        (house.studio.users[2], "corrected"),
    ]
    child = review.tasks[task].task.data
    assert entries[0].subject == child["annotune_child"]
    assert entries[0].detail["snapshot"] == human and entries[0].detail["task"] == task
    assert str(child["text"]) not in str([e.to_dict() for e in house.world.log.audit("1")])


def test_a_turn_enters_moves_and_says_in_the_store_whether_a_person_must_promote(
    house: House, human: str
) -> None:
    store = house.world.store.project("1")
    assert store.regulated(), "the label config says so"
    made = committed(store, 7)
    store.move_current(None, made, "anna", "fine", by_hand=True)
    go(house)
    assert [(e.who, e.subject) for e in house.world.log.audit("1") if e.what == "promoted"] == [
        ("anna", made)
    ]
    house.studio.change_config(CONFIG)
    go(house)
    assert not store.regulated()


def test_a_current_that_does_not_load_is_left_once_that_is_sure(
    log: Log, store: ProjectStore
) -> None:
    one, two = committed(store, 1), committed(store, 2)
    store.move_current(None, one, "gate", "")
    store.move_current(one, two, "gate", "")
    store.quarantine(two, "heads.json is gone")
    assert leave_broken(store) is None and store.current().version == two, "it may yet load"
    assert leave_broken(store, firm_s=0) == f"{two} does not load: heads.json is gone"
    assert store.current().version == one
    assert leave_broken(store, firm_s=0) is None
    store.quarantine(one, "so is its")
    leave_broken(store, firm_s=0)
    assert store.current().version is None
    hear_moves(log, store)
    assert [(w, what, s) for w, what, s, _ in told(log)][2:] == [
        ("annotune", "fell back", one),
        ("annotune", "fell back", COLD),
    ]


def test_a_log_that_cannot_be_opened_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(LogDown, match="log.db does not answer: unable to open"):
        Log(f"sqlite:///{tmp_path / 'nowhere' / 'log.db'}")
