"""What people approved, beside human rows that are newer: what of it still fits, and why the rest
does not.

While a review goes on, parents are answered anew and the label config may change. An approved
answer is read under the new config just as people's own older answers are (sync/freeze.py): what it
no longer has is left out of the answer, and the rest of it stays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from augment.guard.near import leak
from augment.guard.values import Context, Thresholds
from augment.values import Made
from label_config.schema import read_schema
from label_config.values import Choice, Example, Region, Snapshot, Span, answer_key
from label_config.wire import read_result, write_result
from settings import Settings
from sync.review_config import review_config
from sync.terms import read_terms, whole_schema

GONE = "its parent is not among the train rows any more"
OTHER_TEXT = "its parent's text is another one by now"
OTHER_KEYS = "the label config reads other texts by now"
OTHER_ANSWER = "its parent is answered otherwise by now"
PARENT_LOST = "the label config has nothing left of its parent's answer"
LOST = "the label config has nothing left of its answer"


@dataclass(frozen=True)
class Fitted:
    """`rows`: those that fit; `dropped`: the others by id, each with its reason; `lost`: of rows
    that fit, the labels that the config no longer has, by control ("": an answer without one)."""

    rows: tuple[Example, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def refit(
    rows: Sequence[Example],
    own: Snapshot,
    newest: Snapshot,
    settings: Settings,
    data: Mapping[int, Mapping[str, object]],
) -> Fitted:
    """`rows`: children of `own`'s rows, to stand beside those of `newest`; `data`: of their tasks.

    A child fits whose parent says and is answered what it was, as far as the config goes, and
    whose text no newer blind task holds.
    """
    again = _Again(own, newest, settings, data)
    dropped: dict[str, str] = {}
    lost: defaultdict[str, Counter[str]] = defaultdict(Counter)
    left: list[Example] = []
    for row in rows:
        found = again.child(row)
        if isinstance(found, str):
            dropped[row.id] = found
        else:
            left.append(found)
    whys = _leaks(left, newest)
    dropped |= {r.id: why for r, why in zip(left, whys, strict=True) if why is not None}
    fit = tuple(r for r, why in zip(left, whys, strict=True) if why is None)
    before = {r.id: r for r in rows}
    for row in fit:
        for control, label in _said(before[row.id].answers) - _said(row.answers):
            lost[control][label] += 1
    return Fitted(fit, dropped, {c: dict(labels) for c, labels in lost.items()})


class _Again:
    """Rows of one snapshot, read as the config of a newer one would have them."""

    def __init__(
        self,
        own: Snapshot,
        newest: Snapshot,
        settings: Settings,
        data: Mapping[int, Mapping[str, object]],
    ) -> None:
        self._before = {e.id: e for e in own.train}
        self._after = {e.id: e for e in newest.train if e.origin.kind == "human"}
        self._same, self._data = own.config == newest.config, data
        # as in a review: plain texts, so that offsets are those of the rows
        whole, now = whole_schema(settings, own.config), read_terms(settings, newest.config).schema
        self._old = whole_schema(settings, review_config(own.config, whole))
        self._new = read_terms(settings, review_config(newest.config, now)).schema
        self._asked = {c.name for c in read_terms(settings, own.config).schema.controls}

    def child(self, row: Example) -> Example | str:
        """The child beside its parent of today, or why it does not fit."""
        before, after = (of.get(str(row.origin.parent)) for of in (self._before, self._after))
        if before is None or after is None:
            left = before is None or not before.answers or self._read(before)
            return GONE if left else PARENT_LOST
        if before.texts.keys() != after.texts.keys():
            return OTHER_KEYS
        if dict(before.texts) != dict(after.texts):
            return OTHER_TEXT
        known = (r for r in after.answers if r.from_name in self._asked)
        if _keys(self._read(before)) != _keys(known):
            return OTHER_ANSWER
        answers = self._read(row)
        if row.answers and not answers:
            names = sorted(f"{control} {label}".strip() for control, label in _said(row.answers))
            return f"{LOST}: {', '.join(names)}"
        unasked = self._unasked(after, answers)
        return replace(
            row, answers=answers, group=after.group, options=after.options, unasked=unasked
        )

    def _read(self, row: Example) -> tuple[Region, ...]:
        if self._same:
            return row.answers
        data = {**self._data.get(row.task, {}), **row.texts}
        result = write_result(self._old, row.task, row.answers, data)
        return read_result(self._new, data, result).regions

    def _unasked(self, after: Example, answers: Iterable[Region]) -> dict[str, tuple[str, ...]]:
        """Labels of spans that came after the parent was answered, or after the review began."""
        marked = {(r.from_name, v) for r in answers if isinstance(r, Span) for v in r.labels}
        found: dict[str, tuple[str, ...]] = {}
        for c in self._new.controls:
            if c.form == "spans":
                old = self._old.control(c.name)
                late = set(c.values) - set(old.values if old else ())
                late |= set(after.unasked.get(c.name, ()))
                found[c.name] = tuple(
                    v for v in c.values if v in late and (c.name, v) not in marked
                )
        return {name: values for name, values in found.items() if values}


def _leaks(rows: Sequence[Example], newest: Snapshot) -> list[str | None]:
    human = tuple(e for e in newest.train if e.origin.kind == "human")
    judged = tuple(e.texts for e in newest.holdout)
    context = Context(read_schema(newest.config, urls=True), human, holdout=judged)
    made = [Made(str(r.origin.parent), r.texts, r.answers, str(r.origin.transform)) for r in rows]
    return leak(made, context, Thresholds())


def _keys(regions: Iterable[Region]) -> set[tuple[object, ...]]:
    return {answer_key(r) for r in regions}


def _said(regions: Iterable[Region]) -> set[tuple[str, str]]:
    """(control, label) of answers, the label "" where there is none."""
    return {
        (r.from_name, label)
        for r in regions
        for label in (r.labels if isinstance(r, (Choice, Span)) else ("",))
    }
