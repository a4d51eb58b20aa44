"""Examples and schemas that sources work on."""

from __future__ import annotations

from typing import Any

from label_config.controls import Control, Label, Schema, TextObject
from label_config.values import Choice, Example, Region, Span


def labels(*values: str) -> tuple[Label, ...]:
    """Labels that are shown as they are stored."""
    return tuple(Label(v, v) for v in values)


INTENT = Control("intent", "Choices", "text", "text", labels("order", "AddSong"))
SLOTS = Control("slot", "Labels", "text", "text", labels("artist", "list", "when"))
NOTE = Control("note", "TextArea", "text", "text")
COUNT = Control("count", "Number", "text", "text")
BETTER = Control("better", "Pairwise", "a", "a", labels("left", "right"), right_key="b")
CHOICES = Schema((INTENT,))
SCHEMA = Schema((INTENT, SLOTS))
WRITTEN = Schema((NOTE,))
DIALOGUE = Schema((INTENT,), objects=(TextObject("text", "Paragraphs", "text"),))


def example(text: str, *answers: Region, id: str = "e1", **said: Any) -> Example:
    """A human train row with one text, about an order where no answer is given."""
    given = answers or (Choice("intent", "text", ("order",)),)
    return Example(id, 1, f"group of {id}", "train", {"text": text}, given, **said)


def span(text: str, words: str, label: str = "artist") -> Span:
    """The first place of the words."""
    start = text.index(words)
    return Span("slot", "text", start, start + len(words), words, (label,))


def spoken(text: str, id: str = "e1", intent: str = "AddSong", **labelled: str) -> Example:
    """An example with a choice and a span for each label=words."""
    spans = [span(text, words, label) for label, words in labelled.items()]
    return example(text, Choice("intent", "text", (intent,)), *spans, id=id)


def texts_of(row: Any) -> list[tuple[str, str]]:
    """Label and text of each span, and that it stands where it says; of an Example or a Made."""
    spans = [r for r in row.answers if isinstance(r, Span)]
    for s in spans:
        assert row.texts["text"][s.start : s.end] == s.text
    return [(s.labels[0], s.text) for s in spans]
