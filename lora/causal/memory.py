"""How much memory a training will need, asked before it starts, from the base's config alone.

Counted on a model without weights ("meta" tensors), so a base of any size is looked at in a second.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lora.base import bf16_is_fast
from lora.errors import BaseUnavailable, LoraError
from lora.hardware import free_memory
from lora.targets import lora_targets
from settings import Train

LONGEST = 2048  # tokens of a row that must fit; longer ones are rare, and halve the batch at worst
MOST_TOKENS = {"cpu": 2048, "cuda": 8192}  # of one forward and backward pass

NF4_BYTES = 0.516  # of a weight: half a byte, and its block's scale
LEARNED_BYTES = 16  # of a LoRA weight: itself, its gradient and AdamW's two moments in float32
WIDTHS, INNER = 20, 8
"""Bytes that a token keeps for the backward pass, of each block: WIDTHS x hidden + INNER x the
feed-forward's width (22,745 bytes counted on SmolLM2-135M under bf16: hidden 576, inner 1,536)."""
PASSING = 1.3  # what comes and goes during a pass, beside what is kept
LOGIT_BYTES, ANSWER = 14, 0.25  # of an answer token's logits; the share of tokens that are answers
RUNTIME = 700_000_000  # Python, torch and its kernels


class DoesNotFit(LoraError):
    """A training needs more memory than there is; the message has the numbers and the remedy."""


@dataclass(frozen=True)
class Facts:
    """A base's size. `linear`: weights of the blocks' linear layers, which NF4 makes small;
    `other`: all others; `learned`: LoRA's weights at rank 1."""

    linear: int
    other: int
    learned: int
    hidden: int
    inner: int
    blocks: int
    vocabulary: int


@dataclass(frozen=True)
class Need:
    """Bytes that a training needs: whatever it does, and for each token of a pass."""

    fixed: int
    token: int

    def tokens(self, free: int) -> int:
        """How many tokens of one pass fit into so many bytes."""
        return max(0, free - self.fixed) // self.token


def facts_of(folder: Path) -> Facts:
    """A base's size by its config.json; raises BaseUnavailable when it is no causal model's."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)  # nosec B615  # a local folder
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, KeyError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BaseUnavailable(f"{folder} cannot be measured: {first[:300]}") from error
    return measure(model)


def measure(model: Any) -> Facts:
    """The size of a model that is not quantised."""
    targets = [model.get_submodule(n) for n in lora_targets(model)]
    linear = sum(m.weight.numel() for m in targets)
    config = model.config.get_text_config()
    return Facts(
        linear=linear,
        other=sum(p.numel() for p in model.parameters()) - linear,
        learned=sum(m.in_features + m.out_features for m in targets),
        hidden=int(config.hidden_size),
        inner=int(getattr(config, "intermediate_size", 0) or 4 * config.hidden_size),
        blocks=int(config.num_hidden_layers),
        vocabulary=int(config.vocab_size),
    )


def need(facts: Facts, settings: Train, device: str) -> Need:
    """What a training of a base of this size needs on one device."""
    wide = 2 if bf16_is_fast(device) else 4
    linear = facts.linear * (NF4_BYTES if settings.quantize == "nf4" else wide)
    if settings.variant == "pissa":
        linear *= 2  # a copy without the part that it starts from
    learned = facts.learned * settings.rank * LEARNED_BYTES
    fixed = (linear + facts.other * wide) / settings.gpus + learned + RUNTIME
    block = (WIDTHS * facts.hidden + INNER * facts.inner) * PASSING * wide / 2
    kept = block * facts.blocks
    if settings.gradient_checkpointing:  # each block's input, and one block at a time
        kept = facts.blocks * facts.hidden * wide + 2 * block
    logits = ANSWER * facts.vocabulary * LOGIT_BYTES
    return Need(int(fixed), int(kept + logits))


def free_bytes(device: str) -> int:
    """Memory that this process may still take."""
    if device != "cpu":
        return int(torch.cuda.mem_get_info()[0])
    return free_memory()


def tokens_that_fit(facts: Facts, settings: Train, device: str, free: int, room: int) -> int:
    """Tokens of one pass; raises DoesNotFit when not even one row of `room` tokens fits."""
    longest = min(LONGEST, room)
    fit = need(facts, settings, device).tokens(free)
    if fit >= longest:
        return min(fit, max(longest, MOST_TOKENS.get(device, MOST_TOKENS["cuda"])))
    wanted = need(facts, settings, device)
    raise DoesNotFit(
        f"base {settings.base!r} needs {_gb(wanted.fixed)} and {_gb(wanted.token * longest)} for a "
        f"row of {longest} tokens, of {_gb(free)} that are free; "
        f"{_remedy(facts, settings, device, free, longest)}"
    )


def _remedy(facts: Facts, settings: Train, device: str, free: int, longest: int) -> str:
    """The first setting, from the cheapest on, that makes it fit."""
    remedies = {
        "ANNOTUNE_TRAIN_GRADIENT_CHECKPOINTING=1": replace(settings, gradient_checkpointing=True),
        "ANNOTUNE_TRAIN_QUANTIZE=nf4": replace(settings, quantize="nf4", variant="lora"),
        "ANNOTUNE_TRAIN_QUANTIZE=nf4 with ANNOTUNE_TRAIN_GRADIENT_CHECKPOINTING=1": replace(
            settings, quantize="nf4", variant="lora", gradient_checkpointing=True
        ),
    }
    for words, other in remedies.items():
        wanted = need(facts, other, device)
        if other != settings and wanted.tokens(free) >= longest:
            return f"{words} would make it fit ({_gb(wanted.fixed + wanted.token * longest)})"
    return (
        "no setting makes it fit here: take a smaller base, a device with more memory, or more"
        + (" GPUs (ANNOTUNE_TRAIN_GPUS)" if device != "cpu" else " of it")
    )


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
