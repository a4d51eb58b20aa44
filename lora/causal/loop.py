"""The training loop: planned steps over a learner, resumable, and modest when memory runs out.

A plain loop and not transformers.Trainer, since a step must be done again in smaller parts when
memory runs out, a checkpoint must be one file without pickles, and a killed training must go on
bit by bit as if it had not been: all three sit in the middle of Trainer's own loop.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.helpers import disable_input_dtype_casting

from lora.base import bf16_is_fast
from lora.causal.checkpoint import Begun, Keeper, Stand
from lora.causal.crew import Crew, like, shares, whole
from lora.causal.learner import CausalLearner, collate
from lora.causal.memory import DoesNotFit
from lora.causal.plan import RAMP, Step, cut_step
from lora.causal.rows import KINDS, Kind, TokenRow
from lora.causal.variants import Adapted, optimiser

log = logging.getLogger(__name__)

WARM_UP = 0.1
LONGEST_GRADIENT = 1.0
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # AdamW's own names


@dataclass(frozen=True)
class Course:
    """What one fit runs through: its steps, how fast it learns, and how much fits at once.

    `tokens`: padded tokens of one forward and backward pass; `begun`: what earlier fits of this
    training have found, kept with the checkpoints; `made_weight`, `lent_weight`: what a step's
    synthetic and lent rows count together in the end, where its human rows count 1.
    """

    stage: str
    steps: Sequence[Step]
    rate: float
    tokens: int
    seed: int
    begun: Begun
    made_weight: float = 0.0
    lent_weight: float = 0.0

    @property
    def digest(self) -> str:
        """Hex SHA-256 of what decides the outcome."""
        rows = [[r.ids, r.start] for step in self.steps for r in step]
        whole: list[Any] = [self.stage, self.rate, self.seed, len(self.steps), rows]
        if self.made_weight or self.lent_weight:
            kinds = [[r.kind for r in step] for step in self.steps]
            whole += [self.made_weight, self.lent_weight, kinds]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()

    def rate_at(self, step: int) -> float:
        """The learning rate's share: up for WARM_UP of the steps, then down to nothing."""
        warm = max(1, int(WARM_UP * len(self.steps)))
        if step < warm:
            return (step + 1) / (warm + 1)
        return (len(self.steps) - step) / max(1, len(self.steps) - warm)

    def worth(self, step: int) -> dict[Kind, float]:
        """What the rows of a kind count together in a step; those that nobody answered nothing at
        first, the whole after RAMP of all."""
        ramp = min(1.0, step / (RAMP * len(self.steps)))
        return {"human": 1.0, "made": self.made_weight * ramp, "lent": self.lent_weight * ramp}


class Fit:
    """One fit under way."""

    def __init__(
        self, adapted: Adapted, course: Course, crew: Crew, keeper: Keeper, filler: int, device: str
    ) -> None:
        self.learner: Any = CausalLearner(adapted.model)
        self.tokens = course.tokens
        self.losses: list[float] = []
        self._course, self._crew, self._keeper = course, crew, keeper
        self._filler, self._device = filler, device
        # what is recomputed keeps no cache, and sharded blocks are run once a pass
        self._shares = not adapted.checkpointing and crew.size == 1
        self._autocasts = bf16_is_fast(device)  # then peft's own casts, to float32, cost a sixth
        self._learner, self._optimiser = crew.wrap(self.learner, optimiser(adapted, course.rate))
        self._names = {n: p for n, p in self.learner.named_parameters() if p.requires_grad}
        self._rates = [float(g["lr"]) for g in self._optimiser.param_groups]
        self._plan = course.digest

    def run(self, after: Callable[[int], None] = lambda step: None) -> None:
        """Run all steps, from the last checkpoint on. `after`: called with each step's number."""
        begin = self._resume()
        self._learner.train()
        for n in range(begin, len(self._course.steps)):
            self._step(n)
            if self._keeper.due():
                self._keep(n + 1)
            after(n)
        self._learner.eval()

    def chances(self, rows: Sequence[TokenRow]) -> torch.Tensor:
        """Log p of the answers of rows, in their order."""
        found = torch.zeros(len(rows))
        for part in cut_step(tuple(rows), self.tokens):
            batch = collate(part, self._filler, self._device, self._shares)
            with disable_input_dtype_casting(self.learner.model, self._autocasts):
                lost = self._learner(**batch).cpu()
            for row, loss in zip(part, lost, strict=True):
                found[next(i for i, r in enumerate(rows) if r is row)] = -loss
        return found

    def _step(self, n: int) -> None:
        share = self._course.rate_at(n)
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        while True:
            torch.manual_seed(self._course.seed * 1_000_003 + n)  # of dropout, where a base has it
            self._optimiser.zero_grad()
            try:
                self.losses.append(self._gradients(n))
                break
            except (torch.OutOfMemoryError, MemoryError):
                pass  # what the failed pass holds is let go of here, where it is caught
            self._halve(self._course.steps[n])
        self._crew.clip(list(self._learner.parameters()), LONGEST_GRADIENT)
        self._optimiser.step()

    def _gradients(self, n: int) -> float:
        """Add up the gradients of the mean loss of the answer tokens of the step's human rows, and
        of the other kinds' own means by what they count; this sum."""
        step, worth = self._course.steps[n], self._course.worth(n)
        tokens = {k: sum(r.answer_tokens for r in step if r.kind == k) for k in KINDS}
        share = {k: worth[k] / max(1, tokens[k]) for k in KINDS}
        every = [cut_step(rows, self.tokens) for rows in shares(step, self._crew.size)]
        own, passes = every[self._crew.rank], max(len(parts) for parts in every)
        total = 0.0
        for i in range(passes):  # all processes make as many, some on rows that count for nothing
            rows, weight = (own[i], 1.0) if i < len(own) else (step[:1], 0.0)
            batch = collate(rows, self._filler, self._device, self._shares)
            with disable_input_dtype_casting(self.learner.model, self._autocasts):
                lost = self._learner(**batch)
                loss = (lost * lost.new_tensor([weight * share[r.kind] for r in rows])).sum()
            self._crew.backward(loss)
            total += float(loss.detach())
        return total

    def _halve(self, step: Step) -> None:
        """Make the parts of a step smaller, or give up where one row alone is too much."""
        used = max(len(p) * len(p[-1].ids) for p in cut_step(step, self.tokens))
        alone = all(len(p) == 1 for p in cut_step(step, self.tokens))
        if self._crew.size > 1 or alone:
            raise DoesNotFit(
                f"memory ran out on a part of {used} tokens that cannot be made smaller; "
                "ANNOTUNE_TRAIN_GRADIENT_CHECKPOINTING=1 or ANNOTUNE_TRAIN_QUANTIZE=nf4 needs less"
            )
        self.tokens = max(1, min(self.tokens, used) // 2)
        log.warning("memory ran out; going on with parts of %d tokens", self.tokens)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _keep(self, step: int) -> None:
        moments = self._optimiser.state
        tensors = {n: whole(p) for n, p in self._names.items()}
        for name, p in self._names.items():
            tensors |= {f"{name}|{m}": whole(moments[p][m]) for m in MOMENTS if p in moments}
        if self._crew.rank == 0:
            c = self._course
            found = c.begun.temperatures, c.begun.right
            self._keeper.keep(Stand(self._plan, c.stage, step, self.tokens, *found), tensors)

    def _resume(self) -> int:
        found = self._keeper.last()
        if found is None or found[0].plan != self._plan:
            return 0
        stand, tensors = found
        with torch.no_grad():
            for name, p in self._names.items():
                p.copy_(like(tensors[name], p))
                kept = {m: tensors.get(f"{name}|{m}") for m in MOMENTS}
                self._optimiser.state[p] = {
                    m: t if m == "step" else like(t, p) for m, t in kept.items() if t is not None
                }
        self.tokens = stand.tokens
        log.info("going on from step %d of %d", stand.step, len(self._course.steps))
        return stand.step
