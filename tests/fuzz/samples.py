"""What is mutated: label configs with a task each, and the recorded calls of Label Studio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from label_config.templates import load_template, template_names
from tests.gallery.strict import DATA, KINDS
from tests.ml_backend.fakes import CAPTURES, captured


@dataclass(frozen=True)
class Sample:
    """A label config and the data of a task."""

    name: str
    config: str
    data: Mapping[str, Any]


SAMPLES = (
    *(Sample(n, load_template(n).config, load_template(n).tasks[0]) for n in template_names()),
    Sample("every kind", KINDS, DATA),
)


@cache
def recordings() -> dict[str, Any]:
    """By file of ../shared/captures what went over the wire: the body that was sent, where one
    was, else what was answered."""
    found = {}
    for path in sorted(CAPTURES.glob("*.json")):
        raw = captured(path.name)
        found[path.name] = raw["body"] if isinstance(raw, dict) and raw.get("body") else raw
    return found
