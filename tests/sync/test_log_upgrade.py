"""A log of every schema that was released opens, whole; a later one is left alone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from sync import log_upgrade
from sync.log import Log, NewerLog
from sync.log_engine import open_engine, writer
from sync.log_tables import SCHEMA_VERSION
from sync.log_upgrade import STEPS, upgrade
from tests.sync.summed import as_counted_anew

DUMPS = sorted(Path(__file__).parent.glob("log-*.sql"))
TABLES = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(request.param.read_text(encoding="utf-8"))
    yield path


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that stands in every table, but for the schema's own number."""
    with closing(sqlite3.connect(path)) as db:
        named = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'meta'")
        names = [name for (name,) in named]
        return {n: db.execute(f'SELECT * FROM "{n}" ORDER BY 1, 2').fetchall() for n in names}


def schema(path: Path) -> tuple[str, list[tuple[str, str]]]:
    with closing(sqlite3.connect(path)) as db:
        (number,) = db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        return number, [(n, " ".join(s.split())) for n, s in db.execute(TABLES)]


def test_there_is_a_step_to_each_schema_and_a_dump_of_each_before_this_one() -> None:
    assert 1 + len(STEPS) == SCHEMA_VERSION
    assert [int(p.stem.removeprefix("log-")) for p in DUMPS] == list(range(1, SCHEMA_VERSION))


def test_an_old_log_opens_with_all_that_was_in_it_and_is_as_a_new_one(
    old: Path, tmp_path: Path
) -> None:
    before = rows(old)
    assert before["revisions"] and before["audit"], "else this test would show nothing"
    log = Log(f"sqlite:///{old}")
    try:
        assert log.connected() == ["1"] and log.title("1") == "Müller's mail"
        (last, other) = log.current_annotations("1")
        assert (last.id, last.result[0]["value"]) == (7, {"choices": ["B"]})
        assert log.tasks("1")[1].data == {"text": "a NUL \x00 and a lone \ud800"}
        assert log.tombstones("1") == ({99}, set()) and other.author == 6
        assert [e.who for e in log.audit("1")] == ["Anna"]
        as_counted_anew(log)
        assert log.counts("1").answers == 2 and log.lacking("1", "v9-00000000").keys() < {1, 2, 3}
        log.connect("2", "it can be written to")
    finally:
        log.close()
    after = rows(old)
    assert [r for r in after["projects"] if r[0] == "1"] == before.pop("projects")
    assert {name: after[name] for name in before} == before
    with closing(sqlite3.connect(old)) as db, pytest.raises(sqlite3.Error, match="append only"):
        db.execute("DELETE FROM audit")
    Log(f"sqlite:///{tmp_path / 'new.db'}").close()
    assert schema(old) == schema(tmp_path / "new.db")


def test_two_that_open_an_old_log_at_once_upgrade_it_once(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, both = list[int](), threading.Barrier(2)

    def counted(db: Connection) -> None:
        ran.append(1)
        STEPS[-1](db)

    def opened() -> None:
        both.wait()
        Log(f"sqlite:///{old}").close()

    monkeypatch.setattr(log_upgrade.upgrade, "__defaults__", ((*STEPS[:-1], counted),))
    threads = [threading.Thread(target=opened) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == [1]


def test_killed_in_the_middle_it_is_the_old_log_still(old: Path) -> None:
    before, all_before = schema(old), rows(old)

    def half(db: Connection) -> None:
        db.execute(text("CREATE TABLE half (x TEXT)"))
        db.execute(text("DELETE FROM tabs"))
        raise KeyboardInterrupt

    engine = open_engine(f"sqlite:///{old}")
    with pytest.raises(KeyboardInterrupt), writer(engine).begin() as db:
        upgrade(db, (*STEPS, half))
    engine.dispose()
    assert schema(old) == before and rows(old) == all_before


@pytest.mark.parametrize("number", [str(SCHEMA_VERSION + 1), "99", "two", "0"])
def test_a_schema_that_this_program_does_not_know_is_named_and_nothing_is_changed(
    old: Path, number: str
) -> None:
    with closing(sqlite3.connect(old)) as db:
        db.execute("UPDATE meta SET value = ?", (number,))
        db.execute("DROP TABLE listed")  # it would be made again
        db.commit()
    before, all_before = schema(old), rows(old)
    with pytest.raises(NewerLog, match=f"schema '?{number}'?, "):
        Log(f"sqlite:///{old}")
    assert schema(old) == before and rows(old) == all_before
