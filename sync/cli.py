"""The command line: `annotune start | up | connect | status | check | compare | doctor | ...`.

Exit codes: 0 done; 1 an error of ours, `check` found what is not predicted, or `doctor` a problem;
2 wrong usage or setting, or nothing that `check` can read; 3 a neighbour (Label Studio, backend,
Redis) does not answer; 4 no such project, version or log; 5 refused, with the reason.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import log_lines
import tracing
from label_config.templates import load_template, template_names
from settings import InvalidSetting, Settings, load
from settings_guard import missing_password, warnings
from sync import bootstrap, cli_backup, cli_ops, cli_replay, cli_versions, operate, show
from sync.ask_review import ask_review
from sync.augmented import augmented
from sync.check import check_file, check_project
from sync.cli_forget import forget
from sync.cli_start import start
from sync.compare import compare
from sync.connect import connect
from sync.exits import NEIGHBOUR, Failing
from sync.loop import JOBS, World, turn
from sync.options import as_json, store_of
from sync.people import people
from sync.processes import Supervisor
from sync.prompt import prompt
from sync.service import serve
from sync.status import status
from sync.studio_values import NoSuchProject
from sync.trainings import in_numbers, running
from sync.up import commands
from sync.watch import watch


def _environment(path: str | None) -> dict[str, str]:
    """The process environment over the lines NAME=value of an environment file."""
    values: dict[str, str] = {}
    if path:
        for number, line in enumerate(_lines(path), 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            name, found, value = text.partition("=")
            if not found or not name.strip() or "\0" in line:
                raise InvalidSetting(f"{path}:{number} is not NAME=value")
            values[name.strip()] = value.strip()
    return values | dict(os.environ)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidSetting(f"{path} is no UTF-8 text") from error


@click.group(cls=Failing, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--env-file", type=click.Path(exists=True, dir_okay=False), help="Lines NAME=value.")
@click.version_option(package_name="annotune")
@click.pass_context
def main(ctx: click.Context, env_file: str | None) -> None:
    """Annotate, and the model tunes itself.

    Settings come from ANNOTUNE_* variables (settings.py names them all) or an --env-file.
    """
    os.environ.update(_environment(env_file))  # children and jobs read the same settings
    ctx.obj = load(os.environ)
    log_lines.set_up(os.environ)


def _say_what_is_open(settings: Settings) -> None:
    for warning in warnings(settings):
        logging.getLogger(__name__).warning("%s", warning)


def _build(ctx: click.Context) -> World:
    """The world for one command; closed when the command ends."""
    world = bootstrap.build(ctx.obj)
    ctx.call_on_close(world.close)
    return world


@contextmanager
def _only_sync(settings: Settings) -> Iterator[None]:
    """Hold the home folder's one place for a loop; two would push every prediction twice."""
    with (settings.home / "sync.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise operate.Impossible(f"a sync service already runs on {settings.home}") from error
        yield


def _known(world: World, project: str) -> None:
    store_of(world.settings, project)
    if project not in world.log.connected():
        raise NoSuchProject(f"project {project} is not connected; run: annotune connect {project}")


@main.command()
@as_json
@click.pass_obj
def up(settings: Settings, json_: bool) -> None:
    """Run backend, sync and one worker, supervised as one, until Ctrl-C."""
    bootstrap.build(settings).close()  # a missing setting is said here, not in a log file
    if missing := missing_password(settings):
        raise InvalidSetting(missing)
    _say_what_is_open(settings)
    supervisor = Supervisor(commands(settings, os.environ), settings.home / "up.json")
    supervisor.on_signals()
    show.line(json_, {"up": [c.name for c in supervisor.commands], "home": str(settings.home)})
    supervisor.run()


@main.command("connect")
@click.argument("project")
@as_json
@click.pass_context
def connect_(ctx: click.Context, project: str, json_: bool) -> None:
    """Connect PROJECT (its id in Label Studio), or repair its connection."""
    store_of(ctx.obj, project)
    show.connected(json_, connect(_build(ctx), project).to_dict())


@main.command("status")
@click.argument("project", required=False)
@click.option("--watch", "on", is_flag=True, help="Go on until Ctrl-C, with the training's steps.")
@as_json
@click.pass_context
def status_(ctx: click.Context, project: str | None, on: bool, json_: bool) -> None:
    """Say where PROJECT stands, or every connected project."""
    world = _build(ctx)
    if project is not None:
        _known(world, project)

    def tell(found: Any) -> None:
        (show.statuses if project is None else show.status)(json_, found)

    def look() -> Any:
        if project is None:
            return [status(world, p) for p in world.log.connected()]
        now = running(world.store.project(project), None) if on else None
        return status(world, project) | (in_numbers(now) if now else {})

    if on:
        with suppress(KeyboardInterrupt):
            watch(look, tell, threading.Event())
    else:
        tell(look())


@main.command()
@click.argument("project")
@as_json
@click.pass_context
def once(ctx: click.Context, project: str, json_: bool) -> None:
    """Turn the loop once for PROJECT, in this process."""
    world = _build(ctx)
    _known(world, project)
    with _only_sync(ctx.obj):
        done = turn(world, project, sweep=True)
    show.line(
        json_,
        {
            "project": project,
            "decision": done.decision.reason,
            "trains": done.decision.train,
            "problems": done.problems,
        },
    )
    if done.problems:
        sys.exit(NEIGHBOUR)


@main.command()
@click.argument("project")
@as_json
@click.pass_context
def train(ctx: click.Context, project: str, json_: bool) -> None:
    """Ask for a training of PROJECT now; sync starts it on its next turn."""
    _known(_build(ctx), project)
    store_of(ctx.obj, project).ask(by=operate.person().who)
    show.line(json_, {"project": project, "asked": True})


@main.command("check")
@click.argument("config", metavar="FILE|PROJECT")
@as_json
@click.pass_context
def check_(ctx: click.Context, config: str, json_: bool) -> None:
    """Say, control by control, what of a label config is predicted, how, and why the rest is not;
    and whether an encoder or a causal base suits it, with the reasons.

    FILE holds the XML, or is a config.yml of Label Studio's gallery; PROJECT is a project's id in
    Label Studio, connected or not. Exit code 0: all is predicted; 1: something is not; 2: it
    cannot be read.
    """
    if config.isdecimal() and not os.path.exists(config):  # not Path: a name may be too long
        world = _build(ctx)
        known = config in world.log.connected()
        answers = world.log.counts(config).answers if known else None
        found = check_project(ctx.obj, world.studio, config, answers)
    elif os.path.isfile(config):
        found = check_file(ctx.obj, Path(config))
    else:
        raise click.UsageError(f"{config!r} is neither a file nor a project's id")
    show.text(json_, found.to_dict(), found.lines())
    if not found.whole:
        ctx.exit(1)


@main.command("prompt")
@click.argument("project")
@click.argument("task", type=int, required=False)
@as_json
@click.pass_context
def prompt_(ctx: click.Context, project: str, task: int | None, json_: bool) -> None:
    """Print what PROJECT's causal base reads of TASK (default: the first), and the right answers
    where the task is annotated."""
    found = prompt(ctx.obj, _build(ctx).studio, project, task)
    show.text(json_, found.to_dict(), found.lines())


@main.command("compare")
@click.argument("project")
@click.option("--bases", required=True, help="Two or more, between commas: minilm,smollm.")
@click.option("--seeds", default=1, type=click.IntRange(1, 20), help="Fits of each base.")
@as_json
@click.pass_context
def compare_(ctx: click.Context, project: str, bases: str, seeds: int, json_: bool) -> None:
    """Train and judge several bases on the same answers of PROJECT, and say which is better.

    Nothing that serves is touched: it works in a folder of its own, which is gone afterwards.
    """
    named = [base.strip() for base in bases.split(",") if base.strip()]
    if len(set(named)) < 2 or len(set(named)) < len(named):
        raise click.UsageError(f"--bases {bases!r}: name two or more, each once")
    world = _build(ctx)
    _known(world, project)
    with _stopped_by_sigterm():
        found = compare(world, project, named, seeds)
    show.text(json_, found.to_dict(), found.lines())


@main.command("people")
@click.argument("project")
@as_json
@click.pass_context
def people_(ctx: click.Context, project: str, json_: bool) -> None:
    """Say how far PROJECT's annotators agree, whether they read what they are shown, and what came
    of what they were asked to look at again."""
    world = _build(ctx)
    _known(world, project)
    found = people(world, project)
    show.text(json_, found.to_dict(), found.lines())


@main.command("augment")
@click.argument("project")
@click.option("--dry-run", "dry", is_flag=True, help="Show what the next one would do; do nothing.")
@click.option("--review", is_flag=True, help="Have people approve the last one's children.")
@as_json
@click.pass_context
def augment_(ctx: click.Context, project: str, dry: bool, review: bool, json_: bool) -> None:
    """Show what became of PROJECT's last expansion: policy, plan, funnel, samples and gain."""
    if dry and review:
        raise click.UsageError("--dry-run does nothing and --review sends what was made: take one")
    world = _build(ctx)
    _known(world, project)
    with _stopped_by_sigterm():
        found = ask_review(world, project) if review else augmented(world, project, dry)
    show.text(json_, found.to_dict(), found.lines())


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that it cleans up."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@main.command()
@click.argument("name", required=False)
@as_json
def templates(name: str | None, json_: bool) -> None:
    """List the ready label configs, or print the one of this NAME."""
    if name is not None and name not in template_names():
        raise click.UsageError(f"no template {name!r}; there are {', '.join(template_names())}")
    if name is not None:
        found = load_template(name)
        show.text(json_, asdict(found), [found.config.rstrip()])
        return
    all_ = [load_template(one) for one in template_names()]
    lines = [f"{one.name:20} {one.about}" for one in all_]
    show.text(json_, [{"name": one.name, "about": one.about} for one in all_], lines)


_PARTS = (cli_ops, cli_versions, cli_replay, cli_backup)
for _command in (*(c for part in _PARTS for c in part.COMMANDS), forget, start):
    main.add_command(_command)


@main.command("sync", hidden=True)
@click.pass_obj
def sync_(settings: Settings) -> None:
    """The sync process (`up` runs it)."""
    _say_what_is_open(settings)
    tracing.start("annotune-sync", os.environ)
    world = bootstrap.build(settings)
    with _only_sync(settings):
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        serve(world, stop)


@main.command("worker", hidden=True)
@click.pass_obj
def worker(settings: Settings) -> None:
    """An rq worker (`up` runs it)."""
    _say_what_is_open(settings)
    bootstrap.build_jobs(settings).work(JOBS)


if __name__ == "__main__":
    main()
