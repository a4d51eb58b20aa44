"""The command `annotune forget`: sync does the work, this asks for it and says what came of it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Mapping
from typing import Any

import click

from settings import Settings
from sync import bootstrap, operate, show
from sync.forget import grant, told, wish_of
from sync.loop import World
from sync.options import as_json, signed, store_of

WAIT_S = 60.0
BACKUPS = (
    "annotune makes no backups; copies that you made of its home folder hold it until they expire"
)


@click.command()
@click.argument("project")
@click.option("--task", type=int, help="A task, with all that people said of it.")
@click.option("--annotation", type=int, help="One annotation; its task stays.")
@click.option("--annotator", type=int, help="All annotations of one user, by their id.")
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
    show.text(json_, {**done, "backups": BACKUPS}, _lines(done, there))


def _granted_here(settings: Settings, world: World, project: str) -> str | None:
    """Do it in this process, unless a sync service runs: then that one does."""
    with (settings.home / "sync.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return grant(world.log, world.studio, world.store.project(project))


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
    return [*lines, f"  {BACKUPS}"]
