"""Texts become answers: the one function behind judging, serving and offline checks.

An answer's score is the mean of its controls' confidences: of a single choice the probability of
the answer, of a multiple one the mean probability that each label was decided rightly, of spans
the mean probability of the tokens' tags. An untrained Labels head knows nothing: 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from label_config.values import Choice, Region, Span
from lora.decode import decode
from lora.heads import Head
from lora.loaded import Loaded
from lora.network import Encoded, Network


@dataclass(frozen=True)
class Answer:
    """The regions of one row, and how sure the model is of them all, in [0, 1]."""

    regions: tuple[Region, ...]
    score: float


def answer(network: Network, loaded: Loaded, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
    """Answer each row (texts by data key) with `loaded`, in order.

    A row without a control's key gets no region of that control; a row with none gets score 0.
    """
    network.activate(loaded, loaded.tensors)
    spans = {h.control.key for h in loaded.heads.values() if h.control.kind == "Labels"}
    keys = [key for key in loaded.schema.keys]
    wanted = [(i, key) for i, row in enumerate(rows) for key in keys if row.get(key, "").strip()]
    encoded = network.encode(
        [rows[i][key] for i, key in wanted], [key in spans for _, key in wanted]
    )
    found = dict(zip(wanted, encoded, strict=True))
    return [_answer_row(loaded, i, row, found) for i, row in enumerate(rows)]


def _answer_row(
    loaded: Loaded, i: int, row: Mapping[str, str], found: Mapping[tuple[int, str], Encoded]
) -> Answer:
    regions: list[Region] = []
    scores: list[float] = []
    for head in loaded.heads.values():
        encoded = found.get((i, head.control.key))
        if encoded is None:
            continue
        if head.control.kind == "Choices":
            got, score = _choose(head, encoded)
        else:
            got, score = _mark(head, encoded, row[head.control.key])
        regions.extend(got)
        scores.append(score)
    return Answer(tuple(regions), sum(scores) / len(scores) if scores else 0.0)


def _choose(head: Head, encoded: Encoded) -> tuple[list[Region], float]:
    logits = head.logits(encoded.vector.unsqueeze(0))[0]
    c = head.control
    if not c.multiple:
        chances = torch.softmax(logits, dim=0)
        best = int(chances.argmax())
        score = _unit(float(chances[best]))
        return [Choice(c.name, c.to_name, (c.values[best],), score)], score
    chances = torch.sigmoid(logits)
    picked = [i for i in range(len(c.values)) if float(chances[i]) >= 0.5]
    if not picked and c.required:
        picked = [int(chances.argmax())]
    sure = _unit(float(torch.maximum(chances, 1 - chances).mean()))
    if not picked:
        return [], sure
    score = _unit(float(chances[picked].mean()))
    return [Choice(c.name, c.to_name, tuple(c.values[i] for i in picked), score)], sure


def _mark(head: Head, encoded: Encoded, text: str) -> tuple[list[Region], float]:
    if encoded.tokens is None or not head.trained:
        return [], 0.0
    c = head.control
    path = decode(head.logits(encoded.tokens))
    places = encoded.pieces.places
    regions: list[Region] = []
    for found in path.spans:
        start, end = places[found.first][0], places[found.last - 1][1]
        if start < end:
            label = (c.values[found.label],)
            regions.append(
                Span(c.name, c.to_name, start, end, text[start:end], label, _unit(found.score))
            )
    return regions, _unit(path.score)


def _unit(value: float) -> float:
    """Into [0, 1]; what is not a number (a broken adapter) is no confidence at all."""
    return min(1.0, max(0.0, value)) if value == value else 0.0
