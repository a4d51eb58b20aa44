"""The commands about versions: versions, show, diff, promote, rollback, audit, export.

They need the store and the log, neither Label Studio nor a backend.
"""

from __future__ import annotations

from pathlib import Path

import click

from lora.store import ProjectStore
from settings import Settings
from sync import lineage, operate, show
from sync.audit import hear_moves
from sync.log import Log, LogDown
from sync.options import as_json, signed, store_of


def _audited(settings: Settings, store: ProjectStore) -> None:
    """Enter what was just done; where the log is out of reach, sync does so on its next turn."""
    try:
        log = open_log(settings)
        try:
            hear_moves(log, store)
        finally:
            log.close()
    except LogDown as down:
        click.echo(f"Note: {down}; sync enters this in the audit log on its next turn", err=True)


def open_log(settings: Settings) -> Log:
    """The log alone. Raises LogDown."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return Log(settings.log_url)


@click.command()
@click.argument("project")
@click.argument("version")
@signed
@as_json
@click.pass_obj
def promote(
    settings: Settings, project: str, version: str, name: str | None, why: str, json_: bool
) -> None:
    """Make VERSION of PROJECT serve, whatever the gate said.

    In a regulated project nothing else promotes, and --as is needed.
    """
    store = store_of(settings, project)
    moved = operate.promote(store, version, operate.person(name), why)
    _audited(settings, store)
    show.line(json_, {"project": project, **moved.to_dict()})


@click.command()
@click.argument("project")
@click.argument("version", required=False)
@signed
@as_json
@click.pass_obj
def rollback(
    settings: Settings,
    project: str,
    version: str | None,
    name: str | None,
    why: str,
    json_: bool,
) -> None:
    """Serve VERSION of PROJECT again, or the cold start ('cold'); without one, what served before.

    What is left is marked: nothing but a person brings it back, and no candidate follows it by
    itself that learned from no newer answer.
    """
    store = store_of(settings, project)
    moved = operate.rollback(store, operate.person(name), version, why)
    _audited(settings, store)
    show.line(json_, {"project": project, **moved.to_dict()})


@click.command()
@click.argument("project")
@as_json
@click.pass_obj
def versions(settings: Settings, project: str, json_: bool) -> None:
    """List PROJECT's adapter versions, their scores, and what became of each."""
    show.versions(json_, lineage.versions(store_of(settings, project)))


@click.command("show")
@click.argument("project")
@click.argument("version")
@as_json
@click.pass_obj
def show_(settings: Settings, project: str, version: str, json_: bool) -> None:
    """Print what became of VERSION of PROJECT, and its card: what it was made of, its scores."""
    show.text(json_, *lineage.shown(store_of(settings, project), version))


@click.command()
@click.argument("project")
@click.argument("version")
@click.argument("other")
@as_json
@click.pass_obj
def diff(settings: Settings, project: str, version: str, other: str, json_: bool) -> None:
    """Say what is another in OTHER than in VERSION: settings, rows, labels and scores."""
    show.text(json_, *lineage.compared(store_of(settings, project), version, other))


@click.command()
@click.argument("project")
@as_json
@click.pass_obj
def audit(settings: Settings, project: str, json_: bool) -> None:
    """Print who promoted, rolled back, approved and changed what in PROJECT, when and why."""
    store = store_of(settings, project)
    log = open_log(settings)
    try:
        hear_moves(log, store)
        entries = log.audit(project)
    finally:
        log.close()
    show.audit(json_, [e.to_dict() for e in entries])


@click.command()
@click.argument("version")
@click.option("--project", required=True, help="The project's id.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--merged", is_flag=True, help="A plain model folder, without PEFT.")
@as_json
@click.pass_obj
def export(
    settings: Settings, version: str, project: str, out: Path, merged: bool, json_: bool
) -> None:
    """Write VERSION of a project into a folder: a PEFT adapter, or a whole model (--merged)."""
    from lora.export import export as write  # loads torch

    store = store_of(settings, project)
    operate.known_version(store, version)
    write(store, version, out, merged)
    show.line(json_, {"project": project, "version": version, "out": str(out), "merged": merged})


COMMANDS = (promote, rollback, versions, show_, diff, audit, export)
