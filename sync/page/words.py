"""A project's state in one sentence, and what to do about what stands in its way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from settings import Settings
from sync.trainings import STAGES as STAGES

ADVICE: tuple[tuple[str, str], ...] = (
    (
        "refuses the token",
        "Make a new token in Label Studio (Account & Settings), give it as "
        "ANNOTUNE_STUDIO_TOKEN_FILE, and start annotune again.",
    ),
    (
        "knows no such project",
        "If the project was deleted, nothing is left to do; else the token's user cannot see it.",
    ),
    (
        "Label Studio (does not|cannot) answer",
        "See that Label Studio runs and answers at {studio}. Sync tries again by itself.",
    ),
    (
        "the backend at .* does not answer",
        "See that the backend runs: {home}/logs/backend.log has its last words, and annotune up "
        "starts it again. Annotators keep the predictions that were pushed.",
    ),
    (
        "queue's Redis does not answer",
        "Start Redis, or correct ANNOTUNE_QUEUE_URL. Nothing is lost: trainings wait for it.",
    ),
    (
        "ended without a verdict",
        "The trainer's last words are in {home}/logs/train-*.log. New answers start another one, "
        "and so does Train now.",
    ),
    ("No space left", "Make room on the disk of {home}. Sync goes on by itself."),
    ("the log at .* does not answer", "See that the log's database answers (ANNOTUNE_SYNC_LOG)."),
    ("which is not allowed here", "Add it to ANNOTUNE_TRAIN_BASES, or take it out of the config."),
    ("our webhook", "A running sync sets it up again within five minutes."),
    ("is in quarantine", "What served before it answers meanwhile."),
    ("blind share", "Nothing to do, if that is what you meant."),
)
OTHERWISE = "Sync tries again by itself; {home}/logs/sync.log says more."


def advice(problem: str, settings: Settings) -> str:
    """What to do about a problem."""
    found = next((says for sign, says in ADVICE if re.search(sign, problem)), OTHERWISE)
    return found.format(studio=settings.studio.url, home=settings.home)


def sentence(facts: Mapping[str, Any]) -> str:
    """Where a project stands: who serves, how good that is, and what comes next."""
    return ", ".join(part for part in (_serving(facts), _score(facts), _next(facts)) if part)


def short(version: str | None) -> str:
    """A version as people say it: v7 of v7-1a2b3c4d; the cold start has no number."""
    return version.partition("-")[0] if version else "the cold start"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def score_of(facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The serving version's score on blind answers: by the learning curve, which has its interval,
    else as it was judged once."""
    serving = facts["status"]["version"]
    for point in reversed(facts["curve"]["points"]):
        if serving and point["version"] == serving:
            found: Mapping[str, Any] = point
            return found
    for row in facts["versions"]:
        if serving and row["version"] == serving and row.get("holdout") is not None:
            return {"value": row["holdout"], "blind": row.get("blind_labels"), "low": None}
    return None


def _serving(facts: Mapping[str, Any]) -> str:
    version = facts["status"]["version"]
    return f"{short(version) if version else 'Cold start'} serving"


def _score(facts: Mapping[str, Any]) -> str:
    found = score_of(facts)
    if found is None:
        return ""
    reach = ""
    if found["low"] is not None:
        reach = f" ± {50 * (found['high'] - found['low']):.1f}"
    return f"{percent(found['value'])}{reach} on {found['blind']} blind tasks"


def _next(facts: Mapping[str, Any]) -> str:
    state = facts["status"]
    if facts["running"]:
        running = facts["running"]
        where = STAGES.get(running["stage"], running["stage"])
        return f"the next version is in training ({where})"
    if facts["waiting_for"]:
        return f"{short(facts['waiting_for']['version'])} waits for a named person"
    if facts["wanted"]:
        return "a training waits for a worker"
    if facts["asked"]:
        return f"a training was asked for by {facts['asked']['by']}"
    if state["labels"] < facts["least"]:
        return f"{_count(facts['least'] - state['labels'], 'answer')} until the first training"
    left = facts["every"] - state["new_answers"]
    plain = f"{state['new_answers']} of {facts['every']} new answers"
    if state["decision"] != plain:
        return str(state["decision"])
    return f"{_count(left, 'correction')} until the next round"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
