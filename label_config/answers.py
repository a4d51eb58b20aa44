"""The `value` of one region and what it answers: labels, ratings, numbers, in both directions.

Field names and forms are those that Label Studio 1.23.2 stores (its regions/Result.js).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from label_config.controls import Control, ControlKind, Label
from label_config.labels import SEPARATOR, option_labels

FIELD: dict[ControlKind, str] = {  # a TextArea's is no label, and `text` is a span's own, too
    "Choices": "choices",
    "Taxonomy": "taxonomy",
    "Rating": "rating",
    "Number": "number",
    "Pairwise": "selected",
    "Labels": "labels",
    "HyperTextLabels": "hypertextlabels",
    "ParagraphLabels": "paragraphlabels",
}


@dataclass(frozen=True)
class Named:
    """The labels of a region: those the control knows, and the names of those it does not."""

    known: tuple[str, ...]
    gone: tuple[str, ...] = ()


def control_labels(control: Control, data: Mapping[str, object]) -> tuple[Label, ...] | str:
    """The control's labels, which the task itself may bring, or the reason why there are none."""
    if control.options is None:
        return control.labels
    return option_labels(control, data.get(control.options))


def read_labels(
    control: Control, names: Mapping[object, str], value: Mapping[str, Any]
) -> Named | str:
    """The stored labels of one region, or the reason why there are none to read; `names` as
    `label_names` made them."""
    field = FIELD[control.kind]
    raw = value.get(field)
    if control.kind in {"Rating", "Pairwise"}:
        raw = _single(control, raw)
        if isinstance(raw, str):
            return raw
    if not isinstance(raw, list):
        return f"a region of {control.name!r} has no list value.{field}"
    known: dict[str, None] = {}
    gone: dict[str, None] = {}
    for item in _deepest(raw) if control.nested else raw:
        key = tuple(item) if isinstance(item, list) else item
        try:
            found = names.get(key)
        except TypeError:  # a list of lists, or objects: no label has such a name
            found = None
        if found is not None:
            known[found] = None
        else:
            gone[_spoken(item)] = None
    return Named(tuple(known), tuple(gone))


def _deepest(raw: list[object]) -> list[object]:
    """Paths without those that lead to another one: ticking a leaf ticks what is full above it."""
    paths = [tuple(item) for item in raw if isinstance(item, list)]
    return [
        item
        for item in raw
        if not (
            isinstance(item, list)
            and any(len(p) > len(item) and p[: len(item)] == tuple(item) for p in paths)
        )
    ]


def _single(control: Control, raw: object) -> list[str] | str:
    if control.kind == "Pairwise":
        if not isinstance(raw, str):
            return f"a region of {control.name!r} has no text value.selected"
        return [raw]
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if type(raw) is not int:
        return f"a region of {control.name!r} has no whole number value.rating"
    if raw == 0:  # no star: what the editor keeps where a rating was taken back
        return f"the rating of {control.name!r} is 0, which is no answer"
    return [str(raw)]


def label_names(labels: Iterable[Label]) -> dict[object, str]:
    """Every name that labels go by in a result -> the label's value; a path is a tuple.

    A label that has been given an alias since is still known by the name it shows, unless another
    one is stored or shown under it.
    """
    labels = tuple(labels)
    shown = [(tuple(x.shown.split(SEPARATOR)) if x.path else x.shown, x.value) for x in labels]
    count = Counter(name for name, _ in shown)
    names: dict[object, str] = {name: value for name, value in shown if count[name] == 1}
    names.update({x.path or x.value: x.value for x in labels})
    return names


def _spoken(item: object) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, list) and all(isinstance(i, str) for i in item):
        return SEPARATOR.join(item)
    plain = isinstance(item, (int, float)) and abs(item) < 1e15
    return str(item) if plain else f"({type(item).__name__})"


def read_number(value: Mapping[str, Any]) -> float | None:
    """The number of a Number's region; None where it holds none."""
    raw = value.get("number")
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        return None
    try:
        number = float(raw)
    except OverflowError:  # JSON allows whole numbers beyond any float
        return None
    return number if math.isfinite(number) else None


def read_written(value: Mapping[str, Any]) -> str | None:
    """The text of a TextArea's region, a submission after the other on a line of its own; "" where
    nothing is written there, None where it holds something else."""
    raw = value.get("text")
    parts = raw if isinstance(raw, list) else [raw]
    written = [part for part in parts if isinstance(part, str)]
    if len(written) < len(parts):
        return None
    return "\n".join(part for part in written if part.strip())


def read_typed(value: object) -> tuple[str, ...]:
    """What was typed into a TextArea, a submission each, without those that say nothing."""
    raw = value.get("text") if isinstance(value, Mapping) else None
    parts = raw if isinstance(raw, list) else [raw]
    return tuple(p.strip() for p in parts if isinstance(p, str) and p.strip())


def write_labels(
    control: Control, labels: tuple[str, ...], known: tuple[Label, ...]
) -> dict[str, Any]:
    """The label part of a region's value."""
    field = FIELD[control.kind]
    if control.kind == "Rating":
        return {field: int(labels[0])}
    if control.kind == "Pairwise":
        return {field: labels[0]}
    if control.kind == "Taxonomy" or control.nested:
        paths = {label.value: label.path for label in known}
        return {field: [list(paths.get(v) or v.split(SEPARATOR)) for v in labels]}
    return {field: list(labels)}


def lost_labels(value: object) -> tuple[str, ...]:
    """The label names in a region of a control that is no longer there."""
    if not isinstance(value, Mapping):
        return ()
    found: list[str] = []
    for field in FIELD.values():
        raw = value.get(field)
        items = raw if isinstance(raw, list) else [] if raw is None else [raw]
        found += [_spoken(i) for i in items]
    return tuple(dict.fromkeys(found))
