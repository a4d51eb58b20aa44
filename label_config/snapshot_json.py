"""Snapshots as canonical JSON and back.

Sorted keys and no spaces, so that equal content has equal bytes and so one name.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from label_config.controls import InvalidValue, Label
from label_config.values import Choice, Example, Origin, Quantity, Region, Snapshot, Span, Written

KINDS: dict[str, type[Region]] = {
    "choice": Choice,
    "span": Span,
    "quantity": Quantity,
    "written": Written,
}


def region_to_dict(region: Region) -> dict[str, Any]:
    """A region with its kind named, so that it can be read back."""
    kind = next(name for name, cls in KINDS.items() if isinstance(region, cls))
    return {"kind": kind, **asdict(region)}


def region_from_dict(raw: dict[str, Any]) -> Region:
    """The inverse of `region_to_dict`; raises InvalidValue on an unknown kind."""
    fields = {k: v for k, v in raw.items() if k != "kind"}
    if raw["kind"] not in KINDS:
        raise InvalidValue(
            f"region kind {raw['kind']!r} is not known; {', '.join(sorted(KINDS))} are"
        )
    if "labels" in fields:
        fields["labels"] = tuple(fields["labels"])
    return KINDS[raw["kind"]](**fields)


def _label_to_dict(label: Label) -> dict[str, Any]:
    return {k: v for k, v in asdict(label).items() if v}


def _label_from_dict(raw: dict[str, Any]) -> Label:
    return Label(raw["value"], raw["shown"], raw.get("hint"), tuple(raw.get("path", ())))


def _example_to_dict(e: Example) -> dict[str, Any]:
    body = {
        "id": e.id,
        "task": e.task,
        "group": e.group,
        "side": e.side,
        "texts": dict(e.texts),
        "answers": [region_to_dict(r) for r in e.answers],
        "origin": {k: v for k, v in asdict(e.origin).items() if v is not None},
    }
    if e.options:  # left out where there are none, so that older snapshots keep their names
        body["options"] = {k: [_label_to_dict(x) for x in v] for k, v in e.options.items()}
    if e.unasked:
        body["unasked"] = {k: list(v) for k, v in e.unasked.items()}
    if e.context:
        body["context"] = list(e.context)
    return body


def _origin(raw: dict[str, Any]) -> Origin:
    beside = raw.get("beside")
    return Origin(**{**raw, "beside": None if beside is None else tuple(beside)})


def _options(raw: dict[str, Any]) -> dict[str, tuple[Label, ...]]:
    return {k: tuple(_label_from_dict(x) for x in v) for k, v in raw.items()}


def snapshot_to_json(snapshot: Snapshot) -> str:
    """The canonical text of a snapshot; its SHA-256 is the snapshot's name."""
    body = {
        "project": snapshot.project,
        "config": snapshot.config,
        "examples": [_example_to_dict(e) for e in snapshot.examples],
        "pool": [dict(p) for p in snapshot.pool],
    }
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def snapshot_from_json(text: str) -> Snapshot:
    """Read a snapshot back; raises InvalidValue when the text is not one."""
    try:
        raw = json.loads(text)
        examples = tuple(
            Example(
                id=e["id"],
                task=e["task"],
                group=e["group"],
                side=e["side"],
                texts=e["texts"],
                answers=tuple(region_from_dict(r) for r in e["answers"]),
                origin=_origin(e["origin"]),
                options=_options(e.get("options", {})),
                unasked={k: tuple(v) for k, v in e.get("unasked", {}).items()},
                context=tuple(e.get("context", ())),
            )
            for e in raw["examples"]
        )
        return Snapshot(raw["project"], raw["config"], examples, tuple(raw["pool"]))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise InvalidValue(f"this is not a snapshot: {type(error).__name__} {error}") from error
