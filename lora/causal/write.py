"""A local causal base as a generator: it goes on from prompts, freely, with no adapter on it.

Prompts are answered in batches whose make-up and seed follow from the prompts alone, so a run that
was killed and goes on where it stopped writes the same as one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from lora.base import Base
from lora.causal.chat import Chat
from lora.network import pad

BATCH = 16
TEMPERATURE, TOP_P = 0.9, 0.95


class Asked(Protocol):
    """What is to be gone on from (augment.values.Prompt)."""

    @property
    def text(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def stop(self) -> tuple[str, ...]: ...

    @property
    def most_tokens(self) -> int: ...


@dataclass(frozen=True)
class Writer:
    """Samples with `temperature` from the likeliest tokens that make up `top_p`."""

    base: Base
    temperature: float = TEMPERATURE
    top_p: float = TOP_P

    batch = BATCH
    """Prompts answered at once; ask with whole batches and their answers are always the same."""

    @property
    def name(self) -> str:
        """Who writes, and how: another name writes otherwise."""
        how = f"t{self.temperature:g} p{self.top_p:g}"
        return f"{self.base.name} {self.base.revision[:12]} {how}"

    def __call__(self, prompts: Sequence[Asked]) -> Iterator[str | None]:
        """What it writes after each, in order, up to a stop; None for a prompt that leaves no room
        in the base's context."""
        for i in range(0, len(prompts), self.batch):
            yield from self._some(prompts[i : i + self.batch])

    def _some(self, prompts: Sequence[Asked]) -> list[str | None]:
        tokenizer = self.base.tokenizer
        chat = Chat(tokenizer)
        ids = [_ids(tokenizer, chat.plain(p.text)) for p in prompts]
        room = self.base.max_tokens
        fits = [i for i, p in enumerate(prompts) if len(ids[i]) + p.most_tokens <= room]
        found: list[str | None] = [None] * len(prompts)
        if not fits:
            return found
        said = self._sampled([ids[i] for i in fits], [prompts[i] for i in fits])
        for i, text in zip(fits, said, strict=True):
            found[i] = until(text, prompts[i].stop)
        return found

    def _sampled(self, ids: Sequence[tuple[int, ...]], prompts: Sequence[Asked]) -> list[str]:
        tokenizer, model = self.base.tokenizer, self.base.model
        filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        turned = pad([row[::-1] for row in ids], filler)  # prompts end together: padded in front
        inputs = {k: v.flip(1).to(model.device) for k, v in turned.items()}
        torch.manual_seed(_seed(prompts))
        stops = sorted({s for p in prompts for s in p.stop})
        asked: dict[str, Any] = {"stop_strings": stops, "tokenizer": tokenizer} if stops else {}
        with torch.inference_mode():
            out = model.generate(
                **inputs,
                **asked,
                do_sample=True,
                temperature=self.temperature,
                top_p=self.top_p,
                top_k=0,
                max_new_tokens=max(p.most_tokens for p in prompts),
                pad_token_id=filler,
            )
        new = out[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = tokenizer.batch_decode(new, skip_special_tokens=True)
        return texts


def _ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, split_special_tokens=True)["input_ids"])


def _seed(prompts: Sequence[Asked]) -> int:
    text = "\n\n".join(f"{p.seed}:{p.text}" for p in prompts)
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:15], 16)


def until(text: str, stops: Sequence[str]) -> str:
    """The text before the first of the stops; leading space is the prompt's."""
    text = text.lstrip(" ")
    ends = [at for s in stops if (at := text.find(s)) >= 0]
    return text[: min(ends)] if ends else text
