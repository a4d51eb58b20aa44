"""What a causal base is asked: one control of one row, as a prompt. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass

from label_config.controls import Control


@dataclass(frozen=True)
class Option:
    """One label: `value` is what Label Studio stores, `words` what the model reads and says."""

    value: str
    words: str


@dataclass(frozen=True)
class Ask:
    """One question; its prompt is `shared + lead`, what follows is the answer.

    `shared` is the same string for all controls of a row, so its KV is computed once. `text`: what
    the answer is about, `offset` code points into the object's text; `shown`: the same, code point
    by code point, as spans quote it (no line breaks, no special tokens). `options`: the labels
    that may be answered (of a Number or TextArea none).
    """

    control: Control
    shared: str
    lead: str
    shown: str = ""
    text: str = ""
    offset: int = 0
    options: tuple[Option, ...] = ()
