"""The commands that look ahead: `annotune replay`, before a project is begun with us, and
`annotune curve`, while it goes on. They need the log and the store, neither Label Studio nor a
backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from lora.store import ProjectStore
from settings import Settings
from sync import show
from sync.cli_versions import open_log
from sync.curve import curve_of
from sync.log import Log
from sync.options import as_json, store_of
from sync.replay.orders import ARMS
from sync.replay.place import FOLDER, alone
from sync.replay.play import Cell, expanding
from sync.replay.rows import NothingToReplay, Rows, from_folder, from_log
from sync.replay.told import called
from sync.replay.whole import Replay, Wish, write
from sync.studio_values import NoSuchProject


@click.command()
@click.argument("what", metavar="PROJECT|FOLDER")
@click.option("--seeds", default=3, type=click.IntRange(1, 20), help="Runs of each kind.")
@click.option("--counts", default=8, type=click.IntRange(2, 20), help="Trainings of each run.")
@click.option("--most", default=1000, type=click.IntRange(2), help="Answers at the last of them.")
@click.option(
    "--goal", default=90.0, type=click.FloatRange(1, 100), help="Percent of full quality."
)
@click.option("--cells", type=click.IntRange(1), help="Stop after so many trainings; go on later.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where it is written."
)
@as_json
@click.pass_obj
def replay(
    settings: Settings,
    what: str,
    seeds: int,
    counts: int,
    most: int,
    goal: float,
    cells: int | None,
    out: Path | None,
    json_: bool,
) -> None:
    """Run the whole loop offline over a finished, labelled PROJECT, or a FOLDER of JSONL: how many
    answers our order (and expansion) needs for a share of what all of them teach, and random order.

    Writes replay.png and replay.json. Killed, it goes on where it was; nothing that serves is
    touched.
    """
    wish = Wish(tuple(range(seeds)), counts, most, goal=goal / 100)
    with _rows(settings, what) as (rows, home, check):
        note = expanding(settings, rows)
        arms = [name for name, arm in ARMS.items() if not (note and arm.expands)]
        found = Replay(rows, settings, replace(wish, arms=arms), home, note)
        click.echo(f"{found.missing()} trainings to go; in {found.folder}", err=True)
        found.play(_tell, cells, check)
        told = found.told()
        figure, table = write(told, out or found.folder)
        left = found.missing()
    lines = [*told.lines(), f"  {figure} and {table}"]
    if left:
        lines.append(f"  {left} trainings are missing still; the same command goes on")
    show.text(json_, {**told.to_dict(), "missing": left, "figure": str(figure)}, lines)


@contextmanager
def _rows(settings: Settings, what: str) -> Iterator[tuple[Rows, Path, Callable[[], None]]]:
    """What is replayed, where replays of it lie, and what raises where the replay must give way.

    Of a project, whose answers may have to be forgotten, nothing is read before forgetting is held
    off; it waits for the next check.
    """
    if os.path.isdir(what):  # not Path(what): a name may be too long
        yield from_folder(Path(what)), settings.home / FOLDER, lambda: None
        return
    store = store_of(settings, what)
    log = open_log(settings)
    try:
        _known(log, what)
        check = partial(_gives_way, store)
        with alone(store.folder / FOLDER):
            check()
            yield from_log(log, settings, what), store.folder / FOLDER, check
    finally:
        log.close()


def _gives_way(store: ProjectStore) -> None:
    """Raises NothingToReplay where something of the project is to be forgotten: it goes first."""
    if store.wishes():
        raise NothingToReplay(
            f"something of project {store.name} is to be forgotten, and this replay with it; start "
            "it again once that is done"
        )


def _tell(cell: Cell) -> None:
    best = cell.best.get("mean", 0.0)
    click.echo(
        f"{called(cell.arm)}, seed {cell.seed}, {cell.answers} answers: {best:.3f} "
        f"({cell.seconds:.0f} s)",
        err=True,
    )


def _known(log: Log, project: str) -> None:
    if project not in log.connected():
        raise NoSuchProject(
            f"{project!r} is neither a folder nor a connected project; run: annotune connect "
            f"{project}"
        )


@click.command("curve")
@click.argument("project")
@as_json
@click.pass_obj
def curve_(settings: Settings, project: str, json_: bool) -> None:
    """Say how right PROJECT's rounds were on its blind answers, and what 100 more would bring."""
    log = open_log(settings)
    try:
        _known(log, project)
        found = curve_of(log, project)
    finally:
        log.close()
    show.text(json_, found.to_dict(), list(found.lines()))


COMMANDS = (replay, curve_)
