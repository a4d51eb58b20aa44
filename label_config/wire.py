"""Label Studio's `result` JSON <-> typed regions: the one place where either becomes the other.

Format: https://labelstud.io/guide/task_format and ../shared/captures as recorded from 1.23.2.
Reading never raises: what cannot be read is left out and named in `Read.dropped`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from label_config.values import Choice, Control, Prediction, Region, Schema, Span, Task


@dataclass(frozen=True)
class Read:
    """The regions that could be read, and a reason for each that could not."""

    regions: tuple[Region, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Texts:
    """The texts of a task by data key, or the reason why there is nothing to read."""

    by_key: Mapping[str, str]
    missing: tuple[str, ...] = ()


def task_texts(schema: Schema, data: Mapping[str, object], limit: int | None = None) -> Texts:
    """The text under each of the schema's keys; a number is read as its digits.

    A key that is absent, empty, blank or not a text is named in `missing`. `limit`: code points
    kept of each text; what lies behind it is not read (offsets stay those of the whole text).
    """
    by_key: dict[str, str] = {}
    missing: list[str] = []
    for key in schema.keys:
        value = _plain(data.get(key))
        if not isinstance(value, str):
            missing.append(
                f"data key {key!r} is {'absent' if value is None else type(value).__name__}"
            )
        elif not value.strip():
            missing.append(f"data key {key!r} is empty")
        else:
            by_key[key] = value[:limit] if limit else value
    return Texts(by_key, tuple(missing))


def _plain(value: object) -> object:
    """A number as its digits, as Label Studio shows it; anything else as it is."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value


def read_result(schema: Schema, data: Mapping[str, object], result: object) -> Read:
    """The regions of one annotation's or prediction's `result`.

    Left out, with the reason: unknown controls and labels, spans out of the text, a second answer
    to a single choice, wrong types. Regions of controls we do not predict are left out silently.
    """
    if not isinstance(result, list):
        return Read((), (f"result is a {type(result).__name__}, not a list",))
    regions: list[Region] = []
    dropped: list[str] = []
    ours = {c.name: c for c in schema.controls}
    foreign = {u.name for u in schema.unsupported}
    for raw in result:
        if not isinstance(raw, Mapping):
            dropped.append(f"a region is a {type(raw).__name__}, not an object")
            continue
        name = raw.get("from_name")
        control = ours.get(name) if isinstance(name, str) else None
        if control is None:
            known = isinstance(name, str) and name in foreign
            if not known and raw.get("type") != "relation":
                dropped.append(f"control {name!r} is not in the label config")
            continue
        got = _read_region(control, data, raw)
        if isinstance(got, str):
            dropped.append(got)
        elif isinstance(got, Choice) and any(r.from_name == got.from_name for r in regions):
            dropped.append(f"control {name!r} is answered twice; the first answer stays")
        else:
            regions.append(got)
    return Read(tuple(regions), tuple(dropped))


def _read_region(
    control: Control, data: Mapping[str, object], raw: Mapping[str, Any]
) -> Region | str:
    value = raw.get("value")
    field = "choices" if control.kind == "Choices" else "labels"
    if not isinstance(value, Mapping) or not isinstance(value.get(field), list):
        return f"a region of {control.name!r} has no list value.{field}"
    known = tuple(
        dict.fromkeys(v for v in value[field] if isinstance(v, str) and v in control.values)
    )
    if not known:
        return f"label(s) {value[field]} of {control.name!r} are not in the label config"
    score = raw.get("score")
    score = float(score) if isinstance(score, (int, float)) and 0.0 <= score <= 1.0 else None
    if control.kind == "Choices":
        if not control.multiple and len(known) > 1:
            return f"control {control.name!r} is single-choice but has {len(known)} answers"
        return Choice(control.name, control.to_name, known, score)
    place = _anchor(_plain(data.get(control.key)), value)
    if isinstance(place, str):
        return f"a span of {control.name!r} {place}"
    start, end, text = place
    return Span(control.name, control.to_name, start, end, text, known, score)


def _anchor(text: object, value: Mapping[str, Any]) -> tuple[int, int, str] | str:
    """Offsets into the task's own text, checked against the text the region says it covers.

    Where the two disagree the editor counted a CRLF as one character, or the data changed: the
    offsets are then mapped back from the text with single line ends, else the span is left out.
    """
    start, end, said = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(text, str):
        return "labels a text that the task does not hold"
    if type(start) is not int or type(end) is not int:
        return f"has offsets {start!r}:{end!r}; whole numbers are needed"
    if 0 <= start < end <= len(text) and (said is None or said == text[start:end]):
        return start, end, text[start:end]
    places = [(start, end)]
    if "\r\n" in text:
        back = [i for i, c in enumerate(text) if not (c == "\r" and text[i : i + 2] == "\r\n")]
        if 0 <= start < end <= len(back):
            places.insert(0, (back[start], back[end - 1] + 1))
    inside = [(s, e, text[s:e]) for s, e in places if 0 <= s < e <= len(text)]
    if not inside:
        return f"has offsets {start}:{end} outside a text of {len(text)} code points"
    if isinstance(said, str):
        for form in (_one_line, _trimmed):
            for place in inside:
                if form(place[2]) == form(said):
                    return place
    return "does not cover the text it names"


def _one_line(text: str) -> str:
    """A text with its line ends and runs of spaces told apart no more.

    A span that a person draws over a line break says its text as the browser's selection had it,
    each line end written as the two characters backslash and n (captureSelection in 1.23.2).
    """
    return re.sub(r"(?:\\[nr]|\s)+", " ", text)


def _trimmed(text: str) -> str:
    return _one_line(text).strip()


def write_result(schema: Schema, task: int, regions: Iterable[Region]) -> list[dict[str, Any]]:
    """Regions in Label Studio's wire form; ids are unique in the task and stable over calls."""
    out: list[dict[str, Any]] = []
    for i, region in enumerate(regions):
        control = schema.control(region.from_name)
        if control is None:
            raise KeyError(f"control {region.from_name!r} is not in the schema {schema.short}")
        value: dict[str, Any]
        if isinstance(region, Span):
            value = {"start": region.start, "end": region.end, "text": region.text}
            value["labels"] = list(region.labels)
        else:
            value = {"choices": list(region.labels)}
        item: dict[str, Any] = {
            "id": hashlib.sha256(f"{task}/{i}/{region.from_name}".encode()).hexdigest()[:10],
            "from_name": region.from_name,
            "to_name": region.to_name,
            "type": control.kind.lower(),
            "value": value,
        }
        if region.score is not None:
            item["score"] = round(region.score, 6)
        out.append(item)
    return out


def write_prediction(schema: Schema, prediction: Prediction) -> dict[str, Any]:
    """One item of `/predict`'s results, or of an import (which adds the task's id)."""
    return {
        "result": write_result(schema, prediction.task, prediction.regions),
        "score": round(prediction.score, 6),
        "model_version": prediction.model_version,
    }


def read_task(raw: Mapping[str, Any], project: str) -> Task | str:
    """A Task from its wire form, or the reason why it is none."""
    if not isinstance(raw, Mapping):
        return f"a task is a {type(raw).__name__}, not an object"
    data = raw.get("data")
    if not isinstance(data, Mapping):
        return f"task {raw.get('id')!r} has no data object"
    number = raw.get("id")
    return Task(
        number if isinstance(number, int) and not isinstance(number, bool) else 0,
        project,
        dict(data),
    )
