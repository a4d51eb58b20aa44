"""The input of a written answer in other words: the target stays as people wrote it.

A frame and a reader like rewrite.py's, and one more thing to keep: what the target takes over from
its input has to be there still, or the child would teach a model to make things up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from augment.sources.parents import answers_any
from augment.sources.rewrite import framed, key_of, taken
from augment.values import Made, Prompt
from label_config.controls import Schema
from label_config.values import Example, Written

_NAME = re.compile(r"\w*[^\W\d_a-z]\w*|\w*\d\w*")  # a capital or a digit in it


def ask(
    example: Example,
    schema: Schema,
    constraint: str,
    alike: Sequence[Example],
    seed: int,
    chat: bool = False,
) -> Prompt | None:
    """What a generator is asked; as rewrite.ask, for examples that answer with a text. None for
    others."""
    if not answers_any(example, schema, "text"):
        return None
    return framed(example, schema, constraint, alike, seed, chat)


def read(
    example: Example, schema: Schema, prompt: Prompt, text: str, generator: str | None = None
) -> Made | None:
    """The child: another input, the same target. None as in rewrite.read, and where the rewrite
    lost a name or a number that the target shares with the input, or a line that it quotes."""
    if not answers_any(example, schema, "text"):
        return None
    made = taken(example, schema, prompt, text, generator, "inputs")
    key = key_of(example, schema, prompt.seed)
    if made is None or key is None:
        return None
    lost = [w for w in shared(example, key) if not _says(made.texts[key], w)]
    return None if lost else made


def shared(example: Example, key: str) -> list[str]:
    """What the written answers take from the text word by word: whole lines, names, numbers."""
    source = example.texts[key]
    found: dict[str, None] = {}
    for region in example.answers:
        if isinstance(region, Written):
            lines = [line.strip() for line in region.text.splitlines() if line.strip()]
            names = [w for line in lines for w in _NAME.findall(line)]
            found |= dict.fromkeys(w for w in (*lines, *names) if _says(source, w))
    return list(found)


def _says(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None
