"""A text of its own (TextArea), decoded without a grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from label_config.controls import Control
from label_config.values import Region, Written
from lora.causal.ask import Ask
from lora.causal.kinds.kind import Kind, own
from lora.causal.kinds.words import Listing

MOST_TOKENS = 512


class Text(Kind):
    """Whatever was written, but for the space around it."""

    way: Literal["score", "decode"] = "decode"

    def describe(self, control: Control, listing: Listing = "hints") -> str:
        return "a text, written from the above"

    def write(self, ask: Ask, answers: Sequence[Region]) -> str | None:
        said = [r.text.strip() for r in own(ask, answers) if isinstance(r, Written)]
        return said[0] if said and said[0] else None

    def read(self, ask: Ask, answer: str, score: float) -> list[Region]:
        text = answer.rstrip("\ufffd").strip()  # a last code point that was cut
        c = ask.control
        return [Written(c.name, c.to_name, text, score)] if text else []

    def most_tokens(self, ask: Ask) -> int:
        return MOST_TOKENS
