"""Snapshots as canonical JSON and back.

Sorted keys and no spaces, so that equal content has equal bytes and so one name.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from label_config.values import Choice, Example, InvalidValue, Origin, Region, Snapshot, Span


def region_to_dict(region: Region) -> dict[str, Any]:
    """A region with its kind named, so that it can be read back."""
    kind = "span" if isinstance(region, Span) else "choice"
    return {"kind": kind, **asdict(region)}


def region_from_dict(raw: dict[str, Any]) -> Region:
    """The inverse of `region_to_dict`; raises InvalidValue on an unknown kind."""
    fields = {k: v for k, v in raw.items() if k != "kind"}
    fields["labels"] = tuple(fields["labels"])
    if raw["kind"] == "span":
        return Span(**fields)
    if raw["kind"] == "choice":
        return Choice(**fields)
    raise InvalidValue(f"region kind {raw['kind']!r} is not known; choice and span are")


def _example_to_dict(e: Example) -> dict[str, Any]:
    return {
        "id": e.id,
        "task": e.task,
        "group": e.group,
        "side": e.side,
        "texts": dict(e.texts),
        "answers": [region_to_dict(r) for r in e.answers],
        "origin": {k: v for k, v in asdict(e.origin).items() if v is not None},
    }


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
                origin=Origin(**e["origin"]),
            )
            for e in raw["examples"]
        )
        return Snapshot(raw["project"], raw["config"], examples, tuple(raw["pool"]))
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise InvalidValue(f"this is not a snapshot: {type(error).__name__} {error}") from error
