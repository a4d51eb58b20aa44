"""Where a prompt ends and an answer begins, in tokens; the same in training, scoring, decoding.

A prompt's two parts and the answer are cut into tokens apart, so that rows with the same `shared`
have the same first tokens. The space at the end of a lead ("intent: ") goes to the answer, since
tokenizers join a space to the word after it, and that is what a base has read all its life.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SPACE = " "
LEAST_TAIL = 64  # tokens of a cut prompt's end that are kept: who speaks next


def prompt_ids(tokenizer: Any, shared: str, lead: str, most: int = 0) -> list[int]:
    """The tokens of a prompt. `most`: of a longer one a piece is left out before its end."""
    shared_ids, lead_ids = parts_ids(tokenizer, shared, lead, most)
    return shared_ids + lead_ids


def parts_ids(tokenizer: Any, shared: str, lead: str, most: int = 0) -> tuple[list[int], list[int]]:
    """As `prompt_ids`, the two parts apart."""
    first = _ids(tokenizer, shared)
    second = after(tokenizer, lead.removesuffix(SPACE), "\n")
    room = max(most - len(second), 2)
    if most and len(first) > room:
        tail = min(LEAST_TAIL, room // 2)
        first = first[: room - tail] + first[-tail:]
    return first, second


def answer_ids(tokenizer: Any, answer: str, end: str) -> list[int]:
    """The tokens of an answer and of what ends it."""
    return after(tokenizer, SPACE + answer, ":") + _ids(tokenizer, end)


def gold_ids(tokenizer: Any, pieces: Sequence[str], end: str) -> list[int]:
    """The tokens of an answer given in pieces (Chat.apart), and of what ends it."""
    first, *rest = pieces or [""]
    ids = answer_ids(tokenizer, first, "")
    return [*ids, *(i for p in rest for i in after(tokenizer, p, ":")), *_ids(tokenizer, end)]


def answer_text(tokenizer: Any, ids: list[int], cut: bool = False) -> str:
    """An answer read back, without what ends it. `cut`: it stops in the middle, perhaps of a
    character."""
    anchor = _ids(tokenizer, ":")  # some tokenizers drop the space that a text begins with
    how = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    before = str(tokenizer.decode(anchor, **how))
    text = str(tokenizer.decode(anchor + ids, **how)).removeprefix(before).lstrip(SPACE)
    return text.rstrip("\ufffd") if cut else text


def after(tokenizer: Any, text: str, anchor: str) -> list[int]:
    """The tokens of a text that follows `anchor`: some tokenizers put a space before whatever
    comes first, so the text is never first."""
    before, both = _ids(tokenizer, anchor), _ids(tokenizer, anchor + text)
    return both[len(before) :] if both[: len(before)] == before else _ids(tokenizer, text)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
