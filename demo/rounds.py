"""Rounds: the annotator answers, sync notices, trains, judges; the demo watches and measures.

A verdict is seen where sync's worker leaves it, in the store; a version is serving when a reply of
/predict carries it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.annotator import Annotator, Answered
from demo.predictor import Backend
from demo.probe import Probe
from demo.project import Project
from demo.result import Result, Round
from demo.rows import Data
from demo.score import Scores, score
from sync.start.house import House

VERDICT_S = 900.0
SERVING_S = 120.0
LOOK_S = 20.0  # between two looks at `annotune status`, which costs a second of a core


class RoundFailed(RuntimeError):
    """A round came to no end; the message says what sync last said."""


@dataclass(frozen=True)
class Stage:
    """What a round needs."""

    house: House
    project: Project
    backend: Backend
    data: Data
    probe: Probe
    annotator: Annotator
    tell: Callable[[str], None]


def play(stage: Stage, labels: int, goal: int, last: Scores) -> tuple[Round, Scores]:
    """One round: answers up to `goal`, the verdict, the swap, the test file. Raises RoundFailed."""
    known = stage.house.verdicts(stage.project.id)
    given = give_answers(stage, labels, goal)
    verdict = wait_for_verdict(stage, known, labels + len(given))
    wait: float | None = None
    if verdict["promoted"]:
        version = str(verdict["version"])
        stage.tell(f"{version} is promoted; waiting until it serves")
        seen = stage.probe.wait_for(version, SERVING_S)
        if seen is None:
            raise RoundFailed(f"{version} was promoted but does not serve after {SERVING_S:.0f} s")
        wait = round(seen - given[-1].at, 2)
        stage.tell(f"scoring the test file with {version}")
        last = score(stage.backend, stage.data)
    shown = [a for a in given if a.shown]
    return (
        Round(
            labels=labels + len(given),
            test=last.test,
            test_spans=last.test_spans,
            holdout=holdout(verdict),
            correction_rate=sum(a.changed for a in shown) / len(shown) if shown else None,
            version=last.version,
            promoted=bool(verdict["promoted"]),
            reason=str(verdict["reason"]),
            trigger_to_serving_s=wait,
            resubmitted=sum(a.resubmitted for a in given),
        ),
        last,
    )


def give_answers(stage: Stage, labels: int, goal: int) -> Sequence[Answered]:
    """Answer tasks until there are `goal` answers; raises RoundFailed when the tasks run out."""
    given: list[Answered] = []
    while labels + len(given) < goal:
        answered = stage.annotator.answer_next()
        if answered is None:
            raise RoundFailed(f"Label Studio has no further task after {labels + len(given)}")
        given.append(answered)
        changed, shown = sum(a.changed for a in given), sum(a.shown for a in given)
        stage.tell(f"{labels + len(given)} of {goal} answers; {changed} of {shown} shown corrected")
    return given


def wait_for_verdict(stage: Stage, known: set[Path], labels: int) -> dict[str, Any]:
    """The verdict that was not there before; raises RoundFailed when none comes."""
    started = looked = time.monotonic()
    while True:
        for path in stage.house.verdicts(stage.project.id) - known:
            verdict: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return verdict
        now = time.monotonic()
        stage.tell(f"{labels} answers; training and judging, {now - started:.0f} s")
        if not stage.house.up.alive:
            raise RoundFailed(f"annotune up has ended:\n{stage.house.up.log_tail()}")
        if now - looked > LOOK_S:
            looked = now
            _look(stage)
        if now - started > VERDICT_S:
            raise RoundFailed(f"no verdict after {VERDICT_S:.0f} s")
        time.sleep(0.2)


def _look(stage: Stage) -> None:
    """Ask sync whether it is still at it: a training that was given up leaves no verdict."""
    state = stage.house.command("status", str(stage.project.id))
    if not state["training"] and state["new_answers"] < stage.house.settings.train.every:
        last = state["last_verdict"] or {}
        if last.get("reason") and not last.get("snapshot"):
            raise RoundFailed(f"the training was given up: {last['reason']}")
    if state["problems"]:
        stage.tell("; ".join(state["problems"]))


def settle(house: House, project: Project, tell: Callable[[str], None]) -> None:
    """Let a training that an earlier run left behind come to its end. Raises RoundFailed."""
    deadline = time.monotonic() + VERDICT_S
    while time.monotonic() < deadline:
        tell("letting the last run's training come to its end")
        time.sleep(house.settings.sync.poll_s + 1)
        state = house.command("status", str(project.id))
        if not state["training"] and state["new_answers"] < house.settings.train.every:
            return
    raise RoundFailed(f"a training is still at work after {VERDICT_S:.0f} s")


def holdout(verdict: dict[str, Any]) -> float | None:
    """The gate score of the version that serves after this verdict, from this very judging."""
    scores = verdict.get("scores") or {}
    serving = "candidate" if verdict["promoted"] else "champion"
    found = scores.get(serving) or scores.get("cold") or {}
    mean = found.get("mean")
    return None if mean is None else float(mean)


def goals(labels: int, wanted: int, every: int) -> Sequence[int]:
    """The numbers of answers at which the coming rounds end."""
    return range(labels - labels % every + every, wanted + 1, every)


def remember(project: Project, result: Result) -> None:
    """Keep the result so far, so that a later run goes on from it."""
    project.result.write_text(result.to_json(), encoding="utf-8")
