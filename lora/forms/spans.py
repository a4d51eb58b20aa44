"""Labelled pieces of a text (Labels, HyperTextLabels, ParagraphLabels): per-label BIO.

Two rows per label and a softmax over O, B and I for each label alone (lora/decode.py), so spans of
different labels may overlap in what is learned and, where people let them, in what is predicted.
Spans are made of whole words: a word begins as its first piece does and goes on as its pieces do
on average (F1 .631 -> .639 on SNIPS, .434 -> .445 on wnut17: train rows, one fit each).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from label_config.controls import Control
from label_config.values import Example, Region, Span
from lora.decode import Path, decode, decode_apart
from lora.forms.form import IGNORE, Embed, Form, Given, Goal, Head, Said, unit
from lora.windows import Pieces, Window

WEIGHT = 2.0
"""Of the spans' loss beside the choices'. 1, 2, 3 gave F1 .611, .634, .638 and intents .960, .957,
.953; of a second seed 1 and 2 gave .592, .612 and .973, .970 (SNIPS train rows, 100 to learn from,
300 to judge, 60 steps). Differences of a hundredth are noise; 2 is a lead, not a result."""


OVERLAP = "overlap"
"""A fact of a head: 1 where the spans of different labels overlapped in what it learned from."""


@dataclass(frozen=True)
class Mark:
    """A gold span in pieces, `[first, last)`, and its label's index."""

    first: int
    last: int
    label: int


class Spans(Form):
    """Any number of spans; the targets are tags per piece and label, made by `tag_table`."""

    def shapes(self, control: Control, hidden: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        rows = 2 * len(control.labels)
        return (rows, hidden), (rows,)

    def derive(self, head: Head, control: Control, embed: Embed, pool: torch.Tensor | None) -> Head:
        """Rows follow their label's value; a label not seen in training predicts nothing."""
        places = {value: i for i, value in enumerate(head.control.values)}
        if not places.keys() & set(control.values):
            return self.cold(control, embed, pool)
        blank = self.silent(control, head.weight.shape[1])
        for i, value in enumerate(control.values):
            if value in places:
                own, old = slice(2 * i, 2 * i + 2), slice(2 * places[value], 2 * places[value] + 2)
                blank.weight[own] = head.weight[old].cpu()
                blank.bias[own] = head.bias[old].cpu()
        return Head(control, blank.weight, blank.bias, True, head.facts)

    def target(self, head: Head, goal: Goal | None, offered: Sequence[str]) -> list[float]:
        raise TypeError(f"{head.control.name!r} is answered by spans; their targets are tags")

    def loss(
        self, control: Control, outputs: torch.Tensor, target: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        """WEIGHT times cross-entropy of O, B, I, summed over labels, averaged over the pieces.

        `outputs` [rows, pieces, 2 labels], `target` [rows, pieces, labels]. Summed and not averaged
        over labels: a piece has at most a few tags, so a mean would fade with the labels' number. A
        piece weighs as much as its row's share.
        """
        known = (target != IGNORE).any(dim=-1)
        rows = outputs[known].unflatten(-1, (-1, 2))
        table = torch.cat([torch.zeros_like(rows[..., :1]), rows], dim=-1)
        goal = target[known]
        lost = torch.nn.functional.cross_entropy(
            table.flatten(0, 1), goal.flatten(), reduction="none", ignore_index=IGNORE
        )
        weight = share.unsqueeze(1).expand(known.shape)[known]
        return WEIGHT * (lost.view_as(goal).sum(-1) * weight).sum() / weight.sum().clamp_min(1e-6)

    def read(self, head: Head, given: Sequence[Given], embed: Embed) -> list[Said]:
        tokens = [g.encoded.tokens for g in given]
        counts = [0 if t is None else len(t) for t in tokens]
        if not head.trained or not sum(counts):
            return [([], 0.0) for _ in given]
        logits = head.logits(torch.cat([t for t in tokens if t is not None])).cpu()
        starts = [word_starts(g.encoded.pieces, n) for g, n in zip(given, counts, strict=True)]
        way = decode if head.facts.get(OVERLAP, 1.0) else decode_apart
        paths = way(by_word(logits, starts, counts), [len(s) for s in starts])
        return [
            _say(head.control, g, path, [*begins, n]) if n else ([], 0.0)
            for g, path, begins, n in zip(given, paths, starts, counts, strict=True)
        ]


def _say(c: Control, given: Given, path: Path, begins: Sequence[int]) -> Said:
    """A path's spans in the text; `begins`: each word's first piece, then the pieces' number."""
    text, places = given.text, given.encoded.pieces.places
    found: dict[tuple[int, int, str], tuple[list[str], list[float]]] = {}
    for span in path.spans:
        start, end = places[begins[span.first]][0], places[begins[span.last] - 1][1]
        if start < end:
            value = c.values[span.label]
            labels, scores = found.setdefault((start, end, "" if c.multiple else value), ([], []))
            labels.append(value)
            scores.append(span.score)
    regions: list[Region] = [
        Span(c.name, c.to_name, a, b, text[a:b], tuple(labels), unit(sum(s) / len(s)))
        for (a, b, _), (labels, s) in found.items()
    ]
    return regions, unit(path.score)


def word_starts(pieces: Pieces, count: int) -> list[int]:
    """The first piece of each word among the first `count` pieces."""
    words = pieces.words[:count]
    return [i for i, w in enumerate(words) if i == 0 or w != words[i - 1] or w < 0]


def by_word(
    logits: torch.Tensor, starts: Sequence[Sequence[int]], counts: Sequence[int]
) -> torch.Tensor:
    """[pieces, 2 labels] -> [words, 2 labels], of all texts one after the other: B of a word's
    first piece, the mean of its pieces' I. `starts`, `counts`: of each text."""
    shifts = np.concatenate([[0], np.cumsum(np.asarray(counts[:-1], dtype=np.int64))])
    firsts = np.concatenate(
        [np.asarray(s, dtype=np.int64) + t for s, t in zip(starts, shifts, strict=True)]
    )
    if len(firsts) == len(logits):
        return logits
    lengths = np.diff(np.append(firsts, len(logits)))
    inside = np.add.reduceat(logits[:, 1::2].numpy(), firsts, axis=0) / lengths[:, None]
    words = logits[firsts].clone()
    words[:, 1::2] = torch.from_numpy(inside).to(words)
    return words


def overlap(rows: Sequence[Sequence[Mark]]) -> bool:
    """Whether in any row two marks share a piece."""
    for row in rows:
        ordered = sorted(row, key=lambda m: m.first)
        if any(a.last > b.first for a, b in zip(ordered, ordered[1:], strict=False)):
            return True
    return False


def marks_of(control: Control, example: Example, pieces: Pieces) -> tuple[Mark, ...]:
    """The gold spans in pieces. A piece that a span touches belongs to it, even where it covers
    only a part; of overlapping spans of one label the longer one stays, of equal ones the first."""
    spans = [r for r in example.answers if isinstance(r, Span) and r.from_name == control.name]
    taken: set[tuple[int, int]] = set()
    marks: list[Mark] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        touched = [i for i, (a, b) in enumerate(pieces.places) if a < span.end and b > span.start]
        for value in span.labels:
            if not touched or value not in control.values:
                continue
            label = control.values.index(value)
            cells = {(i, label) for i in touched}
            if not cells & taken:
                taken |= cells
                marks.append(Mark(touched[0], touched[-1] + 1, label))
    return tuple(sorted(marks, key=lambda m: (m.first, m.label)))


def in_window(marks: Sequence[Mark], window: Window) -> tuple[Mark, ...]:
    """The marks that reach into a window, counted from its first piece; one that began before it
    has a negative `first`."""
    return tuple(
        Mark(m.first - window.first, min(m.last, window.last) - window.first, m.label)
        for m in marks
        if m.first < window.last and m.last > window.first
    )


def tag_table(marks: Sequence[Mark], pieces: int, labels: int) -> torch.Tensor:
    """[pieces, labels] of O, B and I as 0, 1, 2; a span that began before has no B here."""
    table = torch.zeros(pieces, labels, dtype=torch.long)
    for m in marks:
        table[max(0, m.first) : m.last, m.label] = 2
        if m.first >= 0:
            table[m.first, m.label] = 1
    return table
