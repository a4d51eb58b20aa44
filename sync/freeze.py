"""Freezing: the log's answers become an immutable snapshot to train on and to be judged by.

Deterministic: the same log and terms give the same bytes and so the same name. Answers are read
under the config as it is now: what it no longer has is dropped from them and counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from label_config.controls import Schema
from label_config.fetch import NotFetched
from label_config.values import Example, Origin, Region, Side, Snapshot, Span
from label_config.wire import read_result, task_texts
from sync.consensus import Chosen, choose
from sync.corrections import was_blind
from sync.log import Log
from sync.log_labels import Marked
from sync.log_shown import Shown
from sync.log_tasks import LoggedTask
from sync.pool import pool_texts
from sync.readings import by_task, read_answers
from sync.studio_values import SeenAnnotation
from sync.terms import Terms
from sync.variants import Typed, apart_from, said_of, typed_variants

MOST = 50_000  # answers in one snapshot
Vanished = tuple[tuple[str, str], ...]
UNNAMED = "(an answer without a label)"


@dataclass(frozen=True)
class FreezeReport:
    """What went in and what was left out, with reasons. `upto`: the last revision it read."""

    upto: int
    train: int
    holdout: int
    pool: int
    left_out: Mapping[str, int]
    """How many answered tasks were left out, by reason; the reasons of texts that experts typed
    begin with `variant:`, and count texts."""
    dropped: Mapping[str, Mapping[str, int]]
    """How many answers named a control or label that the config no longer has, by control and
    label; what else their tasks were answered stayed in."""
    base: str = ""
    regulated: bool = False
    variants: int = 0
    """How many rows of `train` were typed by experts beside their answers."""
    several: int = 0
    """How many rows are answers that were weighed against others to the same task."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def freeze(log: Log, project: str, terms: Terms, most: int = MOST) -> tuple[Snapshot, FreezeReport]:
    """A snapshot of what people answered, and the report on it.

    One answer a task: a ground truth first; of several people's the one that reliable ones agree
    on most, weighted by how far they do (sync/consensus.py). An answer of which nothing fits the
    config as it is now, one whose text cannot be fetched, and one on a blind task that may have
    been seen with a prediction, is left out of both sides.
    """
    upto = log.last_revision(project)
    tasks = {task.id: task for task in log.tasks(project)}
    shown: dict[int, list[Shown]] = defaultdict(list)
    annotations = log.current_annotations(project)
    chosen = _weighed(log, project, terms, annotations)
    answers = _one_a_task(annotations) | {t: c.reading.annotation for t, c in chosen.items()}
    for row in log.shown(project, tasks=answers):
        shown[row.task].append(row)
    since = log.labels_since(project)
    left_out, dropped = Counter[str](), defaultdict[str, Counter[str]](Counter)
    examples: list[Example] = []
    variants: list[Example] = []
    for a in sorted(answers.values(), key=lambda a: (a.created_at, a.id), reverse=True):
        task = tasks.get(a.task)
        if task is None:
            left_out["the task was deleted"] += 1
        elif len(examples) + len(variants) >= most:
            left_out[f"older than the latest {most} answers"] += 1
        else:
            made = _row(terms, task, a, shown[a.task], since, chosen.get(a.task))
            if isinstance(made.example, str):
                left_out[made.example] += 1
            else:
                examples.append(made.example)
            variants += made.typed.examples
            left_out.update(made.typed.left_out)
            for control, label in made.vanished:
                dropped[control][label or UNNAMED] += 1
    apart = apart_from(_blind_texts(terms, tasks.values(), examples), project, variants)
    left_out.update(apart.left_out)
    examples = sorted([*examples, *apart.examples], key=lambda e: (e.task, len(e.id), e.id))
    waiting = (t for t in tasks.values() if t.id not in answers and not terms.regulated)
    texts = pool_texts(terms, project, waiting, terms.settings.train.pool)
    snapshot = Snapshot(project, terms.config, tuple(examples), texts)
    return snapshot, FreezeReport(
        upto,
        len(snapshot.train),
        len(snapshot.holdout),
        len(texts),
        dict(left_out),
        {control: dict(labels) for control, labels in dropped.items()},
        base=terms.base,
        regulated=terms.regulated,
        variants=len(apart.examples),
        several=sum(e.origin.beside is not None for e in examples),
    )


def _weighed(
    log: Log, project: str, terms: Terms, annotations: Sequence[SeenAnnotation]
) -> dict[int, Chosen]:
    """The answer of each task that several people answered."""
    who: dict[int, set[int | None]] = defaultdict(set)
    for a in annotations:
        who[a.task].add(a.author)
    several = {task for task, people in who.items() if len(people) > 1}
    if not several:
        return {}
    readings = read_answers(log, project, terms.schema, tasks=several)
    return choose(terms.schema, by_task(readings))


def _blind_texts(
    terms: Terms, tasks: Iterable[LoggedTask], examples: Iterable[Example]
) -> Iterator[str]:
    """The texts that judge or are going to; of those at addresses only those that judge."""
    yield from (text for e in examples if e.side == "holdout" for text in e.texts.values())
    for task in tasks:
        if task.place.blind and not terms.fetches:
            yield from task_texts(terms.schema, task.data).by_key.values()


def _one_a_task(annotations: Iterable[SeenAnnotation]) -> dict[int, SeenAnnotation]:
    best: dict[int, SeenAnnotation] = {}
    for a in annotations:
        rival = best.get(a.task)
        if rival is None or _weight(a) > _weight(rival):
            best[a.task] = a
    return best


def _weight(a: SeenAnnotation) -> tuple[object, ...]:
    return (a.ground_truth, a.updated_at, a.id)


@dataclass(frozen=True)
class _Row:
    """The row to learn from or be judged on, or the reason why there is none; `vanished`: what the
    answer names that the config no longer has, as (control, label)."""

    example: Example | str
    vanished: Vanished = ()
    typed: Typed = Typed()


def _row(
    terms: Terms,
    task: LoggedTask,
    a: SeenAnnotation,
    shown: list[Shown],
    since: Mapping[Marked, datetime],
    chosen: Chosen | None = None,
) -> _Row:
    blind = was_blind(a, shown)
    if task.place.blind and not blind:
        return _Row("a prediction was visible on a blind task")
    schema = terms.schema
    try:
        data = terms.fetched(task.data)
    except NotFetched as reason:
        return _Row(str(reason))
    texts = task_texts(schema, data, terms.settings.backend.max_text)  # what the server reads
    if not texts.by_key:
        return _Row("the task has no text")
    read = read_result(schema, data, a.result)
    if not read.regions and read.dropped:
        return _Row("the answer does not fit the label config", read.vanished)
    if read.unplaced:
        return _Row("a span of the answer is not in the text", read.vanished)
    if not read.regions and _holds_more(schema, a.result):
        return _Row("the answer holds nothing that is predicted")
    unasked = _unasked(schema, a, read.regions, since)
    if not read.regions and not _could_mark(schema, unasked):
        return _Row("the answer is empty")  # with spans to mark, none is an answer
    example = Example(
        id=f"annotation-{a.id}",
        task=task.id,
        group=task.place.group,
        side=_side(task),
        texts=texts.by_key,
        answers=read.regions,
        origin=_origin(a, blind, chosen),
        options=texts.options,
        unasked=unasked,
        context=said_of(schema, read.typed),
    )
    limit = terms.settings.backend.max_text
    return _Row(example, read.vanished, typed_variants(schema, example, read.typed, limit))


def _origin(a: SeenAnnotation, blind: bool, chosen: Chosen | None) -> Origin:
    """`weight`: of rows to learn from that people disagree on."""
    origin = Origin(kind="human", annotation=a.id, shown=None if blind else True)
    if chosen is None or not chosen.beside:
        return origin
    weight = None if chosen.reading.blind_task else chosen.weight
    return replace(origin, beside=chosen.beside, weight=weight)


def _holds_more(schema: Schema, result: object) -> bool:
    """Whether a result holds more than what experts typed for training."""
    notes = {n.name for n in schema.notes}
    regions = [r for r in result if isinstance(r, Mapping)] if isinstance(result, list) else []
    return any(r.get("from_name") not in notes for r in regions)


def _could_mark(schema: Schema, unasked: Mapping[str, tuple[str, ...]]) -> bool:
    spans = (c for c in schema.controls if c.form == "spans")
    return any(set(c.values) - set(unasked.get(c.name, ())) for c in spans)


def _unasked(
    schema: Schema, a: SeenAnnotation, regions: Iterable[Region], since: Mapping[Marked, datetime]
) -> dict[str, tuple[str, ...]]:
    """By control the labels that came after the answer was last saved, but for those it marks."""
    marked = {(r.from_name, v) for r in regions if isinstance(r, Span) for v in r.labels}
    late = {m for m, when in since.items() if when > a.updated_at} - marked
    found = {
        c.name: tuple(v for v in c.values if (c.name, v) in late)
        for c in schema.controls
        if c.form == "spans"
    }
    return {name: values for name, values in found.items() if values}


def _side(task: LoggedTask) -> Side:
    return "holdout" if task.place.blind else "train"
