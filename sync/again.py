"""What people should look at again, and which blind answers are audited. Only looks; sync/tabs.py
shows it.

Blind tasks are drawn by hash for the audit and stand in no other list: one that was picked because
a model or a person doubts it would judge the next model by what this one thinks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from lora.doubts import Doubt, Doubts
from lora.store import ProjectStore
from sync.challenge import human_snapshot
from sync.consensus import disputed
from sync.log import Log
from sync.log_shown import Shown
from sync.order import drawn_by
from sync.readings import by_task, read_answers
from sync.studio_values import SeenAnnotation
from sync.terms import Terms

Kind = Literal["disagrees", "unsure", "people", "audit"]
KINDS: tuple[Kind, ...] = ("disagrees", "unsure", "people", "audit")
WINDOW = 30  # tasks of one tab: a morning's work; the worst come in first, as others leave


@dataclass(frozen=True)
class Again:
    """One project at one moment."""

    log: Log
    store: ProjectStore
    project: str
    terms: Terms

    def tasks(self, kind: Kind, before: Sequence[int] = ()) -> list[int]:
        """What a tab of this kind shows now. `before`: what it shows already, which stays as long
        as it belongs there: nobody's list is shuffled under their hands. Only the least sure are
        others with another version."""
        ways: dict[Kind, Callable[[], list[int]]] = {
            "disagrees": self._disagrees,
            "unsure": self._unsure,
            "people": self._people,
            "audit": self._audit,
        }
        due = ways[kind]()
        wanted = set(due)
        stay = [t for t in before if t in wanted and kind != "unsure"][:WINDOW]
        fresh = [task for task in due if task not in set(stay)]
        return sorted([*stay, *fresh[: WINDOW - len(stay)]])

    def doubts(self) -> tuple[int, list[Doubt]]:
        """What is doubted of the newest round that was looked at, and how far its snapshot read the
        log."""
        if self._doubted is None:
            return 0, []
        upto, snapshot = self._doubted
        return upto, Doubts(self.store).get(snapshot) or []

    def stamp(self, kind: Kind) -> str:
        """Changes where the list may: the config, answers, the version in view and how far its
        predictions reach, what is doubted."""
        if kind == "unsure":
            parts = [self.terms.schema.short]
            for last in self.log.versions(self.project)[-1:]:
                parts += [last.version, str(self.log.last_said(self.project, last.version))]
            return " ".join(parts)
        parts = [self.terms.schema.short, str(self.log.last_revision(self.project))]
        if kind == "disagrees" and self._doubted:
            parts.append(self._doubted[1][:16])
        return " ".join(parts)

    def stirred(self, kind: Kind, stamp: str, tasks: Sequence[int]) -> bool:
        """Whether a list that was stamped so, and shows these, may be another now. Of all that was
        said since, only what touches a task counts that it shows or could come to show: each answer
        changes the stamp, and all answers would be read again."""
        now = self.stamp(kind)
        (short, *was), (short_now, *is_) = stamp.split(" "), now.split(" ")
        if kind == "unsure":
            return (short, was[:1]) != (short_now, is_[:1]) or self._runs_low(tasks, stamp != now)
        if short != short_now or was[1:] != is_[1:] or int(was[0]) > int(is_[0]):
            return True  # a smaller number: something was forgotten
        touched = self.log.touched(self.project, int(was[0]))
        if touched & set(tasks):
            return True
        if kind == "people":
            return bool(self.log.several(self.project, touched))
        if len(tasks) == WINDOW:  # none of them leaves, and no other gets in
            return False
        if kind == "audit":
            return any(self.log.sides(self.project, touched).values())
        return not touched.isdisjoint(doubt.task for doubt in self.doubts()[1])

    def _runs_low(self, tasks: Sequence[int], more: bool) -> bool:
        """Whether less than half as many of these are open as could be shown, and there may be
        others: a list that was not full had them all, unless there are `more` predictions now."""
        if not more and len(tasks) < WINDOW:
            return False
        open_ = self.log.unanswered(self.project, tasks).values()
        least = min(WINDOW, self.log.waiting(self.project))
        return 2 * sum(not blind for blind in open_) < least

    # ---- one after the other

    def _disagrees(self) -> list[int]:
        """What the model doubts, the worst first, but for what somebody saved since it was frozen
        or since it was first shown here, and for ground truths."""
        upto, found = self.doubts()
        shown = self.log.listed(self.project, "disagrees")
        due: list[int] = []
        for doubt in found:
            seq, at = self._looks.get(doubt.task, (0, None))
            since = shown.get(doubt.task)
            looked = seq > upto or (since is not None and at is not None and at > since)
            if not looked and self._may_list(doubt.task):
                due.append(doubt.task)
        return due

    def _may_list(self, task: int) -> bool:
        held = self._answers.get(task, [])
        return self._sides.get(task) is False and held != [] and not _settled(held)

    def _unsure(self) -> list[int]:
        """Open tasks by the probability of the least sure region that the version in view
        predicted; where it says no probability it is not known to be unsure."""
        versions = self.log.versions(self.project)
        if not versions:
            return []
        schema, found = self.terms.schema, list[tuple[float, int]]()
        for row in self.log.shown(self.project, versions[-1].version, self._open):
            if row.removed_at is None and not row.empty:
                scores = _scores(row)
                if scores:
                    found.append((min(scores), row.task))
        return [task for _, task in sorted(found)] if schema.controls else []

    def _people(self) -> list[int]:
        """What people answered differently, until they agree or one answer is the ground truth."""
        people = {task: {a.author for a in held} for task, held in self._answers.items()}
        several = {t for t, who in people.items() if len(who) > 1 and self._may_list(t)}
        schema = self.terms.schema
        answers = by_task(read_answers(self.log, self.project, schema, tasks=several))
        return disputed(schema, answers) if answers else []

    def _audit(self) -> list[int]:
        """Blind answers in an order drawn by hash, but for what was saved again since it was shown
        here."""
        shown = self.log.listed(self.project, "audit")
        due = [task for task in self._answers if self._sides.get(task) is True]
        due = [t for t in due if t not in shown or self._looks[t][1] <= shown[t]]
        return sorted(due, key=lambda task: drawn_by(f"{self.project}/audit", task))

    # ---- what it is drawn from, read once

    @cached_property
    def _doubted(self) -> tuple[int, str] | None:
        """The newest round with doubts: how far its snapshot read the log, and its name."""
        place = Doubts(self.store)
        for one in reversed(self.log.rounds(self.project)):
            snapshot = human_snapshot(one)
            if place.has(snapshot):
                return int(one["upto"]), snapshot
        return None

    @cached_property
    def _sides(self) -> dict[int, bool]:
        return self.log.sides(self.project)

    @cached_property
    def _looks(self) -> Mapping[int, tuple[int, Any]]:
        return self.log.last_looks(self.project)

    @cached_property
    def _answers(self) -> Mapping[int, Sequence[SeenAnnotation]]:
        found: dict[int, list[SeenAnnotation]] = defaultdict(list)
        for a in self.log.current_annotations(self.project):
            if a.task in self._sides:
                found[a.task].append(a)
        return found

    @cached_property
    def _open(self) -> list[int]:
        return [t for t, blind in self.log.unanswered(self.project).items() if not blind]

    def annotation_of(self, task: int) -> int | None:
        """One annotation of an answered task, by which Label Studio finds it; None: it has none
        any more."""
        return min((a.id for a in self._answers.get(task, [])), default=None)


def _settled(held: Sequence[SeenAnnotation]) -> bool:
    return any(a.ground_truth for a in held)


def _scores(row: Shown) -> list[float]:
    result = row.result if isinstance(row.result, list) else []
    found = [r.get("score") for r in result if isinstance(r, dict)]
    return [float(s) for s in found if isinstance(s, (int, float)) and not isinstance(s, bool)]
