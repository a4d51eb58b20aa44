"""Any of several labels (Choices and Taxonomy that take several): one a line, or `none`.

Labels come in the order of the config, so one set is written in one way; the grammar allows no
other order, so that a small base cannot say one label again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from label_config.controls import Control
from label_config.values import Choice, Inputs, Region
from lora.causal.ask import Ask, Option
from lora.causal.kinds.kind import Kind, own
from lora.causal.kinds.words import (
    Listing,
    as_options,
    find,
    listed,
    literal,
    nothing,
    offered,
)


class Many(Kind):
    """Any number of labels."""

    way: Literal["score", "decode"] = "decode"

    def describe(self, control: Control, listing: Listing = "hints") -> str:
        none = "" if control.required else f", or {nothing(as_options(control.labels))}"
        if control.options is not None:
            return f"any of the options, one a line in this order{none}"
        return f"one a line in this order{none}, any of" + listed(control.labels, listing)

    def options(self, control: Control, inputs: Inputs) -> tuple[Option, ...]:
        return as_options(offered(control, inputs))

    def write(self, ask: Ask, answers: Sequence[Region]) -> str | None:
        """Nothing chosen is not stored, so a row without an answer says nothing."""
        said = {v for r in own(ask, answers) if isinstance(r, Choice) for v in r.labels}
        return "\n".join(o.words for o in ask.options if o.value in said) or None

    def grammar(self, ask: Ask) -> str | None:
        if not ask.options:
            return None
        words = [literal(o.words) for o in ask.options]
        none = "" if ask.control.required else f"{literal(nothing(ask.options))} | "
        rules = [f'l{i}: {w} ("\\n" l{i + 1})? | l{i + 1}' for i, w in enumerate(words[:-1])]
        rules.append(f"l{len(words) - 1}: {words[-1]}")
        return "\n".join([f"start: {none}l0", *rules, ""])

    def read(self, ask: Ask, answer: str, score: float) -> list[Region]:
        found = [find(ask, line) for line in answer.split("\n")[: len(ask.options)]]
        chosen = {o.value for o in found if o is not None}
        values = tuple(o.value for o in ask.options if o.value in chosen)
        c = ask.control
        return [Choice(c.name, c.to_name, values, score)] if values else []

    def most_tokens(self, ask: Ask) -> int:
        return min(512, 8 + sum(1 + len(o.words.encode()) for o in ask.options))
