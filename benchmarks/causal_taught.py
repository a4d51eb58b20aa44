"""Likelihoods of 7 and 77 labels as they are served: before any adapter, and with one.

Part of `python -m benchmarks.causal_speed`. The adapter learns BANKING77's labels from 100 train
rows by the program's own fit; what it costs depends on how sure it is, so random numbers will not
do. Processor time; the project's prompt is known from the text before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from benchmarks import report
from benchmarks.data import Split, as_examples, load_split
from label_config import Inputs
from lora.base import Base, load_base
from lora.causal.answer import Answerer
from lora.causal.ask import Ask
from lora.causal.calibrate import Calibration
from lora.causal.chat import Chat
from lora.causal.fit import fit_causal
from lora.causal.network import CausalNetwork
from lora.causal.prompt import asks
from lora.loaded import Loaded
from lora.weights import pick_mode
from settings import Train

ROWS = 100  # that the adapter learns from
EVERY = 11  # of the 77 labels, which leaves 7


def taught(name: str, texts: int, repeats: int, steps: int = 0) -> dict[str, Any]:
    """Seconds a text, and ratios of 77 labels to 7; `steps`: of the fit, 0 its own number."""
    split = load_split("banking77")
    base = load_base(name, threads=1)
    network = CausalNetwork(base, pick_mode(base))
    schema = split.schema.served_by("causal")
    cold = Loaded("cold", schema, network.prepare({}), {})
    served = _fitted(base, network, split, cold, steps)
    inputs = [Inputs({"text": r["text"]}) for r in split.train[ROWS :: len(split.train) // texts]]
    answerer = Answerer(network)
    chat = Chat(base.tokenizer)
    asked = [a for i in inputs[:texts] for a in asks(chat, schema, i, answerer.room)]
    few = [replace(a, options=a.options[::EVERY]) for a in asked]
    cases: dict[str, Callable[[], object]] = {}
    for who, loaded in (("no adapter", cold), ("adapter", served)):
        for count, some in ((7, few), (77, asked)):
            cases[f"{count}, {who}"] = _turn(answerer, loaded, some, exact=False)
    cases["77, adapter, each to its end"] = _turn(answerer, served, asked, exact=True)
    seconds = report.interleaved(cases, repeats, clock=time.process_time)
    over = {
        "77 over 7, no adapter": ("77, no adapter", "7, no adapter"),
        "77 over 7, adapter": ("77, adapter", "7, adapter"),
        "77 to their ends over 7, adapter": ("77, adapter, each to its end", "7, adapter"),
    }
    return {
        "texts": len(asked),
        "temperature": served.calibration.get("label", Calibration()).temperature,
        "cpu_s_per_text": {
            n: report.middle([s / len(asked) for s in v]) for n, v in seconds.items()
        },
        "ratios": {n: report.ratio(seconds[a], seconds[b]) for n, (a, b) in over.items()},
        "same_answer": _same(answerer, served, asked),
    }


def _fitted(base: Base, network: CausalNetwork, split: Split, cold: Loaded, steps: int) -> Loaded:
    examples = as_examples(split.train[:: len(split.train) // ROWS][:ROWS], "train")
    settings = Train(base=base.name, steps=steps)
    fitted = fit_causal(load_base(base.name, threads=1), split.schema, examples, [], settings)
    tensors = network.prepare(fitted.plain.tensors)
    return Loaded("adapter", cold.schema, tensors, {}, fitted.calibration)


def _turn(answerer: Answerer, loaded: Loaded, asked: Sequence[Ask], exact: bool) -> Any:
    def go() -> None:
        answerer.network.activate(loaded, loaded.tensors)
        for ask in asked:
            answerer.tables(loaded, [ask], exact=exact)

    return go


def _same(answerer: Answerer, loaded: Loaded, asked: Sequence[Ask]) -> dict[str, float]:
    """Whether the likeliest label is the same either way, and how far its chance moves at most."""
    answerer.network.activate(loaded, loaded.tensors)
    calibration = loaded.calibration.get("label", Calibration())
    same, moved = 0, 0.0
    for ask in asked:
        values = [o.value for o in ask.options]
        one, two = (
            calibration.chances(answerer.tables(loaded, [ask], exact=e)[0], values)
            for e in (True, False)
        )
        same += int(one.argmax() == two.argmax())
        moved = max(moved, float((one.max() - two.max()).abs()))
    return {"likeliest": same / len(asked), "chance_moved_most": round(moved, 4)}
