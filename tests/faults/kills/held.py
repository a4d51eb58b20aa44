"""What must hold after every kill, each by its name; a breach is said in words."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import psutil

from lora.adapter import verify
from lora.errors import BrokenAdapter
from lora.moves import GATE
from tests.asking import Asking
from tests.faults.kills.people import CONFIG, People, Truth, draw_text, said
from tests.faults.kills.running import NotInTime, Running, wait

PATIENCE_S = 300.0  # of a machine that does other things first
MORE_MB, MORE_HANDLES = 120.0, 40  # of a process, for what it fills once

Check = Callable[["House"], str | None]


@dataclass
class House:
    """What runs, and who works there."""

    running: Running
    people: People
    asking: Asking | None = None


@contextmanager
def asked(house: House) -> Iterator[Asking]:
    """Three tasks that nobody has listed, over and over."""
    draw = random.Random("asked")
    tasks = {10**9 + n: draw_text(draw) for n in range(3)}
    with Asking(lambda: house.running.predict(CONFIG, tasks), len(tasks), 0.3) as house.asking:
        yield house.asking


def logged(running: Running) -> Truth:
    """What the log holds, in the form of People.truth."""
    kept = running.log.current_annotations(running.project)
    skips = running.log.counts(running.project).skips
    return {a.id: (a.task, said(a.result)) for a in kept}, skips


def the_log_is_the_truth(house: House) -> str | None:
    try:
        wait(lambda: logged(house.running) == house.people.truth(), PATIENCE_S, "log and truth")
    except NotInTime:
        (ours, skipped), (theirs, skips) = logged(house.running), house.people.truth()
        odd = {n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n)}
        return f"{len(odd)} answers differ, {sorted(odd)[:5]}; skips {skipped}, there {skips}"
    return None


def no_answer_is_trained_twice(house: House) -> str | None:
    store = house.running.store
    for path in (store.folder / "snapshots").glob("*.json"):
        rows = store.snapshot(path.stem).examples
        for what, values in (("id", [e.id for e in rows]), ("task", [e.task for e in rows])):
            if twice := [v for v, n in Counter(values).items() if n > 1]:
                return f"snapshot {path.stem[:8]} has {what} {twice[0]} twice"
    made = Counter(m.recipe.snapshot for m in store.versions())
    if twice_made := [s for s, n in made.items() if n > 1]:
        return f"{made[twice_made[0]]} versions of snapshot {twice_made[0][:8]}"
    return None


def one_promotion_a_verdict(house: House) -> str | None:
    """Read from what is written last backwards, so that a worker between two steps is no breach."""
    store = house.running.store
    verdicts = {m.version: store.verdict(m.recipe.snapshot) for m in store.versions()}
    serving, moved = store.current().version, store.moves()
    to = Counter(m.version for m in moved)
    if twice := [v for v, n in to.items() if n > 1]:
        return f"CURRENT was moved to {twice[0]} {to[twice[0]]} times"
    before = None
    for move in moved:
        if move.by != GATE or move.previous != before:
            return f"{move.by} moved CURRENT to {move.version} from {move.previous}, not {before}"
        before = move.version
    for version, verdict in verdicts.items():
        if verdict and verdict["promoted"] != (version in to):
            return f"the verdict on {version} has promoted: {verdict['promoted']}; CURRENT differs"
        if not verdict and version in to and version not in (serving, before):
            return f"{version} served and has no verdict"
    return None


def current_loads(house: House) -> str | None:
    """Whole by its digests, and the server has it: it says the same version, and no error."""
    running = house.running
    version = running.store.current().version
    if version is not None:
        try:
            verify(running.store.adapter_folder(version))
        except (BrokenAdapter, OSError) as error:
            return f"CURRENT names {version}: {error}"
    told: dict[str, Any] = {}

    def serves() -> bool:
        told.update(running.backend_health().get("projects", {}).get(running.project, {}))
        serving = running.store.current().version
        return bool(told) and told["version"] == serving and told["error"] is None

    try:
        wait(serves, PATIENCE_S, "")
    except NotInTime:
        return f"CURRENT names {version}; the backend says {told}"
    return None


def every_task_can_be_opened(house: House) -> str | None:
    """As Label Studio asks when a task is opened: one by one (some), and all at once."""
    running = house.running
    wait(running.ready, PATIENCE_S, "the backend did not come back")
    tasks = {h.task: h.text for h in house.people.held()}
    chosen = random.Random(len(tasks)).sample(sorted(tasks), min(3, len(tasks)))
    blind = running.store.blind()
    for part in (*({n: tasks[n]} for n in chosen), tasks):
        got = wait(partial(_asked, running, part), PATIENCE_S, "nobody answers")
        if odd := _opened(got, part, blind, blind | running.store.blind()):
            return odd
    return None


def _asked(running: Running, tasks: Mapping[int, str]) -> list[dict[str, object]] | None:
    with suppress(httpx.HTTPError):  # 503 while it loads: Label Studio asks again
        return running.predict(CONFIG, tasks)
    return None


def _opened(
    got: Sequence[Mapping[str, object]],
    tasks: Mapping[int, str],
    blind: Collection[int],
    later: Collection[int],
) -> str | None:
    """`later`: those that were blind before it was asked, or after."""
    if len(got) != len(tasks):
        return f"{len(got)} predictions for {len(tasks)} tasks"
    for number, prediction in zip(tasks, got, strict=True):
        if number in blind and prediction["result"]:
            return f"blind task {number} was answered"
        if number not in later and not prediction["result"]:
            return f"open task {number} was answered with nothing"
    return None


def no_answer_mixes_versions(house: House) -> str | None:
    return house.asking.wrong[0] if house.asking and house.asking.wrong else None


def memory_and_handles_are_flat(house: House) -> str | None:
    """Of each service since it was first looked at: kills come all the while, and a process that
    outlives them must not pile up what they leave behind."""
    running = house.running
    for name in running.services:
        try:
            mb, handles = running.grown(name)
        except psutil.Error:
            return f"{name} does not run"
        if mb > MORE_MB or handles > MORE_HANDLES:
            return f"{name} grew by {mb:.0f} MB and {handles} handles"
    return None


AFTER_EACH: Mapping[str, Check] = {
    "the log is the truth": the_log_is_the_truth,
    "no answer is trained twice": no_answer_is_trained_twice,
    "one promotion a verdict": one_promotion_a_verdict,
    "CURRENT loads": current_loads,
    "every task can be opened": every_task_can_be_opened,
    "no answer mixes versions": no_answer_mixes_versions,
    "memory and handles are flat": memory_and_handles_are_flat,
}


def at_rest(house: House) -> str | None:
    """Once nothing is in hand: what serves is what the project shows, and each open task has one
    prediction of it."""
    running, people = house.running, house.people

    def idle() -> bool:
        nothing = not running.in_hand() and not running.store.is_training()
        return nothing and running.log.counts(running.project).new < running.settings.train.every

    wait(idle, 2 * PATIENCE_S, "the loop did not come to rest")
    serving = running.store.current().version

    def shows() -> bool:
        version, predictions = people.shown()
        right = version == serving if serving else version.startswith("cold-")
        return right and all(versions.count(version) == 1 for versions in predictions.values())

    try:
        wait(shows, PATIENCE_S, "")
    except NotInTime:
        version, predictions = people.shown()
        odd = {n: v for n, v in predictions.items() if v.count(version) != 1}
        return (
            f"{serving} serves, {version} is shown; {len(odd)} open tasks are without it or twice"
        )
    if broken := one_promotion_a_verdict(house):
        return broken
    told = wait(running.health, PATIENCE_S, "sync does not answer")
    return told["problem"]
