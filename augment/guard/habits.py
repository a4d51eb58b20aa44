"""What the project's people do: how their texts begin, and how they mark spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from augment.guard.texts import fold
from label_config.controls import Schema
from label_config.values import Example, Region, Span

ASKS = "?？؟;"  # the last is Greek's, and ends no text otherwise


@dataclass(frozen=True)
class Openings:
    """The first words of the project's texts: of those that end in a question mark, of the rest,
    and of all the folded beginnings."""

    questions: Mapping[str, int]
    others: Mapping[str, int]
    starts: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Openings:
        """The openings of these texts."""
        questions: Counter[str] = Counter()
        others: Counter[str] = Counter()
        starts: list[str] = []
        for text in texts:
            folded = fold(text[:200])
            starts.append(f"{folded} ")
            (questions if ends_asking(text) else others)[first_word(folded)] += 1
        return cls(questions, others, tuple(sorted(starts)))

    def asks(self, text: str) -> bool:
        """Whether a text is a question: by its mark, or because it opens as questions here do and
        other texts less often."""
        word = first_word(fold(text[:200]))
        return ends_asking(text) or self.questions.get(word, 0) > self.others.get(word, 0)

    def states(self, text: str) -> bool:
        """Whether any text here that is no question opens with this one's first word."""
        return self.others.get(first_word(fold(text[:200])), 0) > 0


def ends_asking(text: str) -> bool:
    """Whether a question mark stands behind its last word."""
    end = max((i for i, c in enumerate(text) if c.isalnum()), default=-1)
    return any(mark in text[end + 1 :] for mark in ASKS)


def first_word(folded: str) -> str:
    """The first word of a folded text; of a script without spaces its first letter."""
    word = folded.split(" ", 1)[0]
    return word[:1] if word[:1] > "\u2e80" else word


def spans_of(answers: Iterable[Region]) -> list[Span]:
    """The spans among the answers."""
    return [r for r in answers if isinstance(r, Span)]


def overlaps(found: Sequence[Span]) -> int:
    """How many pairs of one control's spans overlap."""
    pairs = ((a, b) for i, a in enumerate(found) for b in found[i + 1 :])
    return sum(a.from_name == b.from_name and a.start < b.end and b.start < a.end for a, b in pairs)


def cuts_word(text: str, at: int) -> bool:
    """Whether a letter or digit stands on both sides of a place."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def span_habits(schema: Schema, originals: Iterable[Example]) -> dict[str, int]:
    """How many spans the originals have, and how many of them cut a word, hold white space at an
    edge, or overlap another."""
    count = {"spans": 0, "word": 0, "edge": 0, "overlap": 0}
    for e in originals:
        own = spans_of(e.answers)
        count["spans"] += len(own)
        count["overlap"] += overlaps(own)
        for span in own:
            control = schema.control(span.from_name)
            text = e.texts.get(control.key, "") if control else ""
            count["word"] += any(cuts_word(text, at) for at in (span.start, span.end))
            count["edge"] += span.text != span.text.strip()
    return count
