"""The serving causal model: states where they are asked for, and log-probabilities of few of them.

The model's own forward is not used: it would compute the head of every token, which is most of the
memory, and in a shape for which torch copies the whole head for each row of a batch (measured:
../shared/reference/models.md). Masks and positions are given, so that a pass may hold a tree of
continuations, or rows that have come to different lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import DynamicCache

from lora.base import Base
from lora.causal.kv import Past, Prefix, Stored
from lora.errors import BaseUnavailable
from lora.network import LowRank, Tree
from lora.weights import Mode

SLIDING, FULL = "sliding_attention", "full_attention"
FLOATS = 8  # rows of logits that are float32 at once
CLOSE = 2e-2  # of the largest logit: our head against the model's own


class CausalNetwork(Tree):
    """A causal model with one active adapter. Not thread-safe: one thread owns it."""

    def __init__(self, base: Base, mode: Mode | None = None, *, plain: Any = None) -> None:
        super().__init__(base, mode, plain=plain)
        self.config = self.model.config.get_text_config(decoder=True)
        self._kinds = _attention_kinds(base, self.config)
        self.layers = len(DynamicCache(config=self.config).layers)
        self.remembered: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._stack = self.model.base_model
        self._head = self.model.get_output_embeddings()
        if plain is None:
            self._probe()

    @property
    def active(self) -> object:
        """The key of the active adapter."""
        return self._active

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Of states, keys and values."""
        return self.model.get_input_embeddings().weight.dtype

    def states(
        self,
        ids: torch.Tensor,
        places: torch.Tensor,
        visible: torch.Tensor,
        reach: torch.Tensor,
        past: Past | None = None,
    ) -> torch.Tensor:
        """Last hidden states [rows, tokens, hidden] of `ids` [rows, tokens] at positions `places`.

        `visible` [rows, tokens, keys]: what each token sees of what `past` holds and brings;
        `reach` [rows, keys]: the keys' positions, for bases that look back only so far.
        """
        with torch.inference_mode():
            return self._stack(
                input_ids=ids,
                position_ids=places,
                attention_mask=self._masks(visible, places, reach),
                past_key_values=past,
                use_cache=past is not None,
            ).last_hidden_state

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Float32 logits [n, vocabulary] of states [n, hidden]."""
        with torch.inference_mode():
            return self._logits(states).float()

    def chances(
        self, states: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """Float32 log p of each of `tokens` after the state in `rows`, its place in `states`.

        Few logits at a time become float32: as a whole they would leave the processor's caches.
        """
        with torch.inference_mode():
            made = self._logits(states)
            whole = [torch.logsumexp(some.float(), dim=-1) for some in made.split(FLOATS)]
            return made[rows, tokens].float() - torch.cat(whole)[rows]

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self._head(states)
        if scale := getattr(self.config, "logits_scaling", None):
            made = made / scale
        if scale := getattr(self.config, "logit_scale", None):
            made = made * scale
        if most := getattr(self.config, "final_logit_softcapping", None):
            made = most * torch.tanh(made / most)
        return made

    def prefix(self, ids: Sequence[int], start: Prefix | None = None) -> Prefix:
        """Keys and values of the first tokens of prompts, going on from `start`."""
        known = len(start.ids) if start else 0
        stored = [Stored(*pair) for pair in start.layers] if start else None
        past = Past(stored or [Stored() for _ in range(self.layers)], keep=True)
        places = torch.arange(known, len(ids), device=self.device).unsqueeze(0)
        reach = torch.arange(len(ids), device=self.device).unsqueeze(0)
        visible = reach.unsqueeze(1) <= places.unsqueeze(2)
        more = torch.tensor([list(ids[known:])], device=self.device)
        self.states(more, places, visible, reach, past)
        return Prefix(tuple(ids), tuple((s.keys[0], s.values[0]) for s in past.layers))

    def _masks(self, visible: torch.Tensor, places: torch.Tensor, reach: torch.Tensor) -> Any:
        made: dict[str, torch.Tensor] = {}
        for kind in sorted(set(self._kinds)):
            see = visible
            if kind == SLIDING:
                back = places.unsqueeze(2) - reach.unsqueeze(1)
                see = visible & (back < self.config.sliding_window)
            added = torch.zeros(see.shape, dtype=self.dtype, device=see.device)
            added.masked_fill_(~see, torch.finfo(self.dtype).min)
            made[kind] = added.unsqueeze(1)
        return made if len(made) > 1 else next(iter(made.values()))

    def _own(self) -> Any:
        if not self.base.quantize:
            return super()._own()
        from lora.nf4 import for_serving  # here: it imports bitsandbytes, which takes a second

        return for_serving(super()._own())

    def _low_rank(self, layer: Any) -> type | None:
        if self.base.quantize:
            from lora.nf4 import LowRank4, is_four_bit

            if is_four_bit(layer):
                return LowRank4
        return LowRank if type(layer) is torch.nn.Linear else None

    def _probe(self) -> None:
        """Refuse a base whose logits are made in a way that is not known here."""
        ids = torch.tensor([[1, 2, 3, 4]], device=self.device) % self.config.vocab_size
        reach = torch.arange(4, device=self.device).unsqueeze(0)
        mine = self.logits(self.states(ids, reach, _causal(4, self.device), reach)[0])
        with torch.inference_mode():
            want = self.model(input_ids=ids, use_cache=False).logits[0].float()
        if (mine - want).abs().max() > CLOSE * want.abs().max():
            raise BaseUnavailable(
                f"base {self.base.name!r} ({self.config.model_type}) computes its answers in a way "
                "that is not known here; a Llama, Qwen, Mistral, Gemma or SmolLM would do"
            )


def _causal(size: int, device: torch.device) -> torch.Tensor:
    return torch.ones(1, size, size, dtype=torch.bool, device=device).tril()


def _attention_kinds(base: Base, config: Any) -> list[str]:
    """Of each layer: whether it looks back as far as there is text, or only so far."""
    kinds = list(getattr(config, "layer_types", None) or [])
    if not kinds:
        kinds = [SLIDING if getattr(config, "sliding_window", None) else FULL]
    if odd := sorted(set(kinds) - {SLIDING, FULL}):
        raise BaseUnavailable(
            f"base {base.name!r} has layers of {odd[0]!r}; those with attention over all or the "
            "last tokens are served"
        )
    return kinds
