"""Texts become answers: the one function behind judging, serving and offline checks.

An answer's score is the mean of its controls' confidences, each as its form says it (lora/forms/);
a control that has not learned anything and cannot go by names says nothing, with a score of 0. A
control that the other answers hide (`visibleWhen`) is left out of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from label_config.conditions import drop_hidden
from label_config.controls import Schema
from label_config.usages import within_usages
from label_config.values import Inputs, Region
from lora.forms import form_of
from lora.forms.form import Embed, Given, Head, Said
from lora.loaded import Loaded
from lora.network import Encoded, Network

Place = tuple[int, str]  # a row and a data key


@dataclass(frozen=True)
class Answer:
    """The regions of one row, and how sure the model is of them all, in [0, 1]; `vector`: its first
    text as an encoder sees it, little-endian float16."""

    regions: tuple[Region, ...]
    score: float
    vector: bytes | None = field(default=None, compare=False, repr=False)


def answer(network: Network, loaded: Loaded, rows: Sequence[Inputs]) -> list[Answer]:
    """Answer each row with `loaded`, in order; a text is encoded once for all its controls.

    A row without a control's key gets no region of that control; a row with none gets score 0.
    """
    network.activate(loaded, loaded.tensors)
    found = _encode(network, loaded, rows)
    said: list[dict[str, Said]] = [{} for _ in rows]
    for head in loaded.heads.values():
        given = {i: g for i in range(len(rows)) if (g := _given(head, rows[i], i, found))}
        if given:
            answers = form_of(head.control).read(head, list(given.values()), _embedder(network))
            for i, one in zip(given, answers, strict=True):
                said[i][head.control.name] = one
    vectors = _vectors(found)
    return [
        replace(joined(loaded.schema, by_control), vector=vectors.get(i))
        for i, by_control in enumerate(said)
    ]


def _vectors(found: Mapping[Place, Encoded]) -> dict[int, bytes]:
    """By row."""
    first: dict[int, torch.Tensor] = {}
    for (i, _), encoded in found.items():
        first.setdefault(i, encoded.vector)
    if not first:
        return {}
    table = torch.stack(list(first.values())).cpu().float().numpy().astype("<f2")
    return {i: row.tobytes() for i, row in zip(first, table, strict=True)}


def _encode(network: Network, loaded: Loaded, rows: Sequence[Inputs]) -> Mapping[Place, Encoded]:
    controls = [head.control for head in loaded.heads.values()]
    spans = {c.key for c in controls if c.form == "spans"}
    keys = dict.fromkeys(key for c in controls for key in c.keys)
    wanted = [(i, k) for i, row in enumerate(rows) for k in keys if row.texts.get(k, "").strip()]
    texts = [rows[i].texts[k] for i, k in wanted]
    return dict(zip(wanted, network.encode(texts, [k in spans for _, k in wanted]), strict=True))


def _given(head: Head, row: Inputs, i: int, found: Mapping[Place, Encoded]) -> Given | None:
    c = head.control
    encoded = [found.get((i, key)) for key in c.keys]
    if encoded[0] is None or encoded[-1] is None:
        return None
    other = encoded[-1] if c.right_key is not None else None
    return Given(row.texts[c.key], encoded[0], other, row.options.get(c.name, ()))


def _embedder(network: Network) -> Embed:
    def embed(texts: Sequence[str]) -> torch.Tensor:
        return torch.stack([e.vector for e in network.encode(texts, [False] * len(texts))])

    return embed


def joined(schema: Schema, said: Mapping[str, Said]) -> Answer:
    """One row's answer from what its controls say."""
    regions = tuple(r for got, _ in said.values() for r in got)
    shown = within_usages(schema, drop_hidden(schema, regions))
    hidden = {r.from_name for r in regions} - {r.from_name for r in shown}
    scores = [score for name, (_, score) in said.items() if name not in hidden]
    return Answer(shown, sum(scores) / len(scores) if scores else 0.0)
