"""The same in other words, written by a model: the prompt's frame and the reader of the answer.

What the rewrite has to keep is checked here where it can be without a model: every span, every
number, and whether anything is denied. The rest is the guard's.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from augment.sources.clean import one_line, repeats, wraps
from augment.sources.parents import answers_any, check_parents, keys_of
from augment.sources.pieces import Piece, pieces_of, restored, shown
from augment.sources.tokens import carried
from augment.spans import spans_in
from augment.values import Made, Prompt
from label_config.controls import Schema
from label_config.values import Example, Region, Span

LONGEST = 1200  # code points; beyond it small generators lose the thread
SHOWN = 3  # texts of other people
_DEMOS = (
    ("has my parcel been sent yet?", "did my parcel go out already?"),
    ("Wake me up before [1], please, at [2].", "at [2] please, i have to be up before [1]"),
)
_LEAKS = frozenset({"parcel", "parcels", "wake"})
"""What a small generator takes from the demonstrations instead of the source."""
_TASK = (
    "Say each text in other words. The meaning stays the same: a question stays a question and is "
    "not answered, nothing is added and nothing left out."
)


def ask(
    example: Example,
    schema: Schema,
    constraint: str,
    alike: Sequence[Example],
    seed: int,
    chat: bool = False,
) -> Prompt | None:
    """What a generator is asked, for a child that keeps every answer. `constraint`: how to write;
    `alike`: rows whose texts show how people write here. `chat`: the generator follows a message
    instead of completing a text, so nothing has to stop it.

    None where a text is answered (inputs.py is for that) or two texts are compared, and where all
    there is is a dialogue, or a text of several lines or more than LONGEST code points.
    """
    if answers_any(example, schema, "text"):
        return None
    return framed(example, schema, constraint, alike, seed, chat)


def read(
    example: Example, schema: Schema, prompt: Prompt, text: str, generator: str | None = None
) -> Made | None:
    """The child, its spans found again. None where the answer is no such text, says only what the
    prompt says or something of its demonstrations, holds the source whole, or lost a span, a
    number or a denial."""
    if answers_any(example, schema, "text"):
        return None
    return taken(example, schema, prompt, text, generator, "rewrite")


def framed(
    example: Example,
    schema: Schema,
    constraint: str,
    alike: Sequence[Example],
    seed: int,
    chat: bool,
) -> Prompt | None:
    """The frame, whatever is answered."""
    check_parents([example, *alike])
    key = key_of(example, schema, seed)
    if key is None or answers_any(example, schema, "pair"):
        return None
    source = example.texts[key]
    pieces = pieces_of(source, spans_in(example.answers, schema, key))
    asked = shown(source, pieces)
    parts = [_TASK, *([constraint.strip()] if constraint.strip() else []), *_keep(asked, pieces)]
    others = [" ".join(e.texts.get(key, "").split()) for e in alike]
    others = [t for t in others if t and len(t) <= 2 * len(source) + 80][:SHOWN]
    if others:
        parts.append("\nHow people write here:\n" + "\n".join(f"- {t}" for t in others))
    demos = [f"\nText: {before}\nRewrite: {after}" for before, after in _DEMOS]
    alone = ["\nAnswer with the rewrite of this one text alone."] if chat else []
    parts += [*demos, *alone, f"\nText: {asked.strip()}\nRewrite:"]
    return Prompt(
        parent=example.id,
        text="\n".join(parts),
        seed=seed,
        stop=() if chat else ("\nText:", "\n\n"),
        most_tokens=24 + len(source) // 2,
    )


def taken(
    example: Example,
    schema: Schema,
    prompt: Prompt,
    text: str,
    generator: str | None,
    transform: str,
) -> Made | None:
    """The reader, whatever is answered."""
    check_parents([example])
    key = key_of(example, schema, prompt.seed)
    if key is None:
        return None
    source = example.texts[key]
    line = one_line(text, source)
    if line is None or repeats(line, prompt.text, source) or _leaks(line, source):
        return None
    inside = spans_in(example.answers, schema, key)
    pieces = pieces_of(source, inside)
    back = restored(line, source, pieces)
    if back is None or not _keeps(source, back[0]):
        return None
    whole, starts = back
    moved = [pair for p, at in zip(pieces, starts, strict=True) for pair in p.placed(whole, at)]
    if repeats(whole, prompt.text, source) or wraps(whole, source):
        return None
    return Made(
        parent=example.id,
        texts={**example.texts, key: whole},
        answers=tuple(_moved(r, moved) for r in example.answers),
        transform=transform,
        generator=generator,
        prompt=prompt.digest,
        seed=prompt.seed,
    )


def key_of(example: Example, schema: Schema, seed: int) -> str | None:
    """Which text is rewritten, where an example has several that can be: one drawn by the seed."""
    keys = [
        k
        for k in keys_of(example, schema)
        if schema.text_object(k).kind != "Paragraphs"
        and len(example.texts[k]) <= LONGEST
        and len(example.texts[k].strip().splitlines()) == 1
    ]
    return random.Random(f"{seed}:{example.id}:key").choice(keys) if keys else None  # nosec B311  # drawn again from a seed


def _keep(asked: str, pieces: Sequence[Piece]) -> list[str]:
    if not pieces:
        return []
    if "[1]" in asked:
        return [f"Keep {', '.join(f'[{i}]' for i in range(1, len(pieces) + 1))} as they are."]
    return [f"Keep these words as they are: {', '.join(p.text for p in pieces)}."]


def _leaks(line: str, source: str) -> bool:
    said, known = (set(re.findall(r"\w+", t.lower())) for t in (line, source))
    return bool(said & _LEAKS - known)


def _keeps(source: str, whole: str) -> bool:
    (numbers, denials), (new_numbers, new_denials) = carried(source), carried(whole)
    return sorted(numbers) == sorted(new_numbers) and (denials > 0) == (new_denials > 0)


def _moved(region: Region, moved: Sequence[tuple[Span, Span]]) -> Region:
    return next((new for old, new in moved if old is region), region)
