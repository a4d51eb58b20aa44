"""Label Studio's `result` JSON <-> typed regions: the one place where either becomes the other.

Format: https://labelstud.io/guide/task_format, ../shared/captures as recorded from 1.23.2, and the
sources inside that wheel's source maps. Reading never raises: what cannot be read is left out and
named in `Read.dropped`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from label_config.answers import (
    Named,
    control_labels,
    label_names,
    lost_labels,
    read_labels,
    read_number,
    read_typed,
    read_written,
    write_labels,
)
from label_config.controls import Control, Label, Schema, TextObject
from label_config.dialogue import read_dialogue
from label_config.spans import Source, read_place, read_source, source_text, write_place
from label_config.values import Choice, Inputs, Prediction, Quantity, Region, Span, Task, Written


@dataclass(frozen=True)
class Read:
    """The regions that could be read, and a reason for each that could not.

    `vanished`: (control, label) for every label in the result that the config no longer has, also
    where the region keeps other labels; the label is "" where a lost control's had none to name.
    """

    regions: tuple[Region, ...]
    dropped: tuple[str, ...] = ()
    vanished: tuple[tuple[str, str], ...] = ()
    unplaced: bool = False
    """Whether a span has no place in the text: without it the row would teach that nothing is
    there."""
    typed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By TextArea that is marked with a role what was typed there, a submission each."""


@dataclass(frozen=True)
class Texts:
    """The texts of a task by data key, or the reason why there is nothing to read; `options`: the
    labels that the task itself brings, by control."""

    by_key: Mapping[str, str]
    missing: tuple[str, ...] = ()
    options: Mapping[str, tuple[Label, ...]] = field(default_factory=dict)

    @property
    def inputs(self) -> Inputs:
        """What a model reads of it."""
        return Inputs(self.by_key, self.options)


def task_texts(schema: Schema, data: Mapping[str, object], limit: int | None = None) -> Texts:
    """The plain text under each of the schema's keys (HTML without tags, a dialogue line by line).

    A key that is absent, empty, blank or not a text is named in `missing`; so is one that should
    bring a control's labels. `limit`: code points kept of each text; what lies behind it is not
    read (offsets stay those of the whole text).
    """
    by_key: dict[str, str] = {}
    missing: list[str] = []
    for key in schema.keys:
        text = _text(schema.text_object(key), data.get(key))
        if isinstance(text, str):
            by_key[key] = text[:limit] if limit else text
        else:
            missing.append(f"data key {key!r} {text[0]}")
    options: dict[str, tuple[Label, ...]] = {}
    for control in schema.controls:
        if control.options is None:
            continue
        labels = control_labels(control, data)
        if isinstance(labels, str):
            missing.append(f"data key {control.options!r} {labels}")
        else:
            options[control.name] = labels
    return Texts(by_key, tuple(missing), options)


def _text(shown: TextObject, value: object) -> str | tuple[str]:
    """The text, or (the reason why there is none,)."""
    source = read_source(shown, value)
    if source is None and shown.kind == "Paragraphs":
        return (str(read_dialogue(value, shown.name_key, shown.text_key)),)
    if source is None:
        return (f"is {'absent' if value is None else type(value).__name__}",)
    text = source_text(source)
    return text if text.strip() else ("is empty",)


def read_result(schema: Schema, data: Mapping[str, object], result: object) -> Read:
    """The regions of one annotation's or prediction's `result`.

    Left out, with the reason: unknown controls and labels, spans out of the text, a second answer
    to one control, wrong types. A region whose labels partly vanished keeps the rest. Regions of
    controls we do not predict are left out silently.
    """
    if not isinstance(result, list):
        return Read((), (f"result is a {type(result).__name__}, not a list",))
    reader = _Reader(schema, data)
    for raw in result:
        reader.read(raw)
    vanished = tuple(dict.fromkeys(reader.vanished))
    regions, dropped = tuple(reader.regions), tuple(reader.dropped)
    return Read(regions, dropped, vanished, reader.unplaced, reader.typed)


class _Reader:
    """One result being read; texts and labels of the task are looked at once."""

    def __init__(self, schema: Schema, data: Mapping[str, object]) -> None:
        self.regions: list[Region] = []
        self.dropped: list[str] = []
        self.unplaced = False
        self.vanished: list[tuple[str, str]] = []
        self.typed: dict[str, tuple[str, ...]] = {}
        self._notes = {n.name for n in schema.notes}
        self._ours = {c.name: c for c in schema.controls}
        self._foreign = {u.name for u in schema.unsupported}
        self._sources = _Sources(schema, data)
        self._names: dict[str, dict[object, str] | str] = {}
        self._data = data

    def read(self, raw: object) -> None:
        if not isinstance(raw, Mapping):
            self.dropped.append(f"a region is a {type(raw).__name__}, not an object")
            return
        name = raw.get("from_name")
        if isinstance(name, str) and name in self._notes:
            self.typed[name] = (*self.typed.get(name, ()), *read_typed(raw.get("value")))
            return
        control = self._ours.get(name) if isinstance(name, str) else None
        if control is None:
            known = isinstance(name, str) and name in self._foreign
            if not known and raw.get("type") != "relation":
                self.dropped.append(f"control {name!r} is not in the label config")
                if isinstance(name, str):
                    self.vanished += [(name, v) for v in lost_labels(raw.get("value")) or ("",)]
            return
        got = self._region(control, raw)
        if isinstance(got, str):
            self.dropped.append(got)
        elif not isinstance(got, Span) and any(r.from_name == got.from_name for r in self.regions):
            self.dropped.append(f"control {name!r} is answered twice; the first answer stays")
        else:
            self.regions.append(got)

    def _region(self, control: Control, raw: Mapping[str, Any]) -> Region | str:
        value, score = raw.get("value"), raw.get("score")
        value = value if isinstance(value, Mapping) else {}
        score = float(score) if isinstance(score, (int, float)) and 0.0 <= score <= 1.0 else None
        if control.kind == "Number":
            number = read_number(value)
            if number is None:
                return f"a region of {control.name!r} has no number value.number"
            return Quantity(control.name, control.to_name, number, score)
        if control.kind == "TextArea":
            text = read_written(value)
            if not text:
                why = "has no text or texts value.text" if text is None else "is empty, no answer"
                return f"a region of {control.name!r} {why}"
            return Written(control.name, control.to_name, text, score)
        named = self._named(control, value)
        if isinstance(named, str):
            return named
        self.vanished += [(control.name, label) for label in named.gone]
        if not named.known:
            return f"label(s) {list(named.gone)} of {control.name!r} are not in the label config"
        if control.form != "spans":
            if control.form != "many" and len(named.known) > 1:
                return (
                    f"control {control.name!r} is single-choice but has {len(named.known)} answers"
                )
            return Choice(control.name, control.to_name, named.known, score)
        place = read_place(self._sources.of(control.key), value)
        if isinstance(place, str):
            self.unplaced = True
            return f"a span of {control.name!r} {place}"
        start, end, text = place
        return Span(control.name, control.to_name, start, end, text, named.known, score)

    def _named(self, control: Control, value: Mapping[str, Any]) -> Named | str:
        if control.name not in self._names:
            labels = control_labels(control, self._data)
            self._names[control.name] = labels if isinstance(labels, str) else label_names(labels)
        names = self._names[control.name]
        if isinstance(names, str):
            return f"the labels of {control.name!r}: data key {control.options!r} {names}"
        return read_labels(control, names, value)


class _Sources:
    """A task's texts as their objects show them, each read once."""

    def __init__(self, schema: Schema, data: Mapping[str, object]) -> None:
        self._schema, self._data = schema, data
        self._read: dict[str, Source | None] = {}

    def of(self, key: str) -> Source | None:
        if key not in self._read:
            self._read[key] = read_source(self._schema.text_object(key), self._data.get(key))
        return self._read[key]


def write_result(
    schema: Schema, task: int, regions: Iterable[Region], data: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """Regions in Label Studio's wire form; ids are unique in the task and stable over calls.

    `data`: the task's; spans of HTML and dialogues are written in its terms, and a span of these
    that holds nothing the editor could show (the author's name, no character) is left out. Raises
    KeyError for a control the schema does not have, ValueError for a span of HTML or a dialogue
    without its data.
    """
    data = data or {}
    sources = _Sources(schema, data)
    out: list[dict[str, Any]] = []
    for i, region in enumerate(regions):
        control = schema.control(region.from_name)
        if control is None:
            raise KeyError(f"control {region.from_name!r} is not in the schema {schema.short}")
        value = _value(schema, sources, control, region, data)
        if value is None:
            continue
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


def _value(
    schema: Schema,
    sources: _Sources,
    control: Control,
    region: Region,
    data: Mapping[str, object],
) -> dict[str, Any] | None:
    if isinstance(region, Quantity):
        whole = region.value.is_integer() and abs(region.value) < 2**53
        return {"number": int(region.value) if whole else region.value}
    if isinstance(region, Written):
        return {"text": [region.text]}
    labels = control_labels(control, data)
    written = write_labels(control, region.labels, () if isinstance(labels, str) else labels)
    if not isinstance(region, Span):
        return written
    plain = schema.text_object(control.key).kind == "Text"
    source = None if plain else sources.of(control.key)
    if source is None and not plain:
        raise ValueError(
            f"a span of {control.name!r} cannot be written: the data key {control.key!r} of task "
            "holds no text it could stand in"
        )
    place = write_place(source, region.start, region.end, region.text)
    return None if place is None else {**place, **written}


def write_prediction(
    schema: Schema, prediction: Prediction, data: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """One item of `/predict`'s results, or of an import (which adds the task's id).

    `data`: the task's, as for `write_result`.
    """
    return {
        "result": write_result(schema, prediction.task, prediction.regions, data),
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
