"""Freezing: the log's answers become an immutable snapshot to train on and to be judged by.

Deterministic: the same log, config and pool size give the same bytes and so the same name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from label_config import read_schema
from label_config.values import Example, Origin, Schema, Side, Snapshot
from label_config.wire import read_result, task_texts
from sync.corrections import was_blind
from sync.log import Log, LoggedTask
from sync.log_shown import Shown
from sync.order import drawn_by
from sync.studio_values import SeenAnnotation

MOST = 50_000  # answers in one snapshot


@dataclass(frozen=True)
class FreezeReport:
    """What went in and what was left out, with reasons. `upto`: the last revision it read."""

    upto: int
    train: int
    holdout: int
    pool: int
    left_out: Mapping[str, int]
    """How many answered tasks were left out, by reason."""
    ignored: Mapping[str, int]
    """Regions of controls that the config no longer has; their tasks stayed in."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def freeze(
    log: Log, project: str, config: str, pool: int = 1500, most: int = MOST
) -> tuple[Snapshot, FreezeReport]:
    """A snapshot of what people answered, and the report on it.

    One answer a task: a ground truth first, else the latest. An answer that does not fit the
    config as it is now, and one on a blind task that may have been seen with a prediction, is
    left out of both sides. Raises InvalidConfig.
    """
    schema, upto = read_schema(config), log.last_revision(project)
    tasks = {task.id: task for task in log.tasks(project)}
    shown: dict[int, list[Shown]] = defaultdict(list)
    for row in log.shown(project, tasks=(t.id for t in tasks.values() if t.place.blind)):
        shown[row.task].append(row)
    left_out, ignored = Counter[str](), Counter[str]()
    examples: list[Example] = []
    answers = _one_a_task(log.current_annotations(project))
    for a in sorted(answers.values(), key=lambda a: (a.created_at, a.id), reverse=True):
        task = tasks.get(a.task)
        got = "the task was deleted" if task is None else _example(schema, task, a, shown[a.task])
        if isinstance(got, Example):
            if len(examples) == most:
                got = f"older than the latest {most} answers"
            else:
                examples.append(got)
                ignored.update(_unknown_controls(schema, a.result))
        if isinstance(got, str):
            left_out[got] += 1
    examples.sort(key=lambda e: e.task)
    texts = _pool(schema, project, (t for t in tasks.values() if t.id not in answers), pool)
    snapshot = Snapshot(project, config, tuple(examples), texts)
    counted = len(snapshot.train), len(snapshot.holdout), len(texts)
    return snapshot, FreezeReport(upto, *counted, dict(left_out), dict(ignored))


def _one_a_task(annotations: Iterable[SeenAnnotation]) -> dict[int, SeenAnnotation]:
    best: dict[int, SeenAnnotation] = {}
    for a in annotations:
        rival = best.get(a.task)
        if rival is None or _weight(a) > _weight(rival):
            best[a.task] = a
    return best


def _weight(a: SeenAnnotation) -> tuple[object, ...]:
    return (a.ground_truth, a.updated_at, a.id)


def _example(
    schema: Schema, task: LoggedTask, a: SeenAnnotation, shown: list[Shown]
) -> Example | str:
    """The row to learn from or be judged on, or the reason why there is none."""
    if task.place.blind and not was_blind(a, shown):
        return "a prediction was visible on a blind task"
    texts = task_texts(schema, task.data)
    if not texts.by_key:
        return "the task has no text"
    known = {c.name for c in schema.controls} | {u.name for u in schema.unsupported}
    result = a.result
    if isinstance(result, list):
        result = [r for r in result if not isinstance(r, dict) or r.get("from_name") in known]
    read = read_result(schema, task.data, result)
    if read.dropped:
        return "the answer does not fit the label config"
    if not read.regions and not any(c.kind == "Labels" for c in schema.controls):
        return "the answer is empty"  # with spans to mark, none is an answer
    if not read.regions and a.result:
        return "the answer holds nothing that is predicted"
    side: Side = "holdout" if task.place.blind else "train"
    origin = Origin(kind="human", annotation=a.id)
    group, by_key = task.place.group, texts.by_key
    return Example(f"annotation-{a.id}", task.id, group, side, by_key, read.regions, origin)


def _unknown_controls(schema: Schema, result: object) -> Iterable[str]:
    known = {c.name for c in schema.controls} | {u.name for u in schema.unsupported}
    for region in result if isinstance(result, list) else ():
        name = region.get("from_name") if isinstance(region, dict) else None
        if isinstance(name, str) and name not in known:
            yield name


def _pool(
    schema: Schema, project: str, tasks: Iterable[LoggedTask], most: int
) -> tuple[Mapping[str, str], ...]:
    """Texts of unlabelled tasks that are not blind, at most so many, drawn by hash."""
    drawn = sorted((t for t in tasks if not t.place.blind), key=lambda t: drawn_by(project, t.id))
    texts = (task_texts(schema, t.data).by_key for t in drawn)
    return tuple(t for t in texts if t)[:most]
