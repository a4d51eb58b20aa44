"""A snapshot's train rows become an adapter: PEFT LoRA and heads, by transformers.Trainer.

Always fresh from the base (law 3). The holdout is not looked at here.
"""

from __future__ import annotations

import json
import random
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    get_linear_schedule_with_warmup,
)

from label_config.controls import Schema
from label_config.values import Example
from lora.base import Base
from lora.examples import answered_rows, by_origin, weight_of
from lora.halfway import meet_halfway
from lora.heads import Head, save_heads
from lora.learner import Learner, collate
from lora.loaded import LORA_CONFIG
from lora.network import SCALE, share
from lora.plan import Step, count_steps, plan_steps
from lora.prepare import prepare
from lora.pseudo import MANY_ANSWERS
from lora.targets import lora_targets
from settings import Train

After = Callable[[int, int, "float | None"], None]
LOSS_EVERY = 10  # steps whose mean loss is told

LORA_RATE = 1.5e-3
CHOICE_RATE = 2e-3
TAG_RATE = 1e-2
WARM_UP = 0.1
KEPT = 0.5
"""Of what was learned by choices alone, which start near their goal, from more answers than borrow
of the pool: part of the way is better than either end (WiSE-FT, Wortsman et al. 2022,
arXiv:2109.01903); heads then meet a regression halfway (lora/halfway.py). Train rows, 1 / .7 / .5
of it, before heads met: BANKING77 at 10 a label .846 .852 .853 (three fits, 4,000 rows), at 5,000
answers .913 .918 .921 (one), purchase_card at 1,000 .370 .369 .366 (two); after: .847 .853 .856,
.919 .923 .925, .370 .371 .369. With at most 400 answers no set gained by being pulled back
(BANKING77 at 5 a label, purchase_card, mts_notes at 100)."""


@dataclass(frozen=True)
class Fitted:
    """What training made, before it is written down. `notes`: what it decided, in words."""

    encoder: Any
    heads: Mapping[str, Head]
    notes: tuple[str, ...]


def fit(
    base: Base,
    schema: Schema,
    train: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    settings: Train,
    after: After | None = None,
) -> Fitted:
    """Train on `train` rows; raises ValueError when none of them carries an answer.

    `after`: called after a step with how many are done, of how many, and the loss where it is new.

    `pool`: texts by data key without any answer. The numbers in here (rates, shares, the starts)
    were chosen on train rows, mostly SNIPS's, 65 or 100 to learn from and 300 to 800 others to
    judge on (docs/architecture.md).
    """
    torch.manual_seed(settings.seed)
    random.seed(settings.seed)
    np.random.seed(settings.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)  # a GPU lacks some
    human, synthetic = by_origin(train)
    with threadpool_limits(settings.threads):
        made = prepare(base, schema, human, pool, settings.seed)
    rows, beside = (answered_rows(base, schema, some) for some in (human, synthetic))
    count = settings.steps or count_steps(rows)
    weight = weight_of(synthetic, len(human))
    named = made.names, made.borrowed
    steps = plan_steps(rows, *named, count, settings.seed, beside, weight)
    if synthetic:
        made.notes.append(f"{len(synthetic)} synthetic examples together weigh {weight:.2f}")
    learner = Learner(with_lora(base, settings.rank), made.heads)
    train_on(base, learner, steps, settings, after)
    if len(human) > MANY_ANSWERS and all(c.form in {"one", "many"} for c in schema.controls):
        learner.pull_back(KEPT)
        tensors = get_peft_model_state_dict(learner.encoder, save_embedding_layers=False)
        with threadpool_limits(settings.threads):
            learner.set_heads(meet_halfway(base, tensors, learner.heads(), human))
        made.notes.append(f"pulled back to {KEPT:.0%} of what was learned")
    learner.eval()
    return Fitted(learner.encoder, learner.heads(), tuple(made.notes))


def write_adapter(folder: Path, fitted: Fitted) -> None:
    """Write PEFT's own files and the heads; not the manifest, which is the store's."""
    fitted.encoder.save_pretrained(folder, save_embedding_layers=False)  # True asks the hub
    _put_in_order(folder / LORA_CONFIG)
    save_heads(folder, fitted.heads)


def _put_in_order(config: Path) -> None:
    """Write PEFT's config again with its sets sorted: equal recipes shall give equal bytes."""
    raw = json.loads(config.read_text(encoding="utf-8"))
    ordered = {
        k: sorted(v) if isinstance(v, list) and all(isinstance(x, str) for x in v) else v
        for k, v in raw.items()
    }
    config.write_text(json.dumps(ordered, indent=1, sort_keys=True), encoding="utf-8")


def with_lora(base: Base, rank: int) -> Any:
    """A PeftModel on the base's own weights: LoRA on every linear layer of its blocks."""
    targets = lora_targets(base.model)
    config = LoraConfig(r=rank, lora_alpha=int(SCALE * rank), target_modules=targets)
    with warnings.catch_warnings():  # peft asks transformers for a name it is about to rename
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(share(base.model), config)


def train_on(
    base: Base,
    learner: Learner,
    steps: Sequence[Step],
    settings: Train,
    after: After | None = None,
) -> None:
    """Optimise the learner in place over the planned steps, by transformers.Trainer."""
    lora = [p for p in learner.encoder.parameters() if p.requires_grad]
    groups = [{"params": lora, "lr": LORA_RATE}]
    for head, weight, bias in zip(learner.starts, learner.weights, learner.biases, strict=True):
        rate = CHOICE_RATE if head.control.form in {"one", "many"} else TAG_RATE
        groups.append({"params": [weight, bias], "lr": rate})
    optimiser = torch.optim.AdamW(groups, weight_decay=0.0)
    warm = max(1, int(WARM_UP * len(steps)))
    schedule = get_linear_schedule_with_warmup(optimiser, warm, len(steps))
    filler = base.tokenizer.pad_token_id or 0
    starts = learner.starts
    arguments = TrainingArguments(
        output_dir=tempfile.gettempdir(),  # must exist; nothing is saved there
        max_steps=len(steps),
        per_device_train_batch_size=1,  # of planned steps, each a batch of rows
        train_sampling_strategy="sequential",  # the plan is shuffled already
        seed=settings.seed,
        use_cpu=base.model.device.type == "cpu",
        save_strategy="no",
        logging_strategy="steps" if after else "no",
        logging_steps=LOSS_EVERY,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    arguments._n_gpu = 1  # more would be given several planned steps at once (DataParallel)
    trainer = Trainer(
        model=learner,
        args=arguments,
        train_dataset=list(steps),
        data_collator=lambda batch: collate(batch[0], starts, filler),
        optimizers=(optimiser, schedule),
    )
    trainer.remove_callback(PrinterCallback)
    if after:
        trainer.add_callback(_Telling(after))
    trainer.train()


class _Telling(TrainerCallback):  # type: ignore[misc]
    """Passes on how far Trainer is."""

    def __init__(self, after: After) -> None:
        self._after = after

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._after(state.global_step, state.max_steps, None)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in (logs or {}):
            self._after(state.global_step, state.max_steps, float(logs["loss"]))
