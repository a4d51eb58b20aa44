"""The loss is that of the answers alone, and the same however the rows are run."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lora.base import Base
from lora.causal.learner import CausalLearner, collate
from lora.causal.variants import adapt
from tests.lora.causal.made import causal_base
from tests.lora.causal.rowed import rows


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Base:
    monkeypatch.setattr("lora.causal.learner.bf16_is_fast", lambda kind: False)
    return causal_base("llama")


def losses(base: Base, learner: Any, share: bool, count: int = 6) -> torch.Tensor:
    some = rows(base)[:count]
    with torch.no_grad():
        return learner(**collate(some, 0, share=share))  # type: ignore[no-any-return]


def test_the_loss_is_that_of_the_models_own_logits(base: Base) -> None:
    learner = CausalLearner(adapt(base, "lora", 4).model).eval()
    for row, loss in zip(rows(base)[:6], losses(base, learner, True), strict=True):
        with torch.no_grad():
            logits = base.model(input_ids=torch.tensor([row.ids])).logits[0].float()
        chances = torch.log_softmax(logits, -1)
        want = -sum(float(chances[n - 1, row.ids[n]]) for n in range(row.start, len(row.ids)))
        assert float(loss) == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma3"])
def test_what_rows_have_in_common_is_run_once_and_changes_nothing(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lora.causal.learner.bf16_is_fast", lambda device: False)
    base = causal_base(kind)
    learner = CausalLearner(adapt(base, "lora", 4).model).train()
    some = rows(base)[:6]
    assert "begin" in collate(some, 0)
    found = []
    for share in (True, False):
        learner.zero_grad()
        loss = learner(**collate(some, 0, share=share)).sum()
        loss.backward()
        grads = [p.grad.clone() for p in learner.parameters() if p.grad is not None]
        found.append((float(loss.detach()), grads))
    (one, first), (two, second) = found
    assert one == pytest.approx(two, rel=1e-4)
    assert all(
        torch.allclose(a, b, atol=2e-3, rtol=1e-2) for a, b in zip(first, second, strict=True)
    )
    assert any(g.abs().max() > 0 for g in first)


def test_the_head_is_asked_for_answers_only(base: Base) -> None:
    learner = CausalLearner(adapt(base, "lora", 4).model).eval()
    seen: list[tuple[int, ...]] = []
    head = learner.model.get_output_embeddings()
    head.register_forward_hook(lambda module, given, out: seen.append(tuple(out.shape)))
    losses(base, learner, True)
    answers = sum(r.answer_tokens for r in rows(base)[:6])
    assert seen == [(0, head.out_features), (answers, head.out_features)]


def test_the_base_keeps_a_head_of_its_own(base: Base) -> None:
    CausalLearner(adapt(base, "lora", 4).model)
    assert type(base.model.get_output_embeddings()) is torch.nn.Linear
