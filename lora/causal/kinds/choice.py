"""One label of several (Choices, Taxonomy, Rating, Pairwise): by the likelihood of each.

Where an answer is decoded instead (another engine), the grammar allows the labels alone and the
reader takes the first line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from label_config.controls import Control
from label_config.values import Choice, Inputs, Region
from lora.causal.ask import Ask, Option
from lora.causal.kinds.kind import Kind, own
from lora.causal.kinds.words import Listing, any_of, as_options, find, listed, offered

LEFT, RIGHT = "left", "right"


class One(Kind):
    """One label, fixed or of the task's own options."""

    way: Literal["score", "decode"] = "score"

    def describe(self, control: Control, listing: Listing = "hints") -> str:
        if control.options is not None:
            return "one of the options"
        return "one of" + listed(control.labels, listing)

    def options(self, control: Control, inputs: Inputs) -> tuple[Option, ...]:
        return as_options(offered(control, inputs))

    def write(self, ask: Ask, answers: Sequence[Region]) -> str | None:
        """The first of the labels that may be answered."""
        words = {o.value: o.words for o in ask.options}
        said = [v for r in own(ask, answers) if isinstance(r, Choice) for v in r.labels]
        return next((words[v] for v in said if v in words), None)

    def grammar(self, ask: Ask) -> str | None:
        return f"start: {any_of([o.words for o in ask.options])}\n" if ask.options else None

    def read(self, ask: Ask, answer: str, score: float) -> list[Region]:
        option = find(ask, answer.strip().partition("\n")[0])
        c = ask.control
        return [Choice(c.name, c.to_name, (option.value,), score)] if option is not None else []

    def most_tokens(self, ask: Ask) -> int:
        return 8 + max((len(o.words.encode()) for o in ask.options), default=0)


class Ordinal(One):
    """A place on a scale from 1 to the highest."""

    def describe(self, control: Control, listing: Listing = "hints") -> str:
        return f"a rating from {control.values[0]} to {control.values[-1]}"


class Pair(One):
    """Which of two texts. `left` and `right` are what the user's message calls them, where it
    compares one pair; else the description says which is which."""

    def describe(self, control: Control, listing: Listing = "hints") -> str:
        return f"which of the two, {LEFT} or {RIGHT}"

    def options(self, control: Control, inputs: Inputs) -> tuple[Option, ...]:
        return (Option(LEFT, LEFT), Option(RIGHT, RIGHT))
