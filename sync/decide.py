"""Is it time to train? A pure decision with its reason in words."""

from __future__ import annotations

from dataclasses import dataclass

from settings import Gate, Train


@dataclass(frozen=True)
class Situation:
    """What the log knows at this moment. `oldest_s`: age in seconds of the oldest new answer."""

    answers: int
    new: int
    oldest_s: float
    asked_by: str | None
    in_hand: str | None
    best: float | None
    """Holdout score of the serving adapter, where one serves."""
    plateau: str | None = None
    """Why training rests, where the last rounds brought nothing."""
    drift: str | None = None
    """That people correct more than they did, which ends a rest."""


@dataclass(frozen=True)
class Decision:
    """Train or not, and why."""

    train: bool
    reason: str


def decide(now: Situation, train: Train, gate: Gate) -> Decision:
    """Enough new answers, or old ones, or a person's word start a training.

    One training at a time; too few answers wait even for a person. The admin's target and a plateau
    stop it, until corrections rise.
    """
    if now.in_hand:
        return Decision(False, f"snapshot {now.in_hand[:8]} is being trained")
    if now.answers < train.least:
        return Decision(False, f"{now.answers} human answers; training needs {train.least}")
    if now.asked_by:
        return Decision(True, f"asked for by {now.asked_by}, with {now.new} new answers")
    rest = resting(now, gate)
    if rest and not now.drift:
        return Decision(False, rest)
    reason = due(now, train)
    if reason is None:
        return Decision(False, f"{now.new} of {train.every} new answers")
    return Decision(True, f"{reason}; {now.drift}" if rest else reason)


def due(now: Situation, train: Train) -> str | None:
    """Which new answers are worth a training, if they are."""
    if now.new >= train.every:
        return f"{now.new} new answers"
    if now.new and now.oldest_s >= train.age_s:
        return f"{now.new} new answers, the oldest {now.oldest_s / 3600:.1f} h old"
    return None


def resting(now: Situation, gate: Gate) -> str | None:
    """Why training rests whatever is new, if it does."""
    if gate.target and now.best is not None and now.best >= gate.target:
        return f"the target {gate.target:.3f} is reached with {now.best:.3f}"
    return now.plateau
