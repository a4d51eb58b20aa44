"""`python -m tests.faults.kills.run --kills 100`: SIGKILLs at points that a seed draws, in a loop
of real processes; what held after each goes into a file, a line a kill.

A seed is a kill. Those that the file has are not run again, so a run may be stopped and taken up.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil

from sync.start.studio import start_studio
from tests.faults.kills.held import AFTER_EACH, PATIENCE_S, House, asked, at_rest
from tests.faults.kills.people import CONFIG, LeapingStudio, ScriptedPeople, draw_text
from tests.faults.kills.real import real_project
from tests.faults.kills.running import ROOT, SERVICES, NotInTime, Running, running, wait
from tests.faults.kills.table import RETRY_S, too_late, write
from tests.faults.label_studio import label_studio

RESULTS = Path("benchmarks/results/reliability.jsonl")
TOKEN = "0123456789abcdef0123456789abcdef01234567"  # of the scripted one
VICTIMS = ("backend", "sync", "worker", "trainer") * 3 + ("job", "redis", "everything")
MOMENT_S = 120.0  # a moment that does not come by then is not waited for
HOUSE = 10  # kills in one house
STUDIO_S = 1800.0  # until a real Label Studio is there, at idle priority
FIRST = 36  # answers before the first kill


@dataclass
class Kill:
    """One kill, as drawn, and what was seen after it. `names`: who died, in the order in which they
    were started again; `came`: whether the moment came; `retried_s`: from the kill, where a
    training died with it (`cut`), to the next trainer's life, `queued_s`: until the loop had queued
    it again; `flat`: what each process grew by since it was first looked at, in MB and handles;
    `broken`: what did not hold, and how."""

    seed: int
    studio: str
    victim: str
    moment: str
    wait_s: float
    names: list[str] = field(default_factory=list)
    came: bool = True
    died: bool = True
    recovered_s: float = 0.0
    cut: bool = False
    retried_s: float | None = None
    queued_s: float | None = None
    flat: dict[str, tuple[float, int]] = field(default_factory=dict)
    said: str = ""
    held: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    promotions: int = 0
    answers: int = 0
    at: str = ""


def moments(house: House) -> dict[str, Callable[[], bool]]:
    """Points of a round, each seen from outside: true once it has come since this call."""
    running = house.running
    folder = running.store.folder

    def count(pattern: str) -> int:
        return sum(1 for _ in folder.glob(pattern))

    before = {p: count(p) for p in ("snapshots/*", "adapters/v*", "verdicts/*", "adapters/.st*")}
    current = running.store.current().version
    shown = house.people.shown()[0]
    return {
        "at once": lambda: True,
        "a snapshot was frozen": lambda: count("snapshots/*") > before["snapshots/*"],
        "a training began": running.store.is_training,
        "a trainer is at work": running.trains,
        "a candidate is written": lambda: any(folder.glob("adapters/.st*/*")),
        "a version is there": lambda: count("adapters/v*") > before["adapters/v*"],
        "CURRENT moved": lambda: running.store.current().version != current,
        "a verdict is there": lambda: count("verdicts/*") > before["verdicts/*"],
        "another version is shown": lambda: house.people.shown()[0] != shown,
    }


def draw(seed: int, studio: str) -> tuple[Kill, Random]:
    """The kill of a seed, and the draws that are left for people."""
    own = Random(f"kill {seed}")
    victim = own.choice(VICTIMS)
    if victim in {"trainer", "job"}:
        return Kill(seed, studio, victim, "a trainer is at work", round(own.uniform(0, 8), 3)), own
    names = ["at once", "a snapshot was frozen", "a training began", "a trainer is at work"]
    names += ["a candidate is written", "a version is there", "CURRENT moved"]
    names += ["a verdict is there", "another version is shown"]
    return Kill(seed, studio, victim, own.choice(names), round(own.uniform(0, 1.0), 3)), own


def strike(house: House, kill: Kill, own: Random) -> None:
    """People work, the moment comes, the victim dies and is started again; what holds is noted."""
    running, people = house.running, house.people
    points = moments(house)
    come, frozen = points[kill.moment], points["a snapshot was frozen"]
    if not running.in_hand():
        people.change_their_minds()  # all answers are new ones: a round begins
    people.work(own, 3)
    _nudges(running, own)
    with suppress(NotInTime):
        wait(lambda: come() or (frozen() and not running.in_hand()), MOMENT_S, kill.moment)
    kill.came = come()
    time.sleep(kill.wait_s)
    names = own.sample(SERVICES, 4) if kill.victim == "everything" else [kill.victim]
    kill.cut, tried, began = running.at_work(), running.tried(), time.monotonic()
    kill.names, kill.died = names, all([running.kill(name) for name in names])
    if not kill.died:
        kill.died, kill.came = _next_life(house, kill), True
        kill.cut, tried, began = kill.died, running.tried(), time.monotonic()
    people.work(own, 2)
    if kill.victim == "backend" and own.random() < 0.4:
        kill.said = _said(running, kill)
    for name in names:
        if name in SERVICES:
            time.sleep(own.uniform(0, 1.5) if len(names) > 1 else own.uniform(0, 0.7))
            running.start(name)
    people.work(own, 2)
    _nudges(running, own)
    if kill.cut and kill.victim in {"trainer", "job", "worker"}:
        _retried(running, kill, began, tried)
    _look(house, kill)
    kill.recovered_s = round(time.monotonic() - began, 1)


def _next_life(house: House, kill: Kill) -> bool:
    """The trainer had ended before its wait was over: kill the next one, sooner and sooner."""
    running = house.running
    for sooner in (4, 16, 64):
        if not running.in_hand():
            house.people.change_their_minds()
        with suppress(NotInTime):
            wait(running.trains, MOMENT_S, kill.moment)
        time.sleep(kill.wait_s / sooner)
        if running.kill(kill.victim):
            return True
    return False


def _nudges(running: Running, own: Random) -> None:
    """Webhooks: of ten, three are lost and two come twice."""
    for _ in range(own.choice((0, 0, 0, 1, 1, 1, 1, 1, 2, 2))):
        running.nudge()


def _said(running: Running, kill: Kill) -> str:
    """Leave the backend dead until sync says so."""
    try:
        told = wait(lambda: running.health().get("problem"), PATIENCE_S, "sync says nothing of it")
    except NotInTime as late:
        kill.broken["it is said"] = str(late)
        return ""
    kill.held.append("it is said")
    return str(told)[:120]


def _retried(running: Running, kill: Kill, began: float, tried: tuple[str, int]) -> None:
    """Note the seconds from the kill until somebody trains again, whatever else the machine does
    meanwhile; nothing where the verdict was there, or came first."""
    what = "it is tried again"

    def queued() -> bool:
        if kill.queued_s is None and running.tried() != tried:
            kill.queued_s = round(time.monotonic() - began, 1)
        return running.trains() or not running.in_hand()

    if not running.in_hand():
        return
    try:
        wait(queued, PATIENCE_S, "nobody trains again")
    except NotInTime as late:
        kill.broken[what] = str(late)
        return
    if running.in_hand():
        kill.retried_s = round(time.monotonic() - began, 1)
    if kill.retried_s is not None and kill.retried_s > RETRY_S:
        kill.broken[what] = too_late(kill.retried_s)
    else:
        kill.held.append(what)


def _look(house: House, kill: Kill) -> None:
    for name, check in AFTER_EACH.items():
        try:
            odd = check(house)
        except NotInTime as late:
            odd = str(late)
        if odd:
            kill.broken[name] = odd
        else:
            kill.held.append(name)
    with suppress(psutil.Error):  # it is dead, as was said
        kill.flat = {name: house.running.grown(name) for name in SERVICES}
    store = house.running.store
    kill.rounds = sum(1 for _ in (store.folder / "verdicts").glob("*.json"))
    kill.promotions = len(store.moves())
    kill.answers = house.asking.answered if house.asking else 0
    kill.at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def tiny_base(folder: Path) -> Path:
    """A random encoder of two layers, made by another process: this one stays free of torch."""
    code = (
        "import sys; from tests.lora.made import tiny_model, tiny_tokenizer as t; "
        "t().save_pretrained(sys.argv[1]); tiny_model(len(t())).save_pretrained(sys.argv[1])"
    )
    place = folder / "base"
    subprocess.run(
        [sys.executable, "-c", code, str(place)], cwd=ROOT, check=True, capture_output=True
    )
    return place


@contextmanager
def scripted_house(
    folder: Path, base: Path, more: Mapping[str, str] | None = None
) -> Iterator[House]:
    """A connected project of 60 tasks on the scripted Label Studio; the base is a tiny one."""
    first, studio = Random(f"house {folder.name}"), LeapingStudio(CONFIG)
    with label_studio(studio) as wire, running(folder, wire.url, TOKEN, base, more) as made:
        people = ScriptedPeople(wire, studio)
        people.add([draw_text(first) for _ in range(60)])
        with opened(House(made, people)) as house:
            yield house


@contextmanager
def opened(house: House) -> Iterator[House]:
    """Connected, with answers enough for a round, and somebody who asks all the time."""
    house.running.project = house.people.project
    house.running.cli("connect", house.people.project)
    house.people.work(Random("first"), FIRST)
    with asked(house):
        yield house


Houses = Callable[[Path, Path], AbstractContextManager[House]]


@contextmanager
def beside_a_real_one(folder: Path) -> Iterator[Houses]:
    """Houses on one real Label Studio, whose data is in `folder`; it runs until the block ends."""
    studio = start_studio(folder, os.environ, patience_s=STUDIO_S)

    @contextmanager
    def real_house(place: Path, base: Path) -> Iterator[House]:
        with real_project(place, base, studio) as made, opened(made) as house:
            yield house

    try:
        yield real_house
    finally:
        studio.process.stop()


def run(
    seeds: Sequence[int],
    out: Path | None,
    houses: Houses = scripted_house,
    studio: str = "scripted",
    each: int = HOUSE,
    base: Path | None = None,
) -> list[Kill]:
    """Kill by these seeds, so many in each house. `base`: of the adapters; None: one is made."""
    done: list[Kill] = []
    with tempfile.TemporaryDirectory(prefix="annotune-kills-") as named:
        root = Path(named)
        base = base or tiny_base(root)
        for at in range(0, len(seeds), each):
            with houses(root / f"{seeds[at]}", base) as house:
                for seed in seeds[at : at + each]:
                    kill, own = draw(seed, studio)
                    strike(house, kill, own)
                    if kill.broken:
                        _keep_logs(house.running, seed)
                    done.append(kill)
                    _note(out, asdict(kill))
                _note(out, _rest(house, seeds[at : at + each], studio, done))
    return done


def _rest(house: House, seeds: Sequence[int], studio: str, done: list[Kill]) -> dict[str, Any]:
    """What is seen once a house has come to rest; a breach goes to the last kill."""
    try:
        odd = at_rest(house)
    except NotInTime as late:
        odd = str(late)
    if odd:
        done[-1].broken["at rest all is shown once"] = odd
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    found = {"rest_after": list(seeds), "studio": studio, "broken": odd}
    return found | {
        "commit": commit.stdout.strip(),
        "version": house.running.store.current().version,
    }


def _keep_logs(running: Running, seed: int) -> None:
    """What the processes said goes beside the house, which is about to go."""
    place = Path(tempfile.mkdtemp(prefix=f"annotune-broken-kill-{seed}-"))
    for log in running.folder.rglob("*.log"):
        shutil.copyfile(log, place / log.name)
    print(f"logs of kill {seed}: {place}", flush=True)


def _note(out: Path | None, line: dict[str, Any]) -> None:
    if out is not None:
        with out.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(line) + "\n")
    broken = line["broken"] or "all held"
    print(
        line.get("seed", "rest"), line.get("victim", ""), line.get("moment", ""), broken, flush=True
    )


def known(out: Path, studio: str) -> set[int]:
    """The seeds that a file has."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    rows = [json.loads(line) for line in lines]
    return {row["seed"] for row in rows if "seed" in row and row["studio"] == studio}


def main(argv: Sequence[str] | None = None) -> int:
    """0: all held after each; 1: something did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills.run", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="seeds 0 to this")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--studio", choices=("scripted", "real"), default="scripted")
    parser.add_argument("--out", type=Path, default=RESULTS, help="a line a kill")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped
    seen = known(given.out, given.studio)
    seeds = [s for s in range(given.first, given.first + given.kills) if s not in seen]
    print(f"{len(seeds)} kills to go, {len(seen)} in {given.out}", flush=True)
    with ExitStack() as stack:
        houses: Houses = scripted_house
        if given.studio == "real" and seeds:
            data = stack.enter_context(tempfile.TemporaryDirectory(prefix="annotune-studio-"))
            houses = stack.enter_context(beside_a_real_one(Path(data)))
        done = run(seeds, given.out, houses, given.studio)
    if given.out == RESULTS:
        write(RESULTS)
    return int(any(kill.broken for kill in done))


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(main())
