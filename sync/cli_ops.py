"""The commands of ops: doctor, init, logs. They build no world: a neighbour may be down."""

from __future__ import annotations

import json
import os
import shlex
import threading
from pathlib import Path

import click

from settings import InvalidSetting, Queue, Settings
from sync import bootstrap, operate, show, trainings
from sync.doctor.doctor import doctor
from sync.init import Wanted, environment, write
from sync.logs import PROCESSES, Line, follow, last_lines
from sync.options import as_json, store_of

ENV_FILE = Path("annotune.env")


@click.command("doctor")
@click.argument("project", required=False)
@as_json
@click.pass_context
def doctor_(ctx: click.Context, project: str | None, json_: bool) -> None:
    """Look at all that annotune needs, and say of each thing what was seen and what would mend it.

    With PROJECT at that one, else at all that are connected. It changes nothing. Exit code 0: no
    problem; 1: at least one.
    """
    if project is not None:
        store_of(ctx.obj, project)
        if not project.isdecimal():
            raise click.UsageError(f"{project!r} is no project's id (a whole number)")
    found = doctor(ctx.obj, bootstrap.build_jobs(ctx.obj), os.environ, project)
    show.text(json_, found.to_dict(), found.lines())
    if not found.healthy:
        ctx.exit(1)


@click.command()
@click.option("--url", help="Label Studio's address.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False), help="Its token.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="The data folder.")
@click.option("--base", help="The base model: minilm, a folder, or org/name@commit.")
@click.option(
    "--password-file", type=click.Path(exists=True, dir_okay=False), help="The backend's password."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=ENV_FILE)
@click.option("--no-input", is_flag=True, help="Ask nothing: what is not given has its default.")
@click.option("--force", is_flag=True, help="Overwrite the file that is there.")
@as_json
@click.pass_obj
def init(
    settings: Settings,
    url: str | None,
    token_file: str | None,
    home: Path | None,
    base: str | None,
    password_file: str | None,
    out: Path,
    no_input: bool,
    force: bool,
    json_: bool,
) -> None:
    """Ask five questions and write a settings file that only you can read.

    A token and a password are never read from the command line: they are asked for, or come from a
    file or from ANNOTUNE_STUDIO_TOKEN and ANNOTUNE_BACKEND_PASSWORD. Redis is taken to be on this
    machine, unless ANNOTUNE_QUEUE_URL says where.
    """
    _may_write(out, force, no_input)
    token, password = _secret(token_file) or settings.studio.token, _secret(password_file)
    password = password or settings.backend.password

    def answer(given: str | None, question: str, default: str, hide: bool = False) -> str:
        if given or no_input:
            return given or default
        told: str = click.prompt(
            question, default, hide_input=hide, show_default=not hide, err=True
        )
        return told.strip()

    wanted = Wanted(
        url=answer(url, "Label Studio's address", settings.studio.url),
        token=answer(token, "Its token (Account & Settings > Personal Access Token)", "", True),
        home=Path(answer(str(home) if home else None, "Data folder", str(settings.home))),
        base=answer(base, "Base model", settings.train.base),
        password=answer(password, "Password of the backend (empty: one is drawn)", "", True),
        redis=settings.queue.url if settings.queue.url != Queue().url else "",
    )
    write(out, environment(wanted))
    read = f"annotune --env-file {shlex.quote(str(out))}"
    steps = [f"{read} up", f"{read} connect PROJECT"]
    lines = [f"wrote {out}, which only you can read; next:", *(f"  {step}" for step in steps)]
    lines.append(f"if something is wrong: {read} doctor")
    show.text(json_, {"written": str(out), "next": steps}, lines)


def _may_write(out: Path, force: bool, no_input: bool) -> None:
    if not out.exists() or force:
        return
    if no_input or not click.confirm(f"{out} is there; overwrite it?", err=True):
        raise operate.Impossible(f"{out} is there and stays as it is; --force overwrites it")


def _secret(path: str | None) -> str:
    if path is None:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"the file with the secret cannot be read: {error}") from None


@click.command()
@click.option("-f", "--follow", "on", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--process", type=click.Choice(PROCESSES), help="One of them alone.")
@click.option("--training", is_flag=True, help="What the last training wrote, then the next one.")
@click.option("--project", help="Of this project's trainings.")
@click.option("-n", "--lines", default=50, type=click.IntRange(0, 10_000), help="Of the past.")
@as_json
@click.pass_obj
def logs(
    settings: Settings,
    on: bool,
    process: str | None,
    training: bool,
    project: str | None,
    lines: int,
    json_: bool,
) -> None:
    """Print what backend, sync and worker wrote last, in the order of time.

    `annotune up` writes HOME/logs; each training has a file of its own there.
    """
    if training and process or project is not None and not training:
        raise click.UsageError("--training takes no --process, and --project is of --training")
    if project is not None:
        store_of(settings, project)
    processes = (process,) if process else PROCESSES
    stop = threading.Event()
    if training:
        past = trainings.last_lines(settings.home, lines, project)
        coming = trainings.follow(settings.home, stop, project)
    else:
        past = last_lines(settings.home, processes, lines)
        coming = follow(settings.home, processes, stop)

    def tell(line: Line) -> None:
        if json_:
            click.echo(json.dumps({"process": line.process, "line": line.text}))
        else:
            click.echo(line.plain if process or training else f"{line.process:8}| {line.plain}")

    for line in past:
        tell(line)
    if on:
        try:
            for line in coming:
                tell(line)
        except KeyboardInterrupt:
            stop.set()


COMMANDS = (doctor_, init, logs)
