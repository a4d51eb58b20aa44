"""The order of the label stream: Label Studio serves the lowest prediction score first.

Shown tasks come by what they teach (sync/typical.py, docs/decisions 0012); where that cannot be
told, one of each predicted answer in turn, each time the one the model is least sure of (0005). A
blind task's place is drawn by hash and never by a model. So a pushed task's score is its place in
the queue (regions keep their probabilities). Pure arithmetic; `sync/push.py` applies it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from label_config import Choice, Region, Schema, Span
from settings import Blind

CLOSED = {"one", "many", "ordinal", "pair"}  # forms whose answers are drawn from a list
RULES = 2
"""Raised when another order comes of the same answers, so that no replay mixes two."""
ROUNDED = 1e-6  # the backend rounds confidences to six decimals


@dataclass(frozen=True)
class Guess:
    """What orders a shown task: the predicted answer (see `answer_of`), how sure the model is, in
    [0, 1], and the text's vector, little-endian float16, where an encoder said one."""

    task: int
    answer: tuple[str, ...]
    confidence: float
    vector: bytes | None = field(default=None, repr=False)


def answer_of(schema: Schema, regions: Sequence[Region]) -> tuple[str, ...]:
    """What the order takes turns over: the labels of the first control that chooses from a list,
    sorted; without such a control, the span labels found; a number is no answer.
    """
    for control in schema.controls:
        if control.form in CLOSED:
            chosen = (r for r in regions if isinstance(r, Choice) and r.from_name == control.name)
            return tuple(sorted(label for r in chosen for label in r.labels))
    return tuple(sorted({label for r in regions if isinstance(r, Span) for label in r.labels}))


def shown_places(
    project: str, guesses: Sequence[Guess], *, by_confidence: bool
) -> dict[int, float]:
    """A score in [0, 1] for each task: its turn within its predicted answer, then its confidence.

    Without `by_confidence` a hash draws the order within an answer: the cold start is unsure where
    label names collide, which says little of where it errs. `guesses` may be any fair sample of
    the tasks: the turn is measured against their number, so samples interleave.
    """
    place = {
        g.task: confidence_place(project, g.task, g.confidence)
        if by_confidence
        else fraction(project, g.task)
        for g in guesses
    }
    turns: Counter[tuple[str, ...]] = Counter()
    scores: dict[int, float] = {}
    for guess in sorted(guesses, key=lambda g: place[g.task]):
        scores[guess.task] = (turns[guess.answer] + place[guess.task]) / len(guesses)
        turns[guess.answer] += 1
    return scores


def confidence_place(project: str, task: int, confidence: float) -> float:
    """A confidence as a score that no other task has: moved up by less than its rounding.

    Equal scores would be served in an order nobody chose, with no room for a blind task between
    them; the hash makes that order fair, and leaves different confidences as they stand.
    """
    return confidence * (1 - ROUNDED) + ROUNDED * fraction(project, task)


def fraction(project: str, task: int) -> float:
    """A number between 0 and 1 that is the task's own for ever."""
    return (int.from_bytes(drawn_by(project, task)[:6], "big") + 1) / (2**48 + 2)


def drawn_by(project: str, task: int) -> bytes:
    """A place in a line that neither a model nor the order of import decides."""
    return hashlib.sha256(f"{project}/{task}".encode()).digest()


def blind_places(
    shown: Mapping[int, float],
    waiting: Mapping[int, float],
    new: Sequence[int],
    *,
    served: int,
    labelled: int,
    rule: Blind,
) -> dict[int, float]:
    """Scores in [0, 1] for new blind tasks, in the order given, so that the share served is right.

    `shown` and `waiting`: scores of the shown and of the blind tasks that have one already.
    `served`: answers so far; the pattern goes on where it stopped. One task in `rule.first_in` is
    blind until `rule.enough` blind ones are labelled (`labelled` are), then one in `rule.then_in`.
    Where the shown tasks end, the blind ones that are left follow.
    """
    queue = sorted(
        [(score, False) for score in shown.values()] + [(score, True) for score in waiting.values()]
    )
    behind = _gaps_to_fill(queue, len(new), served, labelled, rule)
    scores = [score for score, _ in queue]
    places: dict[int, float] = {}
    start = 0
    while start < len(new):
        end = start
        while end < len(new) and behind[end] == behind[start]:
            end += 1
        low = scores[behind[start] - 1] if behind[start] else 0.0
        high = next((s for s in scores[behind[start] :] if s > low), 1.0)
        step = (high - low) / (end - start + 1)
        for k, task in enumerate(new[start:end], start=1):
            places[task] = low + step * k
        start = end
    return places


def _gaps_to_fill(
    queue: Sequence[tuple[float, bool]], new: int, served: int, labelled: int, rule: Blind
) -> list[int]:
    """For each new blind task, how many of the queue are served before it."""
    behind: list[int] = []
    at = 0
    while len(behind) < new:
        every = rule.first_in if labelled < rule.enough else rule.then_in
        due = served % every == every - 1
        if at == len(queue) or (due and not queue[at][1]):
            behind.append(at)
            labelled += 1
        else:
            labelled += queue[at][1]
            at += 1
        served += 1
    return behind
