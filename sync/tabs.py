"""Tabs of the Data Manager that show people what to look at again; made once, kept by sync.

A tab is known by its id, which the log keeps, or, where a crash came between making and noting it,
by our mark in its data: never by its title. A person may rename it, choose columns and order; which
tasks it shows is ours. One that a person deleted stays away until `annotune connect` runs again.
Nothing here touches a task: whoever has one open keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lora.store import ProjectStore
from sync.again import KINDS, Again, Kind
from sync.log import Log
from sync.log_tabs import KnownTab
from sync.studio_tabs import Filters, TabInfo
from sync.studio_values import NoSuchProject, StudioLike
from sync.terms import Terms

TITLES: dict[Kind, str] = {
    "disagrees": "Model disagrees with the label",
    "unsure": "Least sure",
    "people": "Annotators disagree",
    "audit": "Blind audit",
}
ALL = "Default"  # the name Label Studio gives its own first tab, which shows every task
LEAST_FIRST = ["tasks:predictions_score"]


def keep_tabs(
    log: Log,
    studio: StudioLike,
    store: ProjectStore,
    project: str,
    terms: Terms,
    look: bool = False,
) -> list[Kind]:
    """Let each tab show what is due; returns those that were made or filled anew.

    Label Studio is asked only where something changed since, or to `look` whether anybody changed
    a tab there. Raises StudioError.
    """
    again, known = Again(log, store, project, terms), log.tabs(project)
    kinds = [k for k in KINDS if not (k in known and known[k].deleted)]
    due = {k: _is_due(again, known.get(k), k, look) for k in kinds}
    stamps = {  # what is least sure may be another: it is looked for when people want more
        k: again.stamp(k) if due[k] or k != "unsure" else known[k].stamp for k in kinds
    }
    before = {k: known[k].tasks if k in known else () for k in kinds}
    wanted = {k: again.tasks(k, before[k]) if due[k] else list(before[k]) for k in kinds}
    stale = [k for k in kinds if look or k not in known or list(known[k].tasks) != wanted[k]]
    for kind in set(kinds) - set(stale):
        tab = known[kind]
        if tab.stamp != stamps[kind]:  # the same tasks out of something new
            log.keep_tab(project, kind, tab.tab, tab.tasks, stamps[kind])
    if not stale:
        return []
    there, done = studio.tabs(project), list[Kind]()
    if not there:  # else our tabs would be all that people see
        studio.make_tab(project, ALL)
    for kind in stale:
        if _keep(again, studio, known.get(kind), there, kind, wanted[kind], stamps[kind]):
            done.append(kind)
    return done


def _is_due(again: Again, tab: KnownTab | None, kind: Kind, look: bool) -> bool:
    """Whether to look for the tasks to show, else those it shows stay. Answered ones stay among the
    open ones until half of these are done: each change leaves its filters in Label Studio."""
    if tab is None or (look and kind != "unsure"):
        return True
    return again.stirred(kind, tab.stamp, tab.tasks)


def _keep(
    again: Again,
    studio: StudioLike,
    known: KnownTab | None,
    there: Sequence[TabInfo],
    kind: Kind,
    tasks: Sequence[int],
    stamp: str,
) -> bool:
    """Make or fill one tab; False where it stands already, or a person deleted it."""
    log, project = again.log, again.project
    found = _find(known, there, kind)
    if known and found is None:
        log.lose_tab(project, kind)
        return False
    filters = _filters(again, kind, tasks)
    if kind in ("disagrees", "people", "audit"):
        log.list_tasks(project, kind, tasks)  # first: who looks at it the same moment counts
    if found is None:
        order = LEAST_FIRST if kind == "unsure" else []
        tab = studio.make_tab(project, TITLES[kind], kind, filters, order)
    else:
        tab = found.id
        try:
            if not found.shows(filters):
                studio.fill_tab(project, found, filters)
        except NoSuchProject:  # deleted this moment; the next look says so
            return False
    log.keep_tab(project, kind, tab, tasks, stamp)
    return found is None or not found.shows(filters)


def _find(known: KnownTab | None, there: Sequence[TabInfo], kind: Kind) -> TabInfo | None:
    if known is not None:
        return next((t for t in there if t.id == known.tab), None)
    return next((t for t in there if t.mark == kind), None)


def _filters(again: Again, kind: Kind, tasks: Sequence[int]) -> Filters:
    if kind == "unsure":
        return Filters(tasks=tuple(tasks))
    named = (again.annotation_of(task) for task in tasks)
    return Filters(annotations=tuple(a for a in named if a is not None))
