"""The tables of the annotation log; the same on SQLite and on PostgreSQL (log_engine opens either).

Times are stored as UTC text of one width, so that they sort and compare the same everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    literal_column,
)

T = TypeVar("T")
SCHEMA_VERSION = 3
"""Of these tables; each step to the next is in log_upgrade.py."""
CHUNK = 500
UNSTORABLE = dict.fromkeys([0, *range(0xD800, 0xE000)], "\ufffd")
FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


def now() -> datetime:
    return datetime.now(timezone.utc)


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists short enough for one IN (...)."""
    rest = iter(items)
    while part := list(islice(rest, CHUNK)):
        yield part


class Moment(TypeDecorator[datetime]):
    """A point in time as text such as 2026-11-22T07:29:16.629334Z."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(timezone.utc).strftime(FORM)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        # fromisoformat: ten times as fast as strptime, and before Python 3.11 it knows no Z
        return None if value is None else datetime.fromisoformat(f"{value[:-1]}+00:00")


class Json(TypeDecorator[Any]):
    """Any JSON as ASCII text: keeps NUL and lone surrogates, which PostgreSQL refuses."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Words(TypeDecorator[str]):
    """Text that people or Label Studio wrote; a NUL and half a character, which PostgreSQL refuses
    with the whole statement, become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isprintable() and value.isascii()):
            return value
        return value.translate(UNSTORABLE)


Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up Integer keys only
Project = String(64)
metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(32), primary_key=True), Column("value", Words))

projects = Table(
    "projects",
    metadata,
    Column("project", Project, primary_key=True),
    Column("title", Words, nullable=False),
    Column("connected_at", Moment, nullable=False),
    Column("config", Words, nullable=False),
    Column("cursor", Moment),
)

tasks = Table(
    "tasks",
    metadata,
    Column("project", Project, ForeignKey("projects.project"), primary_key=True),
    Column("task", Number, primary_key=True, autoincrement=False),
    Column("data", Json, nullable=False),
    Column("grp", String(64), nullable=False),
    Column("blind", Boolean, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("deleted_at", Moment),
)

revisions = Table(
    "revisions",  # append only; a skip and a deletion are revisions too
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("project", Project, nullable=False),
    Column("task", Number, nullable=False),
    Column("annotation", Number, nullable=False),
    Column("n", Integer, nullable=False),
    Column("state", String(9), nullable=False),  # kept, cancelled, deleted
    Column("content", String(64), nullable=False),
    Column("result", Json, nullable=False),
    Column("author", Number),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("lead_time", Float),
    Column("ground_truth", Boolean, nullable=False),
    Column("parent_prediction", Number),
    Column("seen_at", Moment, nullable=False),
    UniqueConstraint("project", "annotation", "n"),
    ForeignKeyConstraint(["project", "task"], ["tasks.project", "tasks.task"]),
    Index("revisions_of_task", "project", "task"),
)
revisions_by_author = Index("revisions_by_author", revisions.c.project, revisions.c.author)
revisions_in_order = Index("revisions_in_order", revisions.c.project, revisions.c.seq)

shown = Table(
    "shown",  # every prediction that Label Studio holds or held
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("project", Project, nullable=False),
    Column("task", Number, nullable=False),
    Column("version", Words, nullable=False),
    Column("prediction", Number),
    Column("result", Json, nullable=False),
    Column("empty", Boolean, nullable=False),
    Column("score", Float),
    Column("how", String(6), nullable=False),  # pushed by us, or pulled: it was there
    Column("visible_from", Moment, nullable=False),
    Column("confirmed", Boolean, nullable=False),  # False: on its way when we last looked
    Column("removed_at", Moment),
    UniqueConstraint("project", "prediction"),
    ForeignKeyConstraint(["project", "task"], ["tasks.project", "tasks.task"]),
    Index("shown_on_task", "project", "task"),
    Index("shown_of_version", "project", "version"),
)

_there = shown.c.removed_at.is_(None)
shown_there = Index(
    "shown_there",
    *(shown.c.project, shown.c.version, shown.c.task),
    sqlite_where=_there,
    postgresql_where=_there,
)
_on_its_way = ~shown.c.confirmed
shown_on_its_way = Index(
    "shown_on_its_way",
    *(shown.c.project, shown.c.version),
    sqlite_where=_on_its_way,
    postgresql_where=_on_its_way,
)
_says = ~shown.c.empty
shown_said = Index(
    "shown_said",
    *(shown.c.project, shown.c.version, shown.c.seq),
    sqlite_where=_says,
    postgresql_where=_says,
)

standing = Table(
    "standing",  # what stands of each live task, by the tables above (log_sums.py)
    metadata,
    Column("project", Project, primary_key=True),
    Column("task", Number, primary_key=True, autoincrement=False),
    Column("blind", Boolean, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("skips", Integer, nullable=False),
    Column("version", Words, nullable=False),  # a prediction of it is there; empty: not known
)
OPEN = standing.c.answers == literal_column("0", Integer)  # a parameter would miss the index
standing_open = Index(
    "standing_open",
    *(standing.c.project, standing.c.version, standing.c.task, standing.c.blind),
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)

sums = Table(
    "sums",  # of what stands, a row a project
    metadata,
    Column("project", Project, primary_key=True),
    Column("tasks", Integer, nullable=False),
    Column("blind_tasks", Integer, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("blind", Integer, nullable=False),  # blind tasks with an answer
    Column("skips", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),  # neither answered nor blind
    Column("drawn", Integer, nullable=False),  # grows whenever the list of blind tasks changes
)

versions = Table(
    "versions",  # which version a project showed from when on
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("project", Project, ForeignKey("projects.project"), nullable=False),
    Column("version", Words, nullable=False),
    Column("visible_from", Moment, nullable=False),
)

labels = Table(
    "labels",  # labels of spans, and since when people could mark them (null: always)
    metadata,
    Column("project", Project, ForeignKey("projects.project"), primary_key=True),
    Column("control", Words, primary_key=True),
    Column("label", Words, primary_key=True),
    Column("since", Moment),
)

rounds = Table(
    "rounds",  # snapshots that were to be trained, and what became of them
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("project", Project, ForeignKey("projects.project"), nullable=False),
    Column("snapshot", String(64), nullable=False),
    Column("reason", Words, nullable=False),
    Column("report", Json, nullable=False),
    Column("upto", Number, nullable=False),
    Column("state", String(7), nullable=False),  # wanted, settled, parked
    Column("attempts", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("settled_at", Moment),
    Column("verdict", Json),
    Index("rounds_of_project", "project", "state"),
)

reviews = Table(
    "reviews",  # children of a snapshot that people were asked to look at, and where
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("project", Project, ForeignKey("projects.project"), nullable=False),
    Column("snapshot", String(64), nullable=False),
    Column("review", Project, nullable=False),  # the review project's id in Label Studio
    Column("created_at", Moment, nullable=False),
    Column("opened_at", Moment),
    Column("heard", Moment),
    Column("closed_at", Moment),
    Column("report", Json),
    UniqueConstraint("project", "snapshot"),
)

decisions = Table(
    "decisions",  # append only: who said what of a child, and when
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("project", Project, ForeignKey("projects.project"), nullable=False),
    Column("snapshot", String(64), nullable=False),
    Column("child", Words, nullable=False),
    Column("task", Number, nullable=False),
    Column("annotation", Number),
    Column("said", String(9), nullable=False),  # approved, corrected, rejected, withdrawn
    Column("author", Number),
    Column("who", Words, nullable=False),
    Column("answers", Json, nullable=False),
    Column("why", Words, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Index("decisions_of_review", "project", "snapshot"),
)

audit = Table(
    "audit",  # append only, which the database itself holds: who did what, when and why
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("project", Project, nullable=False),  # of no other table: it outlives the project
    Column("at", Moment, nullable=False),
    Column("who", Words, nullable=False),
    Column("what", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("detail", Json, nullable=False),
    Column("mark", String(96)),  # of what was heard from elsewhere: it is entered once
    Column("noted_at", Moment, nullable=False),
    UniqueConstraint("project", "mark"),
)

tombstones = Table(
    "tombstones",  # what was forgotten, by its id alone: no pull brings it back
    metadata,
    Column("project", Project, primary_key=True),
    Column("kind", String(10), primary_key=True),  # task, annotation
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
)

tabs = Table(
    "tabs",  # tabs that sync keeps in Label Studio's Data Manager
    metadata,
    Column("project", Project, ForeignKey("projects.project"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("tab", Number, nullable=False),  # its id there
    Column("tasks", Json, nullable=False),  # what it was last told to show
    Column("stamp", Words, nullable=False),  # of what that was drawn from
    Column("deleted_at", Moment),  # by a person: it is not made again
)

listed = Table(
    "listed",  # tasks that people were asked to look at again, and since when
    metadata,
    Column("project", Project, ForeignKey("projects.project"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("task", Number, primary_key=True, autoincrement=False),
    Column("since", Moment, nullable=False),
)

_KEPT = "the audit log is append only"
for _verb in ("UPDATE", "DELETE"):
    _ddl = (
        f"CREATE TRIGGER audit_no_{_verb.lower()} BEFORE {_verb} ON audit "
        f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
    )
    _trigger = DDL(_ddl)  # type: ignore[no-untyped-call]
    event.listen(audit, "after_create", _trigger.execute_if(dialect="sqlite"))
for _ddl in (
    "CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_KEPT}'; END $$",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
):
    _trigger = DDL(_ddl)  # type: ignore[no-untyped-call]
    event.listen(audit, "after_create", _trigger.execute_if(dialect="postgresql"))
