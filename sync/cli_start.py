"""`annotune start FILE.csv`: everything on this machine, from an empty Label Studio to one's own
texts with predictions, and training from then on."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from sync import operate, show
from sync.options import as_json
from sync.start.api import StudioApi
from sync.start.fill import Filled, fill
from sync.start.house import ENV_FILE, House, in_words, open_house
from sync.start.own import Columns, Own, read_own
from sync.start.process import StartFailed

HOME = Path(".annotune-start")
ENDS = (signal.SIGINT, signal.SIGTERM)
OURS = tuple(f"ANNOTUNE_{part}_" for part in ("TRAIN", "AUGMENT", "GATE", "BLIND"))


class Teller:
    """Says what happens: a line that lasts, or one that the next replaces on a terminal. With
    --json all of it goes to stderr."""

    def __init__(self, json_: bool) -> None:
        self._console = Console(stderr=json_)
        self._status = self._console.status("")
        self._stopping = False

    def say(self, text: str) -> None:
        self._status.stop()
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def progress(self, text: str) -> None:
        if self._console.is_terminal:
            self._status.update(text)
            self._status.start()

    def stopping(self) -> None:
        """Say so once, and hear no signal from here on: all shall be stopped in peace."""
        if not self._stopping:
            self._stopping = True
            for number in ENDS:
                signal.signal(number, signal.SIG_IGN)
            self.say("Stopping ...")


@click.command()
@click.argument("csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text", help="The column with the texts; default: found by name or by length.")
@click.option("--label", help="A column with labels: what it holds becomes annotations.")
@click.option("--labels", help="The labels to predict, between commas.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A label config of your own; its $keys are the CSV's columns.",
)
@click.option("--encoding", help="The CSV's, where it is not UTF-8: cp1252, ...")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=HOME,
    show_default=True,
    help="Where Label Studio and all else is kept; the same one goes on where it was.",
)
@click.option("--exit", "leave", is_flag=True, help="Stop when the tasks are pre-annotated.")
@as_json
def start(
    csv: Path,
    text: str | None,
    label: str | None,
    labels: str | None,
    config: Path | None,
    encoding: str | None,
    home: Path,
    leave: bool,
    json_: bool,
) -> None:
    """Put CSV into a Label Studio of its own on this machine, pre-annotated, and learn from there.

    Starts Label Studio, Redis and annotune, reachable from this machine alone; makes a project of
    the rows; prints its address and login when all tasks have predictions; goes on until Ctrl-C.
    The same command again goes on with the same project; rows that are new are added to it.
    Settings ANNOTUNE_TRAIN_*, _AUGMENT_*, _GATE_* and _BLIND_* count.
    """
    if config and (text or labels):
        raise click.UsageError("--config says what is read and predicted: no --text, no --labels")
    named = tuple(part.strip() for part in (labels or "").split(",") if part.strip())
    own = read_own(csv, Columns(text, label, named, config, encoding))
    teller = Teller(json_)
    teller.say("; ".join(own.said) + ".")
    with _until_stopped(teller), _alone(home):
        _run(home, own, teller, leave, json_)


def _run(home: Path, own: Own, teller: Teller, leave: bool, json_: bool) -> None:
    first = "" if (home / ENV_FILE).exists() else " (the first time takes a minute or two)"
    teller.say(f"Starting Label Studio, Redis and annotune in {home}{first} ...")
    with open_house(home, os.environ, wished(os.environ), teller.progress) as house:
        try:
            with closing(StudioApi(house.studio.url, house.studio.token)) as api:
                filled = fill(house, api, own, teller.progress)
            told = ready(house, filled)
            teller.say("\n".join(lines(told)))
            if json_:
                show.as_json(told)
            if not leave:
                teller.say("Everything keeps running; Ctrl-C stops it.")
                _stay(house, filled.project, teller)
        finally:
            teller.stopping()


def wished(environ: Mapping[str, str]) -> dict[str, str]:
    """The person's settings that count here: how to train and judge, not where who listens."""
    own = {name: value for name, value in environ.items() if name.startswith(OURS)}
    return {"ANNOTUNE_BACKEND_DTYPE": "auto", **own}


def ready(house: House, filled: Filled) -> dict[str, Any]:
    """What a person needs to go on."""
    account, own = house.studio.account, house.settings
    return {
        "project": filled.project,
        "tasks": filled.tasks,
        "open": filled.open,
        "imported": filled.imported,
        "gone": list(filled.gone),
        "blind": own.blind.first_in,
        "url": f"{account.url}/projects/{filled.project}/data",
        "email": account.email,
        "password": account.password,
        "page": f"{own.sync.url}/project/{filled.project}",
        "page_password": own.page.password,
        "env_file": str(house.folder / ENV_FILE),
        "command": in_words(house.folder),
    }


def lines(told: Mapping[str, Any]) -> list[str]:
    answered = told["tasks"] - told["open"]
    gone = ", ".join(map(repr, told["gone"]))
    lost = (
        f"No longer labels: {gone}. Answers that use them stay in Label Studio, and count no more."
    )
    return [
        *([lost] if gone else []),
        f"{told['imported']} rows imported. Of {told['tasks']} tasks {answered} are answered; the "
        f"other {told['open']} open with a suggestion,",
        f"but for about one in {told['blind']} at first, which opens empty on purpose: only what "
        "people answer without one judges a new version.",
        "",
        f"Label Studio: {told['url']}",
        f"Login:        {told['email']}   Password: {told['password']}",
        f"Operators:    {told['page']}   Name: any   Password: {told['page_password']}",
        f"Commands:     {told['command']} status {told['project']}   (or: doctor, logs)",
        "",
    ]


def _stay(house: House, project: int, teller: Teller) -> None:
    """Keep running until Ctrl-C, and say what becomes of each training. Raises StartFailed when
    annotune ends by itself."""
    known = house.verdicts(project)
    waiting = threading.Event()
    while house.up.alive:
        waiting.wait(1.0)
        for path in sorted(house.verdicts(project) - known):
            known.add(path)
            verdict = json.loads(path.read_text(encoding="utf-8"))
            early = "too few to judge" in verdict["reason"]
            word = "serves now" if verdict["promoted"] else "is kept back"
            word = "is trained, and waits for more blind answers" if early else word
            teller.say(f"{verdict['version']} {word}: {verdict['reason']}")
    raise StartFailed(f"annotune up has ended:\n{house.up.log_tail()}")


@contextmanager
def _until_stopped(teller: Teller) -> Iterator[None]:
    """Ctrl-C and SIGTERM end it well, while it starts, too, and in a background shell, which leaves
    SIGINT ignored."""

    def stop(number: int, frame: object) -> None:
        teller.stopping()
        raise KeyboardInterrupt

    before = [signal.signal(number, stop) for number in ENDS]
    try:
        yield
    except KeyboardInterrupt:
        teller.say("Stopped.")
    finally:
        for number, handler in zip(ENDS, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One at a time: a second start on a home would stop what the first one runs."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = (home / "start.lock").open("a")
    except OSError as error:
        raise operate.Impossible(
            f"{home} cannot be written: {error.strerror}; name another folder: --home DIR"
        ) from error
    with held as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise operate.Impossible(
                f"annotune start already runs on {home}; a second one needs a folder of its own: "
                "--home DIR"
            ) from error
        yield
