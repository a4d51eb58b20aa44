"""The command `annotune forget`: sync does the work, this asks for it and says what came of it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Mapping
from typing import Any

import click

from lora.wishes import Wish
from settings import Settings
from sync import bootstrap, operate, show
from sync.backups import Backups
from sync.forget import grant, told, wish_of
from sync.loop import World
from sync.options import as_json, signed, store_of

WAIT_S = 60.0
ID = click.IntRange(0, 2**63 - 1)  # what a database holds
COPIES = "copies of the home folder that you made otherwise hold it until you remove them"


@click.command()
@click.argument("project")
@click.option("--task", type=ID, help="A task, with all that people said of it.")
@click.option("--annotation", type=ID, help="One annotation; its task stays.")
@click.option("--annotator", type=ID, help="All annotations of one user, by their id.")
@click.option("--there", is_flag=True, help="Delete it in Label Studio too.")
@signed
@as_json
@click.pass_context
def forget(
    ctx: click.Context,
    project: str,
    task: int | None,
    annotation: int | None,
    annotator: int | None,
    there: bool,
    name: str | None,
    why: str,
    json_: bool,
) -> None:
    """Forget a task, an annotation or an annotator's work in PROJECT, and what was made of it.

    It goes from the log, snapshots, children, pool and reviews; adapters that learned from it are
    retired, the newest clean one serves, and a new one is trained.
    """
    store = store_of(ctx.obj, project)
    asked = [("task", task), ("annotation", annotation), ("annotator", annotator)]
    given = [(kind, number) for kind, number in asked if number is not None]
    if len(given) != 1:
        raise click.UsageError("name one of --task, --annotation, --annotator")
    kind, number = given[0]
    wish = wish_of(kind, number, operate.person(name), why, there)  # type: ignore[arg-type]
    world = bootstrap.build(ctx.obj)
    ctx.call_on_close(world.close)
    if project not in world.log.connected() or not world.log.knows(project, wish):
        raise operate.NoSuchVersion(f"the log of project {project} knows no {wish.subject}")
    store.wish(wish)
    problem = _granted_here(ctx.obj, world, project)
    done = told(world.log, store, wish)
    end = time.monotonic() + WAIT_S
    while problem is None and done is None and time.monotonic() < end:
        time.sleep(0.5)  # a running sync is at it
        done = told(world.log, store, wish)
    if done is None:
        waits = problem or f"it is noted; sync has not come to it in {WAIT_S:.0f} s"
        raise operate.Impossible(f"{wish.subject} is not forgotten yet: {waits}")
    held = _held(Backups.of(ctx.obj), project, wish)
    show.text(json_, {**done, **held}, [*_lines(done, there), *_held_lines(held), f"  {COPIES}"])


def _granted_here(settings: Settings, world: World, project: str) -> str | None:
    """Do it in this process, unless a sync service runs: then that one does."""
    with (settings.home / "sync.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        backups = Backups.of(settings)
        return grant(world.log, world.studio, world.store.project(project), backups)


def _lines(done: Mapping[str, Any], there: bool) -> list[str]:
    lines = [
        f"forgot {done['forgotten']}: {done['answers']} annotations, {done['rows']} rows in "
        f"{done['snapshots']} snapshots"
    ]
    retired = ", ".join(done["retired"]) or "none"
    lines.append(f"  adapters that learned from it, now retired: {retired}")
    if done["left"]:
        lines.append(f"  {done['left']} served; the newest clean one does now, and one is trained")
    if not there:
        lines.append("  it still stands in Label Studio; --there deletes it there too")
    return lines


def _held(backups: Backups, project: str, wish: Wish) -> dict[str, Any]:
    """The backups that still hold it, and until when; and where nobody could look."""
    gone = [f for f in backups.forgotten() if (f.project, f.wish) == (project, wish.at)]
    held = [k.to_dict() for f in gone for k in backups.holding(f)]
    return {
        "backups": [{"file": k["file"], "expires": k["expires"]} for k in held],
        "backups_unread": [str(p) for p in backups.unreadable()],
        "lists_not_updated": backups.tell(),
    }


def _held_lines(held: Mapping[str, Any]) -> list[str]:
    lines = ["  no backup holds it"] if not held["backups"] else []
    for one in held["backups"]:
        until = one["expires"][:16] + "Z" if one["expires"] else None
        goes = f"the first backup after {until} removes that" if until else "which never expires"
        lines.append(f"  {one['file']} holds it; {goes}")
    if held["backups"]:
        lines.append("  none of them brings it back: `annotune restore` takes it out again")
    lines += [f"  {path} cannot be read, so it may hold it" for path in held["backups_unread"]]
    missing = "could not be told what was forgotten; `annotune backups` tells it once it is there"
    return lines + [f"  {where}: {missing}" for where in held["lists_not_updated"]]
