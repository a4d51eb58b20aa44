"""The same question answered in two ways, on the same rows and in the same run: likelihoods by one
tree or label by label, spans decoded under a grammar or freely."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.causal_speed import naive
from label_config.controls import Schema
from label_config.values import Choice, Example, Region
from lora.causal.answer import Limits
from lora.causal.ask import Ask
from lora.causal.chat import Chat
from lora.causal.decode import Decoded, Decoder, Job, end_ids
from lora.causal.grammar import grammars
from lora.causal.kinds import kind_of
from lora.causal.network import CausalNetwork
from lora.causal.prompt import asks, room_for
from lora.causal.score import score
from lora.causal.tokens import answer_ids
from lora.evaluate import evaluate
from lora.forms.form import unit
from lora.loaded import Loaded

CHUNK = 64
PATIENCE = 3600.0


def _asked(network: CausalNetwork, loaded: Loaded, e: Example) -> list[Ask]:
    chat = Chat(network.base.tokenizer)
    room = room_for(network.base.max_tokens, network.base.hidden)
    return asks(chat, loaded.schema, e.inputs, room)


def scoring(network: CausalNetwork, loaded: Loaded, test: Sequence[Example]) -> dict[str, Any]:
    """Row by row, one after the other in turn: CPU seconds of each, and whether they agree. Raw
    likelihoods; `calibrated` is what would be answered."""
    network.activate(loaded, loaded.tensors)
    seconds = {"tree": 0.0, "naive": 0.0}
    right = {"tree": 0, "naive": 0, "calibrated": 0}
    alike, furthest, count = 0, 0.0, 0
    for i, e in enumerate(test):
        gold = next(r.labels[0] for r in e.answers if isinstance(r, Choice))
        (ask,) = _asked(network, loaded, e)
        tables = {}
        for way in sorted(seconds, reverse=bool(i % 2)):
            began = time.process_time()
            (tables[way],) = (score if way == "tree" else naive)(network, [ask], "")
            seconds[way] += time.process_time() - began
        values = [o.value for o in ask.options]
        chances = loaded.calibration[ask.control.name].chances(tables["tree"], values)
        for way, table in [*tables.items(), ("calibrated", chances)]:
            right[way] += values[int(table.argmax())] == gold
        alike += int(tables["tree"].argmax() == tables["naive"].argmax())
        furthest = max(furthest, float((tables["tree"] - tables["naive"]).abs().max()))
        count = len(values)
    rows = len(test)
    return {
        "labels": count,
        "same": alike / rows,
        "furthest_nats": round(furthest, 3),
        "accuracy": {way: round(n / rows, 4) for way, n in right.items()},
        "s_a_text": {way: round(s / rows, 4) for way, s in seconds.items()},
    }


def decoding(
    network: CausalNetwork, loaded: Loaded, schema: Schema, test: Sequence[Example]
) -> dict[str, Any]:
    """With and without a grammar, some rows at a time in turn, in CPU seconds. `valid`: the share
    of answers that the grammar takes whole; `cut`: of those that were ended by their length."""
    asked = [(i, ask) for i, e in enumerate(test) for ask in _asked(network, loaded, e)]
    said: dict[str, dict[int, Decoded]] = {"constrained": {}, "free": {}}
    seconds = dict.fromkeys(said, 0.0)
    for turn, first in enumerate(range(0, len(asked), CHUNK)):
        some = range(first, min(first + CHUNK, len(asked)))
        for way in sorted(said, reverse=bool(turn % 2)):
            began = time.process_time()
            jobs = {n: asked[n][1] for n in some}
            said[way] |= _decoded(network, loaded, jobs, way == "constrained")
            seconds[way] += time.process_time() - began
    found: dict[str, Any] = {}
    for way, answers in said.items():
        got: list[list[Region]] = [[] for _ in test]
        for n, (i, ask) in enumerate(asked):
            got[i] += _read(ask, answers[n])
        gold = [e.answers for e in test]
        (control,) = evaluate(schema, gold, [tuple(g) for g in got]).controls.values()
        whole = [accepted(network, ask, answers[n]) for n, (_, ask) in enumerate(asked)]
        found[way] = {
            control.metric: round(control.value, 4),
            "valid": round(sum(whole) / len(whole), 4),
            "cut": round(sum(d.why == "length" for d in answers.values()) / len(whole), 4),
            "s_a_text": round(seconds[way] / len(test), 4),
            "tokens": sum(d.tokens for d in answers.values()),
        }
    return found


def _decoded(
    network: CausalNetwork, loaded: Loaded, asked: Mapping[int, Ask], bound: bool
) -> dict[int, Decoded]:
    found: dict[int, Decoded] = {}
    decoder = Decoder(network, Chat(network.base.tokenizer).end)
    until = time.monotonic() + PATIENCE
    for n, ask in asked.items():
        kind = kind_of(ask.control)
        grammar = kind.grammar(ask) if bound else None
        most = min(kind.most_tokens(ask), Limits().tokens)

        def take(said: Decoded, n: int = n) -> None:
            found[n] = said

        decoder.add(Job(loaded, ask.shared, ask.lead, grammar, most, until, take))
    decoder.run()
    return found


def _read(ask: Ask, said: Decoded) -> list[Region]:
    """As the server reads it: of an answer that was cut, the whole lines."""
    text = said.text if said.why == "end" else said.text.rpartition("\n")[0]
    return kind_of(ask.control).read(ask, text, unit(said.score))


def accepted(network: CausalNetwork, ask: Ask, said: Decoded) -> bool:
    """Whether an answer is one that the grammar allows, from its first token to its end."""
    grammar = kind_of(ask.control).grammar(ask)
    if said.why != "end" or grammar is None:
        return said.why == "end"
    tokenizer = network.base.tokenizer
    end = end_ids(network, Chat(tokenizer).end)[0]
    size = int(network.model.get_output_embeddings().weight.shape[0])
    matcher = grammars(tokenizer, size, end).matcher(grammar)
    tokens = answer_ids(tokenizer, said.text, "")
    for i, token in enumerate(tokens):
        if not bool(matcher.allowed()[token]):
            return False
        if not matcher.take(token):
            return i == len(tokens) - 1  # it ended here of itself
    return bool(matcher.allowed()[end])
