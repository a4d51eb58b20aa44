"""A small project of our own sentences: support questions, answered by intent."""

import hashlib
import random
from collections.abc import Mapping, Sequence

import numpy as np

from augment.guard.values import Context, Judges, Thresholds
from augment.values import Embed, Made, Vectors
from label_config.controls import Schema
from label_config.schema import read_schema
from label_config.values import Choice, Example, Inputs, Region, Span

CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="intent" toName="text"><Choice value="order"/><Choice value="refund"/>
<Choice value="login"/></Choices>
<Labels name="entity" toName="text"><Label value="product"/><Label value="day"/></Labels></View>"""
SCHEMA: Schema = read_schema(CONFIG)

THINGS = ("lamp", "kettle", "blue jacket", "phone case", "garden chair", "desk", "radio")
WAYS = {
    "order": ("Where is my {}?", "Has the {} been sent yet?", "I still wait for the {} I ordered."),
    "refund": ("I want my money back for the {}.", "The {} came broken, please pay it back."),
    "login": ("I cannot sign in to order a {}.", "My password fails when I look up the {}!"),
}


def intent(label: str) -> Choice:
    return Choice("intent", "text", (label,))


def span(text: str, piece: str, label: str = "product") -> Span:
    at = text.index(piece)
    return Span("entity", "text", at, at + len(piece), piece, (label,))


def example(number: int, text: str, *answers: Region) -> Example:
    return Example(f"annotation-{number}", number, f"g{number}", "train", {"text": text}, answers)


def people() -> tuple[Example, ...]:
    """49 rows: each way of asking for each thing, the thing marked."""
    rows = []
    for label, ways in WAYS.items():
        for way in ways:
            for thing in THINGS:
                text = way.format(thing)
                rows.append(example(len(rows), text, intent(label), span(text, thing)))
    return tuple(rows)


ROWS = people()
PARENT = ROWS[0]  # Where is my lamp?
POOL = tuple(
    {"text": text}
    for text in (
        "do you deliver on saturday",
        "the voucher does not work",
        "Please cancel everything, I moved to another city.",
        "can I change the address of my parcel",
        "How long does it take until the courier comes?",
        "i need an invoice for my company",
        "The kettle leaks a little.",
        "my account was locked after three tries",
    )
)


def child(
    text: str,
    transform: str = "rewrite",
    parent: Example = PARENT,
    answers: tuple[Region, ...] | None = None,
    seed: int = 0,
) -> Made:
    """A child with its parent's answers; a span stands where its text is found, if it is."""
    if answers is None:
        answers = tuple(
            span(text, a.text, a.labels[0]) if isinstance(a, Span) else a
            for a in parent.answers
            if not isinstance(a, Span) or a.text in text
        )
    return Made(parent.id, {"text": text}, answers, transform, seed=seed)


def context(
    originals: Sequence[Example] = ROWS,
    holdout: Sequence[str] = (),
    pool: Sequence[Mapping[str, str]] = POOL,
    embed: Embed | None = None,
    judges: Judges | None = None,
    schema: Schema = SCHEMA,
) -> Context:
    texts = tuple({"text": text} for text in holdout)
    return Context(schema, tuple(originals), texts, tuple(pool), None, embed, judges)


BARS = Thresholds(lengths={"text": (5.0, 120.0)}, surprise=4.5)


class WordVectors:
    """Texts as the sum of their words' random directions; remembers what it was asked."""

    def __init__(self, dims: int = 64) -> None:
        self.dims = dims
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        out = np.stack([sum(map(self._word, t.lower().split()), self._word("")) for t in texts])
        return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)

    def _word(self, word: str) -> Vectors:
        seed = int.from_bytes(hashlib.sha256(word.strip("?!.,").encode()).digest()[:4], "big")
        vector = np.random.default_rng(seed).normal(size=self.dims) * (0.1 if not word else 1)
        return vector.astype(np.float32)


class ByWord:
    """A classifier that goes by one word; remembers what it was shown."""

    def __init__(self, words: Mapping[str, str], sure: float = 0.8) -> None:
        self.words, self.sure = words, sure
        self.shown: list[str] = []

    def __call__(self, rows: Sequence[Inputs]) -> list[dict[str, dict[str, float]]]:
        self.shown += [row.texts["text"] for row in rows]
        return [{"intent": self._odds(row.texts["text"])} for row in rows]

    def _odds(self, text: str) -> dict[str, float]:
        said = next((v for w, v in self.words.items() if w in text.lower()), "order")
        rest = (1 - self.sure) / 2
        return {v: self.sure if v == said else rest for v in ("order", "refund", "login")}


def shuffled(items: Sequence[Made], seed: int) -> list[Made]:
    out = list(items)
    random.Random(seed).shuffle(out)
    return out
