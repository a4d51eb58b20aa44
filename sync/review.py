"""Review: children go to a project of their own in Label Studio, and come back decided.

Parent beside child, filled in with the child's answer; submit approves, an edit corrects, skip
rejects. Each step may be cut off and is safe to repeat: the project is found again by its
description, its tasks by the child they hold, what people said is read as often as one likes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from augment.values import Made
from label_config.snapshot_json import region_from_dict
from label_config.values import Example
from label_config.wire import write_result
from lora.expansions import Expansions, challengers_of
from lora.store import ProjectStore
from settings import Settings
from sync.approvals import CHILD, Readings
from sync.challenge import human_snapshot
from sync.log import Log
from sync.log_reviews import Decision, Review, last_on_tasks, standing
from sync.log_tables import now
from sync.pull import OVERLAP, behind
from sync.refit import Fitted, refit
from sync.review_config import PARENT, review_config
from sync.studio_values import NewTask, NoSuchProject, StudioLike, TaskState
from sync.terms import Terms, read_terms

logger = logging.getLogger(__name__)

VERSION = "synthetic"
PART = 100  # tasks in one import
GUIDE = (
    "The text on the right was made of the one on the left. Submit: it may teach as it is labelled."
    " Correct the label first where it is wrong. Skip: it is not used. Nobody edits texts here; a "
    "task that is deleted counts as skipped."
)
DELETED = "its task was deleted"


@dataclass(frozen=True)
class Reviewer:
    """One project's reviews: what `advance` needs of the world."""

    log: Log
    studio: StudioLike
    store: ProjectStore
    settings: Settings
    project: str

    def advance(self) -> None:
        """Open the review that is due, take in what people said, and close it once every child is
        decided (or its project deleted). Raises StudioError."""
        review = self.log.waiting_review(self.project) or self._start()
        if review is None:
            return
        children = children_of(self.store, review.snapshot)
        terms = self._terms(review.snapshot)
        shown, gone = read_terms(self.settings, review_config(terms.config, terms.schema)), False
        try:
            if review.opened_at is None:
                self._fill(review, children, shown)
            self._hear(review, children, shown)
        except NoSuchProject:
            gone = True  # what was decided by then counts
        said = self._standing(review.snapshot)
        if gone or all(c.id in said for c in children):
            self._close(review, children)

    def _terms(self, snapshot: str) -> Terms:
        return read_terms(self.settings, self.store.snapshot(snapshot).config)

    def _standing(self, snapshot: str) -> dict[str, Decision]:
        return standing(self.log.decisions(self.project, snapshot))

    # ---- opening

    def _start(self) -> Review | None:
        """The project for the children of the last judged round, made now if it is not there."""
        rounds = self.log.rounds(self.project)
        if not rounds or rounds[-1]["state"] != "settled":
            return None
        snapshot, place = self._due(human_snapshot(rounds[-1])), Expansions(self.store)
        if snapshot is None or not children_of(self.store, snapshot):
            place.answer_review()
            return None
        terms = self._terms(snapshot)
        mark = f"annotune review: project {self.project}, snapshot {snapshot}"
        found = self.studio.find_project(mark)
        if found is None:
            title = f"Review {snapshot[:8]}: {self.log.title(self.project)}"
            config = review_config(terms.config, terms.schema)
            found = self.studio.make_project(title, mark, config, GUIDE)
        started = self.log.start_review(self.project, snapshot, found)
        place.answer_review()
        return started

    def _due(self, last: str) -> str | None:
        """The snapshot whose children people are to see: one that somebody asked for
        (`annotune augment --review`), or the last one, where nothing is let in without them."""
        place = Expansions(self.store)
        asked = place.review_asked()
        record = place.get(asked or last)
        if record is None or record.get("review") or self.log.review(self.project, asked or last):
            return None
        unseen = not record["challenger"] and record.get("policy", {}).get("review")
        return asked or (last if unseen else None)

    def _fill(self, review: Review, children: Sequence[Example], terms: Terms) -> None:
        states = self.studio.changed_tasks(review.review, None)
        there = {str(s.task.data.get(CHILD)) for s in states}
        tasks = self.log.tasks(self.project, sorted({c.task for c in children}))
        shown = Shown(
            {e.id: e for e in self.store.snapshot(review.snapshot).train},
            {t.id: t.data for t in tasks},
            terms,
        )
        missing = [c for c in children if c.id not in there and c.task in shown.data]
        for i in range(0, len(missing), PART):
            part = [shown.task(c) for c in missing[i : i + PART]]
            self.studio.import_tasks(review.review, part)
        self.log.open_review(self.project, review.snapshot)

    # ---- hearing

    def _hear(self, review: Review, children: Sequence[Example], terms: Terms) -> None:
        """Append what people said and had not said before."""
        known = self.log.decisions(self.project, review.snapshot)
        read = Readings(terms.schema, {c.id: c for c in children})
        held = self.studio.project(review.review).tasks
        clock = self.studio.server_time()
        known_all = held == len(children) and not behind(clock, review.heard)
        since = review.heard - OVERLAP if review.heard and known_all else None
        changed = list(self.studio.changed_tasks(review.review, since))
        states = self.log.unforgotten(self.project, changed)
        fresh = [*_said(states, read, known)]
        if held != len(children):  # all were read
            fresh += _deleted(states, read.children, known)
        if fresh:
            names = self.studio.people()
            fresh = [replace(d, who=names.get(d.author or 0, "")) for d in fresh]
            self.log.decided(self.project, review.snapshot, fresh)
        if states:
            last = max(s.updated_at for s in states)
            self.log.heard_review(self.project, review.snapshot, min(last, clock or last))

    # ---- closing

    def _close(self, review: Review, children: Sequence[Example]) -> None:
        """Make the challenger of what was approved; while a round is under way, later."""
        rounds = self.log.rounds(self.project)
        if rounds[-1]["state"] != "settled":
            return
        place, base = Expansions(self.store), human_snapshot(rounds[-1])
        own, newest = self.store.snapshot(review.snapshot), self.store.snapshot(base)
        said = self._standing(review.snapshot)
        rows = [_approved(c, said[c.id]) for c in children if c.id in said]
        approved = [r for r in rows if r is not None]
        tasks = self.log.tasks(self.project, sorted({r.task for r in approved}))
        fit = refit(approved, own, newest, self.settings, {t.id: t.data for t in tasks})
        report = _report(review, children, said, fit)
        record, there = place.get(review.snapshot) or {}, place.get(base)
        digest = None
        if fit.rows:
            whole = replace(newest, examples=(*newest.examples, *fit.rows))
            digest = self.store.put_snapshot(whole, clean=True)
        if fit.rows or there:  # a newer one that gains nothing is expanded afresh
            former = [c for c in challengers_of(there or {}) if c != digest]
            mine = {"snapshot": base, "challenger": digest, "former": former}
            place.put(base, {**record, **mine, "review": report})
        self.log.close_review(self.project, review.snapshot, report)
        whys = "; ".join(f"{n}: {why}" for why, n in report["dropped"].items())
        told = f"{len(fit.rows)} of {len(approved)} approved children teach"
        logger.info("project %s: the review is over, %s %s", self.project, told, whys)


def _report(
    review: Review, children: Sequence[Example], said: Mapping[str, Decision], fit: Fitted
) -> dict[str, Any]:
    """What came of a review: what was said, by whom, what teaches, what does not and why."""
    counts = Counter(said[c.id].said if c.id in said else "undecided" for c in children)
    return {
        "project": review.review,
        "made_of": review.snapshot,
        "counts": dict(counts),
        "by": sorted({d.who or f"user {d.author}" for d in said.values() if d.author}),
        "rows": [r.id for r in fit.rows],
        "dropped": dict(Counter(fit.dropped.values())),
        "left_out": dict(fit.dropped),
        "lost": fit.lost,
    }


@dataclass(frozen=True)
class Shown:
    """Children as tasks. `parents` by id; `data`: of the parents' tasks; `terms`: the review's."""

    parents: Mapping[str, Example]
    data: Mapping[int, Mapping[str, object]]
    terms: Terms

    def task(self, child: Example) -> NewTask:
        """Whatever else the parent's task shows stands beside the child too."""
        origin, parent = child.origin, self.parents[str(child.origin.parent)]
        data: dict[str, Any] = dict(self.data[child.task]) | dict(child.texts)
        data |= {f"{PARENT}{key}": text for key, text in parent.texts.items()}
        data |= {
            CHILD: child.id,
            "annotune_parent": parent.id,
            "annotune_transform": origin.transform,
            "annotune_generator": origin.generator or "",
            "annotune_prompt": origin.prompt or "",
        }
        schema = self.terms.schema
        return NewTask(data, write_result(schema, child.task, child.answers, data), VERSION)


def children_of(store: ProjectStore, snapshot: str) -> list[Example]:
    """The children of a snapshot's record as rows, those that experts see first in front."""
    record = Expansions(store).get(snapshot) or {}
    parents = {e.id: e for e in store.snapshot(snapshot).train}
    shown = (*record.get("experts_first", ()), *record.get("kept", ()))
    return [_child(raw, parents) for raw in shown if "answers" in raw]  # older records have none


def _child(raw: Mapping[str, Any], parents: Mapping[str, Example]) -> Example:
    origin = raw["origin"]
    made = Made(
        parent=origin["parent"],
        texts=raw["texts"],
        answers=tuple(region_from_dict(r) for r in raw["answers"]),
        transform=origin["transform"],
        generator=origin["generator"],
        prompt=origin["prompt"],
        seed=origin["seed"],
    )
    return made.as_example(parents[made.parent], origin["weight"])


def _said(
    states: Iterable[TaskState], read: Readings, known: Iterable[Decision]
) -> Iterable[Decision]:
    last = last_on_tasks(known)
    for state in states:
        here, child = read.of(state), str(state.task.data.get(CHILD))
        before = last.get((child, state.task.id))
        if here is not None and not here.same(before):
            yield here
        elif here is None and before is not None and before.said != "withdrawn":
            yield replace(before, said="withdrawn", decided_at=now(), answers=(), why="")


def _deleted(
    states: Iterable[TaskState], children: Mapping[str, Example], known: Iterable[Decision]
) -> Iterable[Decision]:
    there, last = {str(s.task.data.get(CHILD)) for s in states}, last_on_tasks(known)
    for child in children:
        if child not in there and (child, 0) not in last:
            yield Decision(child, 0, None, "rejected", None, now(), why=DELETED)


def _approved(child: Example, said: Decision) -> Example | None:
    """The child as a person let it in."""
    if said.said not in ("approved", "corrected") or said.author is None:
        return None
    answers = tuple(region_from_dict(dict(r)) for r in said.answers)
    return replace(child, answers=answers, origin=replace(child.origin, approved_by=said.author))
