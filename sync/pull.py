"""Hearing: what changed in Label Studio since the cursor goes into the log.

The pull is the truth (law 1). It asks from a little before the cursor, since a long transaction
may publish an older timestamp late; tasks that came later still are found by comparing ids, and
then everything is read again. So it is when Label Studio's clock was set back behind the cursor:
edits from then on are older than what was heard. What is heard twice changes nothing in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from label_config import Schema
from sync.groups import Groups, Place, group_text
from sync.log import Appended, Log
from sync.studio_values import StudioLike, TaskState
from sync.terms import schema_of_groups

OVERLAP = timedelta(seconds=30)
SLACK = timedelta(seconds=5)  # servers of one Label Studio may differ by so much
LATE = timedelta(minutes=10)  # no transaction of Label Studio takes so long
PART = 500  # task states in one transaction of the log

Stamp = tuple[int, float, str]
Memory = dict[str, tuple[Stamp, Groups]]
"""By project: how many tasks, and by which rules, were in these groups. Made anew of 100,000 tasks
for a single new one, they took seconds."""


@dataclass(frozen=True)
class Changes:
    """What one pull found that the log did not know."""

    added: Appended = Appended()
    deleted_tasks: int = 0
    swept: bool = False
    set_back_s: float = 0.0
    """By how much Label Studio's clock was behind what had been heard; 0 as a rule."""

    @property
    def any(self) -> bool:
        return self.added != Appended() or bool(self.deleted_tasks)


def pull(
    studio: StudioLike,
    log: Log,
    project: str,
    share: float,
    sweep: bool = False,
    after_part: Callable[[], None] = lambda: None,
    memory: Memory | None = None,
) -> Changes:
    """Take in what changed; compare task ids when asked to, or when the numbers do not agree.

    The project must be connected in the log. Raises StudioError; what was taken in before it
    stays, the cursor stands behind exactly that, and a project that is gone keeps its log.
    `after_part` is called after each part of the log's growth; `memory` is what this process keeps
    from one pull to the next.
    """
    info = studio.project(project)
    log.see_config(project, info.config)
    clock, cursor = studio.server_time(), log.cursor(project)
    if set_back := behind(clock, cursor):
        log.begin_again(project)  # first: who is killed now goes on from there
        cursor = None
    schema = schema_of_groups(info.config)
    spans = (c for c in schema.controls if c.form == "spans")
    log.see_labels(project, ((c.name, value) for c in spans for value in c.values))
    places = _Places(log, project, share, schema, memory if memory is not None else {})

    def take_in(since: datetime | None) -> Appended:
        added = Appended()
        for part in _parts(studio.changed_tasks(project, since)):
            part = log.unforgotten(project, part)
            added += log.append(project, part, places.of_unknown(part), clock)
            after_part()
        places.keep(added)
        return added

    added = take_in(cursor - OVERLAP if cursor else None)
    # counted anew: tasks may have come since the first look, and were taken in just now
    # what was forgotten here may still be there
    known, more = log.live_tasks(project), len(log.tombstones(project)[0])
    sweep = sweep or not known <= studio.project(project).tasks <= known + more
    deleted = 0
    if sweep:  # a deletion leaves no trace there, and a late commit is older than the cursor
        ours, there = set(log.sides(project)), studio.task_ids(project)
        deleted = log.bury(project, ours - there)
        if there - ours - log.tombstones(project)[0]:
            added += take_in(None)
    if clock:  # else all of a bulk import, of one moment, would be listed in each pull for ever
        log.heard_until(project, clock - LATE)
    return Changes(added, deleted, sweep, set_back.total_seconds())


def behind(clock: datetime | None, heard: datetime | None) -> timedelta:
    """By how much a clock was set back behind what was heard under it; zero where it was not."""
    late = heard - clock if clock and heard else timedelta()
    return late if late > SLACK else timedelta()


def _parts(states: Iterator[TaskState]) -> Iterator[list[TaskState]]:
    while part := list(islice(states, PART)):
        yield list({s.task.id: s for s in part}.values())  # heard twice: the later state counts


@dataclass
class _Places:
    """Puts tasks into groups; looks at the log only once there is a task it has never seen, and at
    all of its tasks only where the memory is of another state of it."""

    log: Log
    project: str
    share: float
    schema: Schema
    memory: Memory
    groups: Groups | None = None

    def of_unknown(self, states: Sequence[TaskState]) -> Mapping[int, Place]:
        known = self.log.known_tasks(self.project, [s.task.id for s in states])
        fresh = sorted((s.task for s in states if s.task.id not in known), key=lambda t: t.id)
        if fresh and self.groups is None:
            stamp, known_groups = self.memory.pop(self.project, (None, None))
            self.groups = known_groups if stamp == self._stamp() else self._all()
        if self.groups is None:
            return {}
        return {t.id: self.groups.place(t.id, group_text(t.data, self.schema)) for t in fresh}

    def keep(self, added: Appended) -> None:
        """All of it is in the log: the next pull may go on from here, unless a text changed."""
        if added.texts:
            self.memory.pop(self.project, None)
            self.groups = None
        elif self.groups is not None:
            self.memory[self.project] = self._stamp(), self.groups

    def _all(self) -> Groups:
        groups = Groups(self.project, self.share)
        for task in self.log.first_seen_order(self.project):
            groups.remember(group_text(task.data, self.schema), task.place)
        return groups

    def _stamp(self) -> Stamp:
        return self.log.ever_seen(self.project), self.share, self.schema.digest
