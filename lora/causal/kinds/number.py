"""A number, decoded digit by digit; clipped and rounded as the config says when read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from label_config.controls import Control
from label_config.values import Quantity, Region
from lora.causal.ask import Ask
from lora.causal.kinds.kind import Kind, own
from lora.causal.kinds.words import Listing

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)


class Number(Kind):
    """One number."""

    way: Literal["score", "decode"] = "decode"

    def describe(self, control: Control, listing: Listing = "hints") -> str:
        least = "" if control.low is None else f" from {_digits(control.low)}"
        most = "" if control.high is None else f" up to {_digits(control.high)}"
        step = "" if control.step in (None, 1) else f" in steps of {_digits(control.step or 0)}"
        return ("a whole number" if _is_whole(control) else "a number") + least + most + step

    def write(self, ask: Ask, answers: Sequence[Region]) -> str | None:
        said = [r.value for r in own(ask, answers) if isinstance(r, Quantity)]
        return _digits(said[0]) if said else None

    def grammar(self, ask: Ask) -> str | None:
        c = ask.control
        sign = "" if c.low is not None and c.low >= 0 else "-?"
        rest = "" if _is_whole(c) else r"(\.[0-9]{1,10})?"
        return f"start: /{sign}[0-9]{{1,15}}{rest}/\n"

    def read(self, ask: Ask, answer: str, score: float) -> list[Region]:
        from lora.forms.number import fitted  # loads torch, which writers do without

        found = _NUMBER.search(answer)
        if found is None:
            return []
        c = ask.control
        value = fitted(c, float(found[0]))
        return [Quantity(c.name, c.to_name, value, score)] if math.isfinite(value) else []

    def most_tokens(self, ask: Ask) -> int:
        return 32


def _is_whole(control: Control) -> bool:
    """Whether only whole numbers can be answered."""
    steps = control.step is not None and float(control.step).is_integer()
    return steps and float(control.low or 0).is_integer()


def _digits(value: float) -> str:
    """A number without an exponent and without zeros at its end; what is beyond the grammar's
    digits is cut."""
    if abs(value) >= 1e15:
        return "-" * (value < 0) + "9" * 15
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
