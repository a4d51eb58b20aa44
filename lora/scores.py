"""The judge's numbers as a manifest keeps them: of another shape than the judge writes they are a
TypeError, so that one odd manifest costs its own version alone and not the table of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTESTANTS = ("candidate", "champion", "human", "cold")
LARGEST = 1e300  # a number beyond is no score and no count, and may not even fit a float


def check_scores(scores: Mapping[str, Any]) -> None:
    """Look at all that is read of a manifest's scores again; raises TypeError."""
    for name in ("holdout", "train"):
        _number(f"scores.{name}", scores.get(name))
    _object("scores.gate", scores.get("gate"))
    for who in CONTESTANTS:
        own = _object(f"scores.{who}", scores.get(who))
        _number(f"scores.{who}.mean", own.get("mean"))
        for name, score in _object(f"scores.{who}.controls", own.get("controls")).items():
            where = f"scores.{who}.controls.{name}"
            one = _object(where, score)
            if not isinstance(one.get("metric"), str):
                raise TypeError(f"{where[:80]} names no metric")
            _number(where, one.get("value"))
            _number(where, one.get("n"))
        for name, table in _object(f"scores.{who}.by_label", own.get("by_label")).items():
            _check_table(f"scores.{who}.by_label.{name}", table)


def _check_table(where: str, table: object) -> None:
    """What lora/labelled.py makes of one control."""
    own = _object(where, table)
    for counts in _object(where, own.get("labels")).values():
        _row(where, counts, (int, int, int, int))
    confused = own.get("confused")
    for pair in confused if isinstance(confused, list) else [confused]:
        _row(where, pair, (str, str, int))


def _row(where: str, row: object, kinds: tuple[type, ...]) -> None:
    if not isinstance(row, list) or [type(item) for item in row] != list(kinds):
        raise TypeError(f"{where[:80]} holds {str(row)[:40]!r}")


def _object(where: str, value: object) -> dict[str, Any]:
    """An object, or nothing in its place."""
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{where[:80]} is {str(value)[:40]!r}, no object")
    return value or {}


def _number(where: str, value: object) -> None:
    """A number that a float holds, or nothing in its place; NaN lies in no range."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{where[:80]} is {str(value)[:40]!r}, no number")
    if not -LARGEST < value < LARGEST:
        raise TypeError(f"{where[:80]} is {str(value)[:40]!r}, beyond all scores")
