"""BERT's forward pass with nothing around it.

Of a short text's time transformers takes a third for what leads from one product to the next. Here
the same operators run on the same numbers in the same order, so the answers are equal bit by bit.
That is tried out before it is used; a base that is built otherwise keeps transformers' own pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from lora.joint import parts_of

Pass = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Ids and attention mask [rows, pieces] become states [rows, pieces, hidden]."""

BUILT_ALIKE = frozenset({"bert", "camembert", "electra", "roberta", "xlm-roberta"})
"""model_type of what has BERT's blocks; the embeddings before them are the model's own."""


def whole(model: Any) -> Pass:
    """transformers' own pass."""

    def run(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    return run


def lean(model: Any) -> Pass:
    """The short pass if it says what `whole(model)` says of a few padded rows, bit by bit; else
    that one. It reads the weights at each call, so they may be exchanged."""
    own, short = whole(model), trusted(model)
    config = model.config
    plain = not getattr(config, "is_decoder", False) and not config.chunk_size_feed_forward
    if config.model_type not in BUILT_ALIKE or not plain:
        return own
    said, wanted = tried(short, model), tried(own, model)
    return short if all(map(torch.equal, said, wanted)) else own


def tried(run: Pass, model: Any) -> list[torch.Tensor]:
    """What a pass says of a few rows, padded and not."""
    with torch.inference_mode():
        ids = torch.arange(14, device=model.device).reshape(2, 7) % model.config.vocab_size
        padded = torch.tensor([[1] * 7, [1] * 4 + [0] * 3], device=model.device)
        return [run(ids, mask) for mask in (torch.ones_like(ids), padded)]


def is_short(run: Pass) -> bool:
    """Whether a pass is the short one."""
    return isinstance(run, partial)


def trusted(model: Any) -> Pass:
    """The short pass of a model for which it was tried out."""
    return partial(_states, model)


def _states(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    x: torch.Tensor = model.embeddings(input_ids=ids)
    if hasattr(model, "embeddings_project"):  # of ELECTRA
        x = model.embeddings_project(x)
    kept = None if bool(mask.all()) else mask.bool()[:, None, None, :]
    for block in model.encoder.layer:
        x = _closed(block.attention.output, _attended(block.attention.self, x, kept), x)
        inner = block.intermediate
        x = _closed(block.output, inner.intermediate_act_fn(inner.dense.forward(x)), x)
    return x


def _attended(own: Any, x: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    rows, pieces, _ = x.shape
    q, k, v = parts_of(own, x)
    found = scaled_dot_product_attention(q, k, v, attn_mask=kept, scale=own.scaling)
    return found.transpose(1, 2).reshape(rows, pieces, -1)


def _closed(end: Any, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A block's end: its product, what went in, and the norm of both. `forward` is called by name,
    as no hook stands here and a module's call costs as much as a small product."""
    norm = end.LayerNorm
    added = end.dense.forward(y) + x
    return layer_norm(added, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
