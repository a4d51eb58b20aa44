"""Which marked or unmarked words people marked otherwise elsewhere: the doubts of span controls.

Variation of the same words (Dickinson and Meurers 2003): words that stand several times in the
answers, here marked as one thing, elsewhere as another or as none. A row's own group has no say, so
nobody vouches for himself. Only words that are somewhere marked are looked at, as whole words and
in the same case; what was marked once and stands nowhere else is not judged. Pure Python: the same
rows give the same doubts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from label_config.controls import Control
from label_config.values import Example, Span
from lora.doubts import Doubt

LEAST = 1  # groups beside the row's own in which the words stand
MOST_WORDS = 6  # of what is looked for elsewhere
NONE = ""  # nothing is marked there
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Place:
    """Words in a row, and what they are marked as."""

    row: int
    words: str
    label: str


def of_spans(control: Control, examples: Sequence[Example]) -> list[Doubt]:
    """The doubts of a control of spans: of each row the worst, by how much seldomer the same words
    are marked so in other groups than as what they are marked there most."""
    known = {s.text for e in examples for s in _spans(control, e) if _is_words(s.text)}
    places = [p for i, e in enumerate(examples) for p in _places(control, known, i, e)]
    groups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for p in places:
        groups[p.words][p.label].add(examples[p.row].group)
    judged: list[tuple[_Place, str, float, float]] = []
    own_chance: dict[str, list[float]] = defaultdict(list)
    for p in dict.fromkeys(places):
        own = examples[p.row].group
        counts = Counter({k: len(some - {own}) for k, some in groups[p.words].items()})
        beside = sum(counts.values())
        if len({g for some in groups[p.words].values() for g in some} - {own}) < LEAST:
            continue
        other, most = max(
            ((k, n) for k, n in sorted(counts.items()) if k != p.label),
            key=lambda x: x[1],
            default=(NONE, 0),
        )
        given = counts[p.label] / (beside + 1)
        own_chance[p.label].append(given)
        if other in examples[p.row].unasked.get(control.name, ()):
            continue
        judged.append((p, other, given, most / (beside + 1)))
    worst: dict[int, Doubt] = {}
    for p, other, given, chance in judged:
        margin = round(given - chance, 4)
        if margin >= 0 or (p.row in worst and worst[p.row].margin <= margin):
            continue
        same = own_chance[other]
        sure = bool(same) and chance >= sum(same) / len(same)
        e = examples[p.row]
        labels = tuple(x for x in (p.label,) if x), tuple(x for x in (other,) if x)
        worst[p.row] = Doubt(e.id, e.task, e.origin.annotation, control.name, *labels, margin, sure)
    return list(worst.values())


def _places(control: Control, known: Set[str], row: int, example: Example) -> Iterator[_Place]:
    """Where words stand that are somewhere marked, and as what; words within a longer mark, or
    beside one that they overlap, are left alone."""
    text = example.texts.get(control.key, "")
    marks = {(s.start, s.end): s.labels[0] for s in _spans(control, example) if s.labels}
    words = list(WORD.finditer(text))
    for i, first in enumerate(words):
        for last in words[i : i + MOST_WORDS]:
            start, end = first.start(), last.end()
            if text[start:end] not in known:
                continue
            if (start, end) in marks:
                yield _Place(row, text[start:end], marks[start, end])
            elif not any(a < end and start < b for a, b in marks):
                yield _Place(row, text[start:end], NONE)


def _spans(control: Control, example: Example) -> Iterator[Span]:
    return (r for r in example.answers if isinstance(r, Span) and r.from_name == control.name)


def _is_words(text: str) -> bool:
    """Whether it is more than a character and holds a letter."""
    return len(text) > 1 and any(c.isalpha() for c in text)
