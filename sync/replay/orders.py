"""In which order a replay gives answers: the product's, at random, and others for benchmarks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from label_config.controls import Schema
from label_config.snapshot_json import region_from_dict
from label_config.values import Example
from sync.order import Guess, answer_of, drawn_by, shown_places
from sync.typical import FRONT, KNOWN, Line, Taught, labels_of, places


@dataclass(frozen=True)
class Asked:
    """What an order may go by: the shown rows that are left, what the serving version `said` to
    rows by id, the train rows given so far, and whether that version has `learned` anything."""

    project: str
    schema: Schema
    shown: Sequence[Example]
    given: Sequence[Example]
    said: Mapping[str, Mapping[str, Any]]
    learned: bool


Order = Callable[[Asked], dict[int, float]]
"""A score in [0, 1] by task, the lowest first."""


def pushed(asked: Asked) -> dict[int, float]:
    """The order that sync pushes: the front, and what is behind it."""
    guesses, labels = _guesses(asked), labels_of(asked.schema)
    given = sorted(asked.given, key=lambda e: drawn_by(asked.project, e.task))[:KNOWN]
    vectors = [v for e in given if (v := _vector(asked.said[e.id]))]
    taught = Taught(len(asked.given), vectors, asked.learned)
    found: dict[int, float] = {}
    for standing, part in ((0, guesses[:FRONT]), (FRONT, guesses[FRONT:])):
        if part:
            line = Line(standing, len(guesses))
            found |= places(asked.project, part, taught, labels, line)[0]
    return found


def turns(asked: Asked) -> dict[int, float]:
    """What sync pushes where it knows no vectors, and pushed everywhere before decisions/0012."""
    return shown_places(asked.project, _guesses(asked), by_confidence=asked.learned)


def _guesses(asked: Asked) -> list[Guess]:
    """In the order in which sync asks for them."""
    made: list[Guess] = []
    for e in sorted(asked.shown, key=lambda e: drawn_by(asked.project, e.task)):
        said = asked.said[e.id]
        answer = answer_of(asked.schema, [region_from_dict(r) for r in said["regions"]])
        made.append(Guess(e.task, answer, float(said["score"]), _vector(said)))
    return made


def _vector(said: Mapping[str, Any]) -> bytes | None:
    return base64.b64decode(said["vector"]) if "vector" in said else None


@dataclass(frozen=True)
class Arm:
    """Who comes next, None: at random; and whether children are made of the answers."""

    name: str
    order: Order | None = None
    expands: bool = False


RANDOM, OURS = "random", "ours"
ARMS = {
    arm.name: arm
    for arm in (
        Arm(RANDOM),
        Arm(OURS, pushed),
        Arm(f"{RANDOM}-expanded", expands=True),
        Arm(f"{OURS}-expanded", pushed, expands=True),
    )
}
