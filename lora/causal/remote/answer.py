"""Rows answered by the server: the same prompts, readers and calibration as by our own engine.

Likelihoods: an option is sent after the prompt, and its tokens' log p added up. Each option costs a
pass there; servers that keep what prompts begin with alike (vLLM, llama.cpp) read that once.
Everything else is decoded, under a grammar where the server takes one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from label_config.values import Inputs
from lora.answer import Answer
from lora.base import Base
from lora.causal.answer import Limits, Row, best, take
from lora.causal.decode import Decoded
from lora.causal.kinds import kind_of
from lora.causal.prompt import Ask, Chat, asks, room_for
from lora.causal.remote.adapters import Adapters, Remote
from lora.causal.remote.client import Client
from lora.causal.remote.dialect import body, grammar_fields
from lora.causal.remote.probe import Abilities
from lora.causal.remote.read import Completed
from lora.causal.tokens import SPACE
from lora.errors import EngineDown, Refused
from lora.lane import note_failure
from lora.loaded import Loaded

UNKNOWN = 0.5  # the score of an answer whose server tells no log-probabilities
SURE_S = 1.0  # so long it is believed that a server still serves what it listed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prompt:
    """What is sent of an ask, and how many tokens the base's tokenizer has for it."""

    text: str
    tokens: int


class RemoteAnswerer:
    """Any thread may call it."""

    def __init__(
        self,
        base: Base,
        client: Client,
        adapters: Adapters,
        abilities: Abilities,
        limits: Limits | None = None,
    ) -> None:
        self.base, self.client, self.abilities = base, client, abilities
        self._adapters = adapters
        self._limits = limits or Limits()
        self._chat = Chat(base.tokenizer)
        self._context = min(base.max_tokens, abilities.context or base.max_tokens)
        self._room = room_for(self._context, base.hidden)
        self._stop = [] if self._chat.end == base.tokenizer.eos_token else [self._chat.end]
        self._batched = client.server.kind == "vllm"
        self._sure: tuple[str, float] = ("", -math.inf)
        self._lock = threading.Lock()
        self.refused = 0  # rows, since the start

    def answer(self, loaded: Loaded, rows: Sequence[Inputs]) -> list[Answer | None]:
        """Answer each row, in order, all by one version; None where the server refused one.
        Raises EngineDown."""
        self._check(_model(loaded))
        return [self._answer(loaded, row) for row in rows]

    def likelihoods(
        self, loaded: Loaded, rows: Sequence[Inputs]
    ) -> Iterator[tuple[str, Mapping[str, float]]]:
        """As Answerer.likelihoods; raises EngineDown or Refused."""
        for inputs in rows:
            for ask in asks(self._chat, loaded.schema, inputs, self._room):
                if kind_of(ask.control).way == "score":
                    table = self._score(loaded, ask).tolist()
                    values = (o.value for o in ask.options)
                    yield ask.control.name, dict(zip(values, table, strict=True))

    def _answer(self, loaded: Loaded, inputs: Inputs) -> Answer | None:
        row = Row(loaded)
        try:
            for ask in asks(self._chat, loaded.schema, inputs, self._room):
                if kind_of(ask.control).way == "score":
                    said = best(loaded, ask, self._score(loaded, ask))
                    row.said.setdefault(ask.control.name, []).append(said)
                else:
                    row.open += 1
                    take(row, ask)(self._decode(loaded, ask))
            return row.answer()
        except EngineDown:
            raise
        except Refused as error:  # its message may quote the text
            log.error("the inference server refused a row (HTTP %d)", error.status)
            with self._lock:
                self.refused += 1
        except Exception as error:  # no text may cost more than itself
            note_failure(error)
        self.client.alive()  # not the row's fault, if it is not
        return None

    def _score(self, loaded: Loaded, ask: Ask) -> torch.Tensor:
        """Log p of each option but for what all of them share, which no calibration looks at."""
        prompt = self._prompt(ask)
        end = self._chat.end if loaded.tensors.adapts else ""
        texts = [f"{prompt.text}{SPACE}{o.words}{end}" for o in ask.options]
        sizes = [self._sizes(text, len(prompt.text)) for text in texts]
        groups = [texts] if self._batched else [[text] for text in texts]
        found: list[float] = []
        for group in groups:
            made = self._ask(loaded, group if self._batched else group[0], 1, self._limits.seconds)
            mine = sizes[len(found) : len(found) + len(group)]
            found += _sums(made, mine, self.abilities.extra)
        return torch.tensor(found)

    def _decode(self, loaded: Loaded, ask: Ask) -> Decoded:
        kind, prompt = kind_of(ask.control), self._prompt(ask)
        room = self._context - prompt.tokens - self.abilities.extra
        most = max(1, min(kind.most_tokens(ask), self._limits.tokens, room))
        fields = grammar_fields(self.abilities.grammar, kind.grammar(ask))
        if self.abilities.confidence:
            fields["logprobs"] = 1
        if self._stop:
            fields["stop"] = self._stop
        began = time.monotonic()
        try:
            made = self._ask(loaded, prompt.text, most, self._limits.seconds, **fields)
        except TimeoutError:
            log.warning("an answer took longer than %.0f s", time.monotonic() - began)
            return Decoded("", 0.0, 0, "time")
        (said,) = made.said
        text = said.text.partition(self._chat.end)[0].lstrip(SPACE)
        score = _confidence(said.logprobs) if self.abilities.confidence else UNKNOWN
        return Decoded(text, score, 0, "length" if said.why == "length" else "end")

    def _ask(
        self, loaded: Loaded, prompt: str | Sequence[str], most: int, seconds: float, **fields: Any
    ) -> Completed:
        made = body(self.client.server.kind, _model(loaded), prompt, most)
        if not fields:  # likelihoods
            fields = {"echo": True, "logprobs": 1}
        try:
            return self.client.complete(made | fields, seconds)
        except Refused as error:
            if error.status != 404 or not self._adapters.restore(_model(loaded)):
                raise
        return self.client.complete(made | fields, seconds)

    def _prompt(self, ask: Ask) -> Prompt:
        text = ask.shared + ask.lead.removesuffix(SPACE)
        return Prompt(text.removeprefix(self.abilities.begin), self._chat.count(text))

    def _sizes(self, text: str, boundary: int) -> tuple[int, int]:
        """How many tokens a text has, and how many of them reach beyond `boundary`."""
        places = self.base.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ends = [end for _, end in places["offset_mapping"]]
        first = next((i for i, end in enumerate(ends) if end > boundary), len(ends))
        return len(ends), len(ends) - first

    def _check(self, model: str) -> None:
        """Refuse to go on with a server that was started anew with another model: one that holds
        a single model answers with that, whatever it is asked for."""
        known, when = self._sure
        if self.client.server.kind == "vllm" or (
            known == model and time.monotonic() - when < SURE_S
        ):
            return
        listed = self.client.alive()
        if model not in listed and model != self.client.server.model:
            raise EngineDown(f"the inference server serves {sorted(listed)[:5]}, no more {model!r}")
        self._sure = (model, time.monotonic())


def _model(loaded: Loaded) -> str:
    assert isinstance(loaded.tensors, Remote)  # nosec B101  # for mypy and the reader
    return loaded.tensors.model


def _sums(made: Completed, sizes: Sequence[tuple[int, int]], extra: int) -> Iterator[float]:
    """The log p of the last tokens of each prompt; raises Refused where the server has cut a
    prompt otherwise than we have."""
    wanted = sum(total + extra for total, _ in sizes)
    if made.prompt_tokens not in (None, wanted):
        raise Refused(f"{made.prompt_tokens} tokens were read where we have {wanted}")
    for said, (_, last) in zip(made.said, sizes, strict=True):
        told = list(said.logprobs or ())
        told = told[: len(told) - (made.said_tokens or 0) // len(sizes)]
        mine = told[len(told) - last :]
        if len(mine) != last or any(p is None or math.isnan(p) for p in mine):
            raise Refused(f"{len(mine)} log-probabilities came where {last} were asked for")
        yield math.fsum(p for p in mine if p is not None)


def _confidence(logprobs: Sequence[float | None] | None) -> float:
    known = [p for p in logprobs or () if p is not None]
    return math.exp(sum(known) / len(known)) if known else UNKNOWN
