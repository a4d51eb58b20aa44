"""The commands of backups: make one, list them, put one back.

They build no world: neighbours may be down, and a home may be empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from settings import Settings
from sync import operate, show
from sync.backup import backup
from sync.backups import Backups, Kept
from sync.options import as_json, signed
from sync.restore import Restored, restore


@click.command("backup")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Another folder.")
@as_json
@click.pass_obj
def backup_(settings: Settings, to: Path | None, json_: bool) -> None:
    """Write log, store and audit into one file, while everything runs; remove expired ones.

    No token or password is in it, but people's texts and answers are: keep it as you keep them.
    """
    made, gone = backup(settings, to)
    lines = [f"wrote {made.path}: {_what(made)}", *(f"removed {path}: expired" for path in gone)]
    show.text(json_, {**made.to_dict(), "removed": [str(p) for p in gone]}, lines)


@click.command("backups")
@as_json
@click.pass_obj
def backups_(settings: Settings, json_: bool) -> None:
    """List the backups, oldest first: what is in each, when it expires, and what it holds that was
    forgotten since."""
    backups = Backups.of(settings)
    not_told, forgotten = backups.tell(), backups.forgotten()
    rows, lines = list[dict[str, Any]](), list[str]()
    for kept in backups.kept():
        held = [f"{f.subject} of project {f.project}" for f in forgotten if f.is_in(kept.head)]
        rows.append({**kept.to_dict(), "holds_forgotten": held})
        lines.append(f"{kept.path}: {_what(kept)}")
        lines += [f"  holds {one}, which was forgotten since" for one in held]
    unread = [str(p) for p in backups.unreadable()]
    lines += [f"{path}: cannot be read by this program" for path in unread]
    lines += [f"the list of what was forgotten is not up to date in {one}" for one in not_told]
    value = {"backups": rows, "unread": unread, "lists_not_updated": not_told}
    show.text(json_, value, lines or [f"no backup in {_places(backups.folders())}"])


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Set the log and store that are there aside.")
@click.option("--running", is_flag=True, help="Though a backend or a worker runs; never sync.")
@click.option("--no-list", is_flag=True, help="Nothing was forgotten since, or nobody knows.")
@signed
@as_json
@click.pass_obj
def restore_(
    settings: Settings,
    file: Path,
    replace: bool,
    running: bool,
    no_list: bool,
    name: str | None,
    why: str,
    json_: bool,
) -> None:
    """Put the backup FILE back into the home folder, without what was forgotten since.

    Every file is checked against its digest before anything is touched. Stop annotune first.
    """
    by = operate.person(name)
    done = restore(settings, file, by, why, replace=replace, running=running, no_list=no_list)
    show.text(json_, done.to_dict(), _lines(settings, done))


def _lines(settings: Settings, done: Restored) -> list[str]:
    said = done.to_dict()
    lines = [f"restored {settings.home} as it was at {done.head.at[:19]}Z"]
    for project, what in done.head.projects.items():
        serving = what["serving"] or "the cold start"
        lines.append(f"  project {project} ({what['title']}): {what['answers']} answers, {serving}")
    lines += [f"  forgotten since, and taken out again: {one}" for one in said["forgotten_again"]]
    if done.aside:
        lines.append(f"  what was there before is in {done.aside}; remove it when you are sure")
    return [*lines, "start annotune: sync reads from Label Studio what people did since"]


def _what(kept: Kept) -> str:
    answers = sum(said["answers"] for said in kept.head.projects.values())
    expires = f"expires {kept.expires:%Y-%m-%d %H:%MZ}" if kept.expires else "never expires"
    projects = f"{len(kept.head.projects)} projects, {answers} answers"
    return f"{projects}, {kept.size / 1e6:.1f} MB, {kept.head.at[:16]}Z, {expires}"


def _places(folders: Sequence[Path]) -> str:
    return " or ".join(map(str, folders))


COMMANDS = (backup_, backups_, restore_)
