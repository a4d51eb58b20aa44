"""What we are measured against in `fewshot.py`, on the same rows, base weights and seeds.

- frozen: mean-pooled, L2-normalised embeddings of the frozen base, logistic regression (C=10).
- setfit: the recipe of SetFit (Tunstall et al. 2022, arXiv:2209.11055): the whole encoder is tuned
  on pairs of texts (same label: cosine 1, else 0), then a logistic regression on its embeddings.
  Pairs a text, learning rate and batch as in the paper's code (R=20, 2e-5, 16 pairs); steps are
  capped where a CPU could not wait for them, and each result says how many there were.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from transformers import get_linear_schedule_with_warmup

from lora.base import Base
from lora.network import pad
from lora.windows import cut, read_pieces

WINDOW = 128
PAIRS_A_TEXT = 20
PAIR_BATCH = 16
MOST_STEPS = 1000


def frozen(
    base: Base, texts: Sequence[str], labels: Sequence[str], test: Sequence[str]
) -> list[str]:
    """Answers of a logistic regression on frozen embeddings."""
    return _regress(_embed(base, base.model, texts), labels, _embed(base, base.model, test))


def setfit(
    base: Base, texts: Sequence[str], labels: Sequence[str], test: Sequence[str], seed: int
) -> tuple[list[str], int]:
    """Answers after contrastive tuning of the whole encoder, and the steps it took."""
    torch.manual_seed(seed)
    model = copy.deepcopy(base.model).requires_grad_(True).train()
    pairs = _pairs(labels, seed)
    steps = min(MOST_STEPS, len(pairs) // PAIR_BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-5)
    schedule = get_linear_schedule_with_warmup(optimiser, steps // 10, steps)
    for step in range(steps):
        batch = pairs[step * PAIR_BATCH : (step + 1) * PAIR_BATCH]
        rows = [texts[i] for i, _, _ in batch] + [texts[j] for _, j, _ in batch]
        vectors = _forward(base, model, rows)
        likeness = (vectors[: len(batch)] * vectors[len(batch) :]).sum(-1)
        wanted = torch.tensor([same for _, _, same in batch], dtype=torch.float32)
        loss = torch.nn.functional.mse_loss(likeness, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval()
    return _regress(_embed(base, model, texts), labels, _embed(base, model, test)), steps


def _pairs(labels: Sequence[str], seed: int) -> list[tuple[int, int, float]]:
    """For each text and round a pair with a text of its label and one with another's, shuffled."""
    rng = random.Random(seed)
    by_label: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        by_label.setdefault(label, []).append(i)
    pairs: list[tuple[int, int, float]] = []
    for _ in range(PAIRS_A_TEXT):
        for i, label in enumerate(labels):
            twins = [j for j in by_label[label] if j != i]
            if twins:
                pairs.append((i, rng.choice(twins), 1.0))
            others = [j for j in range(len(labels)) if labels[j] != label]
            if others:
                pairs.append((i, rng.choice(others), 0.0))
    rng.shuffle(pairs)
    return pairs


def _regress(points: Any, labels: Sequence[str], test: Any) -> list[str]:
    if len(set(labels)) == 1:
        return [labels[0]] * len(test)
    model = LogisticRegression(C=10.0, max_iter=1000).fit(points, list(labels))
    return [str(x) for x in model.predict(test)]


def _embed(base: Base, model: Any, texts: Sequence[str]) -> Any:
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = np.zeros((len(texts), base.hidden))
    with torch.inference_mode():
        for start in range(0, len(order), 64):
            part = order[start : start + 64]
            found[part] = _forward(base, model, [texts[i] for i in part]).double().numpy()
    return found


def _forward(base: Base, model: Any, texts: Sequence[str]) -> torch.Tensor:
    windows = [cut(base, read_pieces(base, text), WINDOW)[0] for text in texts]
    inputs = pad([w.ids for w in windows], base.tokenizer.pad_token_id or 0)
    states = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
    return torch.nn.functional.normalize((states * mask).sum(1).float(), dim=-1)
