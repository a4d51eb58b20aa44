"""A training goes on where it was killed, bit by bit, and in smaller parts where memory ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lora.base import Base
from lora.causal.checkpoint import FILE, Begun, Keeper, folder_beside
from lora.causal.crew import Alone
from lora.causal.loop import Course, Fit
from lora.causal.memory import DoesNotFit
from lora.causal.plan import plan_steps
from lora.causal.rows import KINDS, TokenRow
from lora.causal.variants import Adapted, adapt, plain
from tests.lora.causal.made import causal_base
from tests.lora.causal.rowed import rows


class Killed(BaseException):
    """Stands for a SIGKILL: nothing in the loop may catch it."""


@pytest.fixture(scope="module")
def base() -> Base:
    return causal_base("llama")


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Float32, in which two ways to one sum differ by little."""
    for module in ("loop", "learner"):
        monkeypatch.setattr(f"lora.causal.{module}.bf16_is_fast", lambda device: False)


def fit_of(
    base: Base, keeper: Keeper, steps: int = 8, tokens: int = 4096, checkpointing: bool = False
) -> tuple[Fit, Adapted]:
    torch.manual_seed(0)
    adapted = adapt(base, "lora", 4, checkpointing)
    course = Course("all", plan_steps(rows(base), steps, 0), 5e-3, tokens, 0, Begun())
    return Fit(adapted, course, Alone(), keeper, 0, "cpu"), adapted


def stored(base: Base, keeper: Keeper, **how: Any) -> dict[str, torch.Tensor]:
    fit, adapted = fit_of(base, keeper, **how)
    fit.run()
    return dict(plain(adapted).tensors)


def losses(base: Base, **how: Any) -> list[float]:
    fit, _ = fit_of(base, Keeper(None, 0), steps=3, **how)
    fit.run()
    return fit.losses


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(one[k].equal(two[k]) for k in one)


def test_the_loss_falls(base: Base) -> None:
    fit, _ = fit_of(base, Keeper(None, 0), steps=24)
    fit.run()
    assert sum(fit.losses[-4:]) < 0.7 * sum(fit.losses[:4])


def test_a_killed_training_goes_on_to_the_same_bits(base: Base, tmp_path: Path) -> None:
    want = stored(base, Keeper(None, 0))

    def die(step: int) -> None:
        if step == 4:
            raise Killed

    fit, _ = fit_of(base, Keeper(tmp_path / "c", 0.0))
    with pytest.raises(Killed):
        fit.run(die)
    resumed, adapted = fit_of(base, Keeper(tmp_path / "c", 0.0))
    resumed.run()
    assert len(resumed.losses) == 3  # of 8 steps, five were kept
    assert same(want, dict(plain(adapted).tensors))


def test_a_checkpoint_of_another_plan_or_a_torn_one_is_not_gone_on_from(
    base: Base, tmp_path: Path
) -> None:
    keeper = Keeper(tmp_path / "c", 0.0)
    stored(base, keeper, steps=3)
    other, _ = fit_of(base, keeper, steps=4)
    other.run()
    assert len(other.losses) == 4
    (tmp_path / "c" / FILE).write_bytes(b"torn")
    assert keeper.last() is None


def test_a_checkpoint_lies_beside_the_candidate_and_is_forgotten(tmp_path: Path) -> None:
    folder = folder_beside(tmp_path / ".staging-x", "ab" * 32)
    assert folder.parent == tmp_path and folder.name.startswith(".")
    folder.mkdir()
    Keeper(folder, 0).forget()
    assert not folder.exists()


def test_smaller_parts_give_the_same_training(base: Base) -> None:
    assert losses(base, tokens=1) == pytest.approx(losses(base), rel=1e-3)


def test_where_memory_ends_the_parts_are_halved_and_the_step_done_again(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, _ = fit_of(base, Keeper(None, 0), steps=3)
    passes = _too_much_beyond(fit, monkeypatch, rows_at_once=2)
    fit.run()
    assert len(fit.losses) == 3 and fit.tokens < 4096
    assert max(passes[4:]) <= 2  # 8, 4, 2: found in the first step, and kept


def test_one_row_that_is_too_much_is_refused_with_what_would_do(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, _ = fit_of(base, Keeper(None, 0), steps=3)
    _too_much_beyond(fit, monkeypatch, rows_at_once=0)
    with pytest.raises(DoesNotFit, match="GRADIENT_CHECKPOINTING"):
        fit.run()


def test_gradient_checkpointing_changes_memory_not_the_training(base: Base) -> None:
    assert losses(base, checkpointing=True) == pytest.approx(losses(base), rel=1e-3)


def test_others_rows_weigh_what_they_are_given_and_human_ones_what_they_did(base: Base) -> None:
    human, made = rows(base)[:12], [replace(r, made=True) for r in rows(base)[12:20]]
    lent = [replace(r, lent=True) for r in rows(base)[20:]]
    steps = plan_steps(human, 10, 0, made, lent)
    torch.manual_seed(0)
    adapted = adapt(base, "lora", 4, False)
    course = Course("all", steps, 0.0, 4096, 0, Begun(), 0.5, 0.8)  # rate 0: nothing moves
    fit = Fit(adapted, course, Alone(), Keeper(None, 0), 0, "cpu")
    fit.run()
    with torch.no_grad():
        chance = {id(r): float(-fit.chances([r])[0]) for step in steps for r in step}

    def mean(some: list[TokenRow]) -> float:
        return sum(chance[id(r)] for r in some) / sum(r.answer_tokens for r in some)

    for n, (step, lost) in enumerate(zip(steps, fit.losses, strict=True)):
        own, children, borrowed = ([r for r in step if r.kind == k] for k in KINDS)
        others = 0.5 * mean(children) + 0.8 * mean(borrowed)
        assert lost == pytest.approx(mean(own) + min(1.0, n / 3) * others, rel=1e-4)


def test_a_checkpoint_of_another_weight_is_not_gone_on_from(base: Base) -> None:
    steps = plan_steps(rows(base)[:12], 3, 0, [replace(r, made=True) for r in rows(base)[12:]])
    plans = {Course("all", steps, 5e-3, 64, 0, Begun(), w).digest for w in (0.0, 0.25, 0.5)}
    assert len(plans) == 3


def _too_much_beyond(fit: Fit, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> list[int]:
    whole, passes = fit.learner.forward, []

    def forward(**batch: Any) -> Any:
        passes.append(len(batch["input_ids"]))
        if passes[-1] > rows_at_once:
            raise torch.OutOfMemoryError("no memory is left")
        return whole(**batch)

    monkeypatch.setattr(fit.learner, "forward", forward)
    return passes
