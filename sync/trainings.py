"""The training at work: how far it is, and what it writes, each into a log of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lora.progress import read_progress
from lora.store import ProjectStore
from sync.logs import LOOK_S, Line, NoLogs, read_new, size_of, tail

NAME = "training"
STAGES = {
    "start": "starting",
    "load": "loading the base",
    "fit": "fitting",
    "judge": "judging on blind answers",
}


def log_of(home: Path, project: str, snapshot: str) -> Path:
    """Where the training of a snapshot writes to."""
    return home.resolve() / "logs" / f"train-{project}-{snapshot[:8]}.log"


def newest_log(home: Path, project: str | None = None) -> Path:
    """The log of the last training, of one project or any. Raises NoLogs."""
    folder = home.resolve() / "logs"
    found = [p for p in folder.glob(f"train-{project or '*'}-*.log") if p.is_file()]
    if not found:
        whose = f"of project {project} " if project else ""
        raise NoLogs(
            f"no training {whose}has written to {folder} yet; a worker on another machine keeps "
            "its logs there"
        )
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def last_lines(home: Path, count: int, project: str | None = None) -> list[Line]:
    """The end of the last training's log. Raises NoLogs."""
    lines = tail(newest_log(home, project))
    return [Line(NAME, text) for text in lines[-count:]] if count else []


def follow(home: Path, stop: threading.Event, project: str | None = None) -> Iterator[Line]:
    """What the last training writes from now on, then the next one's, until `stop`."""
    path = newest_log(home, project)
    read = {NAME: size_of(path)}
    while not stop.is_set():
        if (newest := newest_log(home, project)) != path:
            yield from read_new(NAME, path, read)
            path, read = newest, {NAME: 0}
        if size_of(path) > read[NAME]:
            yield from read_new(NAME, path, read)
        else:
            stop.wait(LOOK_S)


def running(store: ProjectStore, snapshot: str | None) -> dict[str, Any] | None:
    """The training at work, as far as it notes; None where none is."""
    if not store.is_training():
        return None
    noted = dict(read_progress(store.folder, snapshot) or {})
    step, of, began = noted.get("step"), noted.get("of"), noted.get("stage_began")
    if step and of and began:
        noted["left_s"] = max(0.0, (noted["at"] - began) / step * (of - step))
    return {"stage": "start", **noted}


def in_numbers(told: Mapping[str, Any]) -> dict[str, Any]:
    """`progress`: one line of `running`; `done`: the share of the fit's steps, where it counts."""
    of = told.get("of")
    return {"progress": in_words(told)} | ({"done": told["step"] / of} if of else {})


def in_words(told: Mapping[str, Any]) -> str:
    """One line of `running`."""
    parts = [STAGES.get(told["stage"], str(told["stage"]))]
    if told.get("of"):
        parts.append(f"{told['step']} of {told['of']} steps")
    if told.get("loss") is not None:
        parts.append(f"loss {told['loss']:.3g}")
    if told.get("left_s") is not None and told["stage"] == "fit":
        parts.append(f"about {told['left_s']:.0f} s of fitting left")
    return ", ".join(parts)
