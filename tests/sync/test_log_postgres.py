"""The log on a real PostgreSQL: what is promised there beyond what the tests of the log ask of
both databases. Several hosts share it, and any of them may fall silent or be cut off."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from label_config.values import Task
from settings import InvalidSetting
from sync import log_engine
from sync.connect import connect
from sync.groups import Place
from sync.log import Log, LogDown
from sync.log_audit import Entry, enter
from sync.log_engine import open_engine, transaction, writer
from sync.log_tables import SCHEMA_VERSION
from sync.log_upgrade import STEPS, upgrade
from sync.loop import HeardElsewhere, hear, turn
from sync.studio_values import SeenAnnotation, TaskState
from tests.postgres import PASSWORD, QUOTED, Postgres, until
from tests.sync.house import House, open_house

pytestmark = pytest.mark.real

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.log()


@pytest.fixture
def log(url: str) -> Iterator[Log]:
    made = Log(url)
    made.connect("1", "first")
    yield made
    made.close()


@pytest.fixture
def far(tmp_path: Path, url: str) -> Iterator[House]:
    """A house whose log is on PostgreSQL."""
    with open_house(tmp_path, url) as made:
        yield made


# ---- its address


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://ann:hush@db:port/log", "no address of a database"),
        ("hush", "no address of a database"),
        ("mysql://ann:hush@db/log", "starts with mysql://; the log is kept in SQLite"),
        ("postgresql+asyncpg://ann:hush@db/log", r"starts with postgresql\+asyncpg://"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(address: str, words: str) -> None:
    with pytest.raises(InvalidSetting, match=words) as refused:
        Log(address)
    assert "ANNOTUNE_SYNC_LOG" in str(refused.value) and "hush" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_missing_driver_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidSetting, match=r'pip install "annotune\[postgres\]"') as refused:
        Log("postgresql://ann:hush@db/log")
    assert "hush" not in str(refused.value)


def test_a_password_may_come_from_libpqs_own_file(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = url.replace(f":{QUOTED}@", "@")
    with pytest.raises(LogDown, match="no password"):
        Log(bare)
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    passes = tmp_path / "pgpass"
    passes.write_text(f"*:*:*:*:{escaped}\n")
    passes.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passes))
    Log(bare).close()


def test_a_wrong_password_and_a_silent_place_are_said_without_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_engine, "TRIES_S", (0.01,))
    with pytest.raises(LogDown, match="authentication failed") as refused:
        Log(url.replace(QUOTED, "hush"))
    assert "hush" not in str(refused.value) and "annotune:***@127.0.0.1" in str(refused.value)
    with pytest.raises(LogDown, match="does not answer: .*refused"):
        Log("postgresql://ann:hush@127.0.0.1:1/log")


# ---- one who writes, many who read


def test_two_that_open_an_empty_database_make_its_tables_once(url: str) -> None:
    both, made = threading.Barrier(2), list[Log]()

    def opened() -> None:
        both.wait()
        made.append(Log(url))

    _together(opened, opened)
    made[0].connect("1", "any")
    assert made[1].connected() == ["1"]
    for one in made:
        one.close()


def test_who_commits_later_has_the_higher_number(log: Log, url: str) -> None:
    """Else a snapshot that is frozen between the two would never see the earlier number."""
    other, inside = Log(url), threading.Event()

    def first() -> None:
        with log._write() as db:
            inside.set()
            db.execute(text("SELECT pg_sleep(0.3)"))
            enter(db, "1", [Entry(AT, "the first", "promoted")])

    def second() -> None:
        assert inside.wait(10)
        other.enter("1", [Entry(AT, "the second", "promoted")])

    _together(first, second)
    assert [e.who for e in log.audit("1")] == ["the first", "the second"]
    other.close()


def test_who_reads_sees_one_moment_and_waits_for_nobody(log: Log, url: str) -> None:
    other = Log(url)
    count = text("SELECT count(*) FROM audit")
    with log._read() as db:
        before = db.scalar(count)
        other.enter("1", [Entry(AT, "anna", "promoted")])
        with other._write() as held:  # nor does it wait
            held.execute(text("DELETE FROM tabs"))
            assert db.scalar(count) == before == 0
    assert len(log.audit("1")) == 1
    other.close()


def test_a_writer_whose_host_fell_silent_loses_its_place(
    log: Log, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_engine, "IDLE_S", 0.2)
    other = Log(url)
    with pytest.raises(LogDown), log._write() as db:
        db.execute(text("UPDATE projects SET title = 'half'"))
        other.connect("2", "the next one")  # returns once the server has thrown the first out
        db.execute(text("SELECT 1"))
    assert other.title("1") == "first" and log.connected() == ["1", "2"]
    other.close()


def test_a_place_and_a_statement_are_waited_for_only_so_long(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"lock_timeout": 200, "statement_timeout": 400}
    monkeypatch.setattr(log_engine, "SERVER", log_engine.SERVER | limits)
    log, other = Log(url), Log(url)
    with log._write(), pytest.raises(LogDown, match="lock timeout"):
        other.connect("1", "any")
    with pytest.raises(LogDown, match="statement timeout"), log._read() as db:
        db.execute(text("SELECT pg_sleep(5)"))
    other.connect("1", "any")
    assert log.connected() == ["1"]
    log.close()
    other.close()


def test_a_place_is_held_by_one_host_until_it_is_left_or_cut_off(log: Log, url: str) -> None:
    other, taken = Log(url), False
    with log.alone("hear 1") as free, other.alone("hear 1") as also, other.alone("hear 2") as next_:
        assert (free, also, next_) == (True, False, True)
    with other.alone("hear 1") as free:
        assert free
    with pytest.raises(LogDown), log.alone("hear 1"):
        with writer(log._engine).begin() as db:
            ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            ours += "WHERE datname = current_database() AND state = 'idle in transaction' "
            db.execute(text(ours + "AND pid <> pg_backend_pid()"))
        until(lambda: _takes(other, "hear 1"))
        taken = True
    assert taken
    other.close()


def test_two_hosts_do_not_read_a_project_into_the_log_at_once(far: House) -> None:
    connect(far.world, "1")
    beyond = Log(far.world.settings.log_url)
    with beyond.alone("hear 1"), pytest.raises(HeardElsewhere, match="project 1"):
        hear(far.world, "1", sweep=False)
    beyond.close()
    hear(far.world, "1", sweep=False)


def test_two_hosts_do_not_show_the_predictions_of_a_project_at_once(far: House) -> None:
    """Label Studio adds predictions, it does not replace them: each would be there twice."""
    connect(far.world, "1")
    beyond = Log(far.world.settings.log_url)
    with beyond.alone("push 1"):
        assert turn(far.world, "1").pushed is None
    beyond.close()
    pushed = turn(far.world, "1").pushed
    assert pushed is not None and pushed.shown


# ---- a project that it has no statistics of


def test_a_project_just_imported_is_not_gone_through_once_for_each_of_its_tasks(log: Log) -> None:
    """It took minutes with 1,000 tasks, until the server had counted them itself."""
    seen = list[str]()

    def explain(db: Connection, cursor: Any, words: str, values: Any, *_: object) -> None:
        if words.startswith("SELECT revisions"):
            cursor.execute(f"EXPLAIN {words}", values)
            seen.append(" ".join(line for (line,) in cursor.fetchall()))

    event.listen(log._engine, "before_cursor_execute", explain)
    log.current_annotations("1")
    (whole,) = seen
    assert "Anti Join" in whole and "Nested Loop" not in whole
    seen.clear()
    said = SeenAnnotation(7, 1, [], 5, AT, AT)
    log.append("1", [TaskState(Task(1, "1", {}), AT, (said,))], {1: Place("g", False)})
    assert "Index" in seen[0], "the few that are read anew are looked up one by one"


# ---- an older schema


def test_an_older_log_is_brought_up_to_date_or_left_as_it_was(url: str) -> None:
    Log(url).close()
    engine = writer(open_engine(url))
    with engine.begin() as db:
        db.execute(text("DROP INDEX revisions_by_author"))
        db.execute(text("UPDATE meta SET value = '1'"))

    def half(db: Connection) -> None:
        db.execute(text("DROP TABLE tabs"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), transaction(engine) as db:
        upgrade(db, (*STEPS, half))
    index = text(
        "SELECT count(*) FROM pg_indexes WHERE indexname = 'revisions_by_author' "
        "AND schemaname = current_schema()"
    )
    with engine.begin() as db:
        assert db.scalar(text("SELECT value FROM meta")) == "1" and db.scalar(index) == 0
        assert db.scalar(text("SELECT count(*) FROM tabs")) == 0
    Log(url).close()
    with engine.begin() as db:
        assert db.scalar(text("SELECT value FROM meta")) == str(SCHEMA_VERSION)
        assert db.scalar(index) == 1
    engine.dispose()


def test_what_postgresql_cannot_store_of_a_text_is_marked(log: Log) -> None:
    log.connect("1", "a NUL \x00 and half \ud83d of a sign")
    assert log.title("1") == "a NUL \ufffd and half \ufffd of a sign"
    log.enter("1", [Entry(AT, "an\x00na", "promoted", why="\udc00", detail={"x": "\x00\ud800"})])
    (entry,) = log.audit("1")
    assert (entry.who, entry.why, entry.detail) == ("an\ufffdna", "\ufffd", {"x": "\x00\ud800"})


def _takes(log: Log, place: str) -> bool:
    with log.alone(place) as free:
        return free


def _together(*calls: Callable[[], None]) -> None:
    failed = list[BaseException]()

    def safe(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # what a thread raises is the test's
            failed.append(error)

    threads = [threading.Thread(target=safe, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
