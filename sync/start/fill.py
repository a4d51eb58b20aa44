"""From a CSV to a connected project with pre-annotated tasks; safe to repeat, and to kill.

What was imported is noted before and after each import, so a later start knows whether one that
was cut off had arrived: Label Studio takes an import whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from label_config import read_schema
from lora.atomic import write_atomic
from sync.start.api import StudioApi, StudioRefused
from sync.start.house import House, in_words
from sync.start.own import Item, Own
from sync.start.project import (
    IMPORT,
    add_tasks,
    create,
    exists,
    task_count,
    unanswered,
    wait_for_predictions,
)

WAIT_S = 1800.0


class NotPredicted(RuntimeError):
    """Tasks got no predictions in time; the message says where to look."""


@dataclass(frozen=True)
class Note:
    """What is known of a CSV's project. `rows`: how often a row's digest was imported; `coming`:
    those of an import under way, begun when the project had `before` tasks."""

    project: int
    config: str
    rows: dict[str, int] = field(default_factory=dict)
    coming: tuple[str, ...] = ()
    before: int = 0


@dataclass(frozen=True)
class Filled:
    """The project of a CSV. `imported`: rows that were new to it; `tasks`: all it has; `open`:
    those that nobody has answered; `gone`: labels that the config had before this start."""

    project: int
    imported: int
    tasks: int
    open: int
    gone: tuple[str, ...] = ()


def fill(house: House, api: StudioApi, own: Own, tell: Callable[[str], None]) -> Filled:
    """Make or find the CSV's project, import what it lacks, connect it, wait for predictions.

    Raises StudioRefused, CommandFailed and NotPredicted.
    """
    path, gone = note_of(house.folder, own.path), tuple[str, ...]()
    note = _settled(api, _read(path))
    if note is None or not exists(api, note.project):
        note = Note(create(api, own.path.stem, own.config), own.config)
        _write(path, note)
    elif note.config != own.config:
        _reconfigure(api, note.project, own)
        gone = _gone(note.config, own.config)
        note = replace(note, config=own.config)
        _write(path, note)
    new = _new(own, note)
    for start in range(0, len(new), IMPORT):
        tell(f"importing {start} of {len(new)} rows")
        note = _import(api, path, note, new[start : start + IMPORT])
    tell("connecting annotune")
    house.command("connect", str(note.project))
    if not wait_for_predictions(api, note.project, WAIT_S, tell):
        raise NotPredicted(
            f"after {WAIT_S:.0f} s not all tasks have predictions; {house.folder}/home/logs and "
            f"{in_words(house.folder)} doctor say why"
        )
    tasks, open_ = task_count(api, note.project), unanswered(api, note.project)
    return Filled(note.project, len(new), tasks, open_, gone)


def note_of(folder: Path, csv: Path) -> Path:
    """Where the note on a CSV lies: one project for each file, found by its full path."""
    key = hashlib.sha256(str(csv.resolve()).encode()).hexdigest()[:12]
    return folder / f"csv-{csv.stem}-{key}.json"


def _reconfigure(api: StudioApi, project: int, own: Own) -> None:
    """Other labels, or another --config, than the last time; what people changed in Label Studio
    stays as long as the CSV and the options ask for nothing else than they did."""
    try:
        api.call("PATCH", f"/api/projects/{project}/", json={"label_config": own.config})
    except StudioRefused as error:
        raise StudioRefused(
            f"project {project} was made with another label config, and Label Studio does not take "
            f"the new one; copy {own.path} to another name to begin a new project ({error})",
            error.status,
        ) from error


def _gone(before: str, now: str) -> tuple[str, ...]:
    """The labels that a config had and the new one has not."""
    had, has = (
        {value for c in read_schema(config).controls for value in c.values}
        for config in (before, now)
    )
    return tuple(sorted(had - has))


def _new(own: Own, note: Note) -> list[Item]:
    """The rows that were not imported yet; a row that stands twice is two tasks."""
    left, new = Counter(note.rows), []
    for item in own.items:
        digest = _digest(item)
        if left[digest] > 0:
            left[digest] -= 1
        else:
            new.append(item)
    return new


def _import(api: StudioApi, path: Path, note: Note, items: list[Item]) -> Note:
    digests = tuple(map(_digest, items))
    coming = replace(note, coming=digests, before=task_count(api, note.project))
    _write(path, coming)
    add_tasks(api, note.project, [item.task for item in items])
    done = _arrived(coming)
    _write(path, done)
    return done


def _settled(api: StudioApi, note: Note | None) -> Note | None:
    """What came of an import that was cut off."""
    if note is None or not note.coming or not exists(api, note.project):
        return note
    if task_count(api, note.project) >= note.before + len(note.coming):
        return _arrived(note)
    return replace(note, coming=())


def _arrived(note: Note) -> Note:
    return replace(note, rows=dict(Counter(note.rows) + Counter(note.coming)), coming=())


def _digest(item: Item) -> str:
    """Of the data alone: a label that changed in the CSV makes no second task."""
    told = json.dumps(item.data, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _read(path: Path) -> Note | None:
    if not path.exists():
        return None
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Note(**{**raw, "coming": tuple(raw["coming"])})


def _write(path: Path, note: Note) -> None:
    write_atomic(path, json.dumps(asdict(note)))
