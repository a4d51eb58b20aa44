"""What all sources ask of the example that they make a child of."""

from __future__ import annotations

from collections.abc import Iterable

from label_config.controls import Control, Form, InvalidValue, Schema
from label_config.values import Example


def check_parents(examples: Iterable[Example]) -> None:
    """Raises InvalidValue for a row that may have no child and stand in no prompt: one that judges,
    or is a child itself."""
    for e in examples:
        if e.side != "train" or e.origin.kind != "human":
            raise InvalidValue(
                f"example {e.id} is {e.origin.kind} on the {e.side} side; "
                "children are made of human train rows alone"
            )


def answered(example: Example, schema: Schema) -> list[Control]:
    """The controls that the example answers, in the order of the schema."""
    names = {r.from_name for r in example.answers}
    return [c for c in schema.controls if c.name in names]


def answers_any(example: Example, schema: Schema, *forms: Form) -> bool:
    """Whether it answers a control of one of these forms."""
    return any(c.form in forms for c in answered(example, schema))


def keys_of(example: Example, schema: Schema) -> list[str]:
    """The data keys under which the example has a text to read."""
    return [k for k in schema.keys if example.texts.get(k, "").strip()]
