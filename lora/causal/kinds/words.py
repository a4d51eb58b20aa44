"""Labels as the words a model reads and says: on one line, and no two alike."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from label_config.controls import Control, Label
from label_config.values import Inputs
from lora.causal.ask import Ask, Option

Listing = Literal["hints", "names", "count"]
"""What a prompt tells of labels: names with hints, names, or how many there are."""
MOST_OPTIONS = 500  # of one task; what comes after is not predicted

_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_JOINED = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Za-z0-9])_+(?=[A-Za-z0-9])")
_SURROGATE = re.compile("[\ud800-\udfff]")


def one_line(text: str) -> str:
    """A text without line breaks, control characters and outer space."""
    return _BLANK.sub(" ", _SURROGATE.sub("\ufffd", text)).strip()


def offered(control: Control, inputs: Inputs) -> tuple[Label, ...]:
    """The labels that may be answered here: the control's, or those the task brings."""
    if control.options is None:
        return control.labels
    return tuple(dict.fromkeys(inputs.options.get(control.name, ())))[:MOST_OPTIONS]


@lru_cache(maxsize=256)
def as_options(labels: tuple[Label, ...]) -> tuple[Option, ...]:
    """Each label's words, its path with ` / ` between; those that would read alike get a number."""
    found: dict[str, str] = {}
    for i, label in enumerate(labels):
        words = _words(label) or f"label {i + 1}"
        alike = 1
        while words.casefold() in found:
            alike += 1
            words = f"{_words(label)} ({alike})".strip()
        found[words.casefold()] = words
    return tuple(
        Option(label.value, words) for label, words in zip(labels, found.values(), strict=True)
    )


def _words(label: Label) -> str:
    path = label.path if len(label.path) > 1 else (label.shown or label.value,)
    # ": " and "~2" part a span's label from its text (kinds/spans.py).
    words = " / ".join(map(_spelled, path)).replace(": ", " - ")
    return re.sub(r" *~(?=\d)", " ", words).rstrip(": ")


def _spelled(name: str) -> str:
    """A name that a programmer wrote, AddToPlaylist or best_rating, as its words."""
    name = one_line(name)
    return name if " " in name else _JOINED.sub(" ", name).strip()


def listed(labels: tuple[Label, ...], listing: Listing) -> str:
    """The labels in one line, or one on a line where they have hints; or only how many."""
    if listing == "count":
        return f" {len(labels)} labels"
    options = as_options(labels)
    told = [one_line(label.hint or "") if listing == "hints" else "" for label in labels]
    if any(told) or any(";" in o.words for o in options):
        return ":" + "".join(
            f"\n- {o.words}" + (f" ({hint})" if hint else "")
            for o, hint in zip(options, told, strict=True)
        )
    return ": " + "; ".join(o.words for o in options)


def nothing(options: Sequence[Option]) -> str:
    """The word for no answer at all, which no label is called."""
    taken = {o.words.casefold() for o in options}
    return next(
        w
        for w in ("none", "nothing", "no answer", *map(str, range(len(taken) + 1)))
        if w not in taken
    )


def find(ask: Ask, said: str) -> Option | None:
    """The label that was meant: in these words, else but for case and space."""
    table = _by_words(ask.options)
    return table.get(said) or table.get(one_line(said).casefold())


@lru_cache(maxsize=64)
def _by_words(options: tuple[Option, ...]) -> dict[str, Option]:
    return {o.words.casefold(): o for o in options} | {o.words: o for o in options}


def literal(text: str) -> str:
    """A text as a lark string."""
    return json.dumps(text)


def any_of(texts: Sequence[str]) -> str:
    """One of some texts, in lark."""
    return " | ".join(map(literal, dict.fromkeys(texts)))
