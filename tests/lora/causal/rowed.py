"""What the tests of causal training share: a project's rows, and a training of a few steps."""

from __future__ import annotations

from label_config.controls import Schema
from label_config.schema import read_schema
from label_config.values import Choice, Example, Span
from lora.base import Base
from lora.causal.chat import Chat
from lora.causal.rows import TokenRow, token_rows
from settings import Train

CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="what" toName="t">
  <Choice value="play"/><Choice value="buy"/><Choice value="paint"/>
</Choices>
<Labels name="parts" toName="t"><Label value="thing"/><Label value="colour"/></Labels></View>"""

FAST = Train(steps=6, rank=4)


def schema() -> Schema:
    return read_schema(CONFIG)


def example(number: int, text: str, what: str | None, *marked: tuple[str, str]) -> Example:
    answers: list[Choice | Span] = [Choice("what", "t", (what,))] if what else []
    for words, label in marked:
        start = text.index(words)
        answers.append(Span("parts", "t", start, start + len(words), words, (label,)))
    name = f"e{number:03d}"
    return Example(name, number, f"g{number}", "train", {"text": text}, tuple(answers))


def examples(count: int = 24) -> list[Example]:
    """Rows whose verb is the answer, with a thing marked in each second one."""
    made: list[Example] = []
    for n in range(count):
        verb = ("play", "buy", "paint")[n % 3]
        thing = ("song", "coat", "wall", "boat")[n // 3 % 4]
        text = f"{verb} the {('red', 'blue', 'green')[n // 2 % 3]} {thing} {n}"
        made.append(example(n, text, verb, *([(thing, "thing")] if n % 2 else [])))
    return made


def rows(base: Base, count: int = 24) -> list[TokenRow]:
    return token_rows(base, Chat(base.tokenizer), schema(), examples(count))[0]
