"""The log on a real PostgreSQL that stops under a running sync, is backed up, and is put back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import text

from sync import log_engine
from sync.backup import backup
from sync.connect import connect
from sync.log import Log
from sync.log_audit import Entry
from sync.log_tables import metadata
from sync.restore import restore
from sync.service import Service
from tests.postgres import PASSWORD, QUOTED, Postgres, run_postgres, until
from tests.sync.backed_up import OPS, files
from tests.sync.house import House, open_house

pytestmark = pytest.mark.real

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def far(tmp_path: Path, postgres: Postgres) -> Iterator[House]:
    """A house whose log is on PostgreSQL."""
    with open_house(tmp_path / "far", postgres.log()) as made:
        yield made


# ---- it stops, and comes back


def test_killed_under_a_running_sync_it_loses_nothing_and_sync_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_engine, "TRIES_S", (0.05,))
    with run_postgres() as own, open_house(tmp_path, own.log()) as house:
        world = replace(
            house.world,
            settings=replace(
                house.world.settings,
                sync=replace(house.world.settings.sync, poll_s=0.05, quiet_s=0.05),
            ),
        )
        connect(world, "1")
        service = Service(world)
        loop = threading.Thread(target=service.run)
        loop.start()
        try:
            house.answer(3)
            until(lambda: world.log.counts("1").answers == 3)
            own.kill()
            house.answer(2)
            service.nudge("1", False)
            until(lambda: service.health()["status"] == "DEGRADED")
            said = str(service.health())
            assert "does not answer" in said and PASSWORD not in said and QUOTED not in said
            house.answer(3)
            own.start()
            until(lambda: service.health()["status"] == "UP")
            until(lambda: world.log.counts("1").answers == 8)
            assert loop.is_alive()
            held = {a.id for s in house.studio.tasks.values() for a in s.annotations}
            assert {a.id for a in world.log.current_annotations("1")} == held
            until(lambda: world.log.wanted("1") is not None)  # and it goes on to train
        finally:
            service.stop()
            loop.join()
    assert PASSWORD not in caplog.text and QUOTED not in caplog.text


# ---- copies, and the way back


def filled(house: House) -> None:
    connect(house.world, "1")
    house.answer(6)
    Service(house.world).turn("1")
    house.judge(house.wanted())
    Service(house.world).turn("1")


def contents(log: Log) -> dict[str, list[tuple[object, ...]]]:
    """All that stands in every table, as it is stored."""
    with log._read() as db:
        return {
            name: sorted((tuple(r) for r in db.execute(text(f'SELECT * FROM "{name}"'))), key=repr)
            for name in metadata.tables
        }


def test_a_backup_goes_back_into_either_database(
    far: House, postgres: Postgres, tmp_path: Path
) -> None:
    filled(far)
    ours = far.world.settings
    before = contents(far.world.log)
    assert before["revisions"] and before["rounds"] and before["audit"]
    kept, _ = backup(ours)
    for home, address in (("file", ""), ("server", postgres.log())):
        there = replace(ours, home=tmp_path / home, sync=replace(ours.sync, log=address))
        restore(there, kept.path, OPS, "the disk died")
        assert files(there.store) == files(ours.store)
        log = Log(there.log_url)
        after = contents(log)
        assert log.audit("1")[-1].what == "restored" and log.counts("1").answers == 6
        log.connect("2", "it can be written to, and counts on")
        log.enter("2", [Entry(AT, "anna", "promoted")])
        log.close()
        assert len(after.pop("audit")) == len(before["audit"]) + 1
        assert after == {name: rows for name, rows in before.items() if name != "audit"}


def test_a_restore_sets_aside_what_was_there_and_is_whole_or_not_at_all(
    far: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(far)
    kept, _ = backup(far.world.settings)
    far.world.log.connect("7", "it came after the backup")
    with monkeypatch.context() as broken:
        broken.setattr("sync.log_copy._pour", _broken)
        with pytest.raises(RuntimeError, match="cut off"):
            restore(far.world.settings, kept.path, OPS, replace=True)
    assert far.world.log.connected() == ["1", "7"], "the log is as it was"
    done = restore(far.world.settings, kept.path, OPS)  # goes on, unasked
    assert far.world.log.connected() == ["1"] and done.aside is not None
    with far.world.log._read() as db:
        where = f'SELECT count(*) FROM "{done.aside.name}".projects'
        assert db.scalar(text(where)) == 2, "and what was there is in a schema beside it"


def test_what_is_forgotten_is_in_no_page_of_its_tables(far: House, postgres: Postgres) -> None:
    log = far.world.log
    log.connect("1", "any")
    with log._write() as db:
        db.execute(text("INSERT INTO listed VALUES ('1', 'gone-from-here', 5, '2026')"))
        db.execute(text("DELETE FROM listed"))
    assert b"gone-from-here" in _pages(log, postgres)
    assert log.scrub() is None
    assert b"gone-from-here" not in _pages(log, postgres)


def _pages(log: Log, postgres: Postgres) -> bytes:
    with log._write() as db:
        place = str(db.scalar(text("SELECT pg_relation_filepath('listed')")))
    postgres.say("postgres", "CHECKPOINT")
    return (postgres.folder / "data" / place).read_bytes()


def _broken(*_: object) -> None:
    raise RuntimeError("cut off")
