"""A version of a causal base made ready: no heads, but what calibrates its likelihoods.

A trained version brings its temperatures. The cold start looks at a few texts of the pool: what an
option gains whatever the text says is taken off again (batch calibration, Zhou et al. 2023,
arXiv:2309.17249).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import torch

from label_config.controls import Schema
from label_config.values import Inputs
from lora.causal.answer import Answerer
from lora.causal.calibrate import Calibration, batch_calibration
from lora.causal.network import CausalNetwork
from lora.loaded import Loaded, Opened, Pool, cold_name, served_name
from lora.network import Tree

SEEN = 100  # texts of the pool that a cold start looks at...
FEW = 24  # ...where labels are MANY, whose likelihoods take longer
MANY = 40

Likelihoods = Callable[[Loaded, Sequence[Inputs]], Iterable[tuple[str, Mapping[str, float]]]]
"""Answerer.likelihoods."""


def ready_causal(
    network: Tree,
    opened: Opened | None,
    schema: Schema,
    pool: Pool = (),
    cold: str | None = None,
) -> Loaded:
    """Turn an adapter (None: the cold start) to a schema; labels go by their words, so a config
    that changed needs nothing more."""
    assert isinstance(network, CausalNetwork)  # nosec B101  # for mypy and the reader
    served = schema.served_by("causal")
    if opened is not None:
        name = served_name(opened.version, opened.trained_on, schema)
        return Loaded(name, served, opened.tensors, {}, opened.calibration)
    made = Loaded(cold or cold_name(schema, pool), served, network.prepare({}), {})
    return replace(made, calibration=calibrations(Answerer(network).likelihoods, made, pool))


def is_finite(network: Tree) -> bool:
    """Whether the active adapter leaves the model with numbers."""
    assert isinstance(network, CausalNetwork)  # nosec B101  # for mypy and the reader
    ids = torch.tensor([[1, 2]], device=network.device) % network.config.vocab_size
    places = torch.arange(2, device=network.device).unsqueeze(0)
    visible = torch.ones(1, 2, 2, dtype=torch.bool, device=network.device).tril()
    states = network.states(ids, places, visible, places)
    return bool(torch.isfinite(network.logits(states[0])).all())


def calibrations(
    likelihoods: Likelihoods, loaded: Loaded, pool: Pool, slow: bool = False
) -> Mapping[str, Calibration]:
    """By control what a cold start takes off again. `slow`: a few texts must do."""
    most = max((len(c.labels) for c in loaded.schema.controls), default=0)
    some = [Inputs(texts) for texts in pool[: FEW if slow or most > MANY else SEEN]]
    tables: dict[str, list[Mapping[str, float]]] = {}
    for name, table in likelihoods(loaded, some):
        tables.setdefault(name, []).append(table)
    return {name: _calibration(seen) for name, seen in tables.items()}


def _calibration(seen: Sequence[Mapping[str, float]]) -> Calibration:
    values = sorted({value for table in seen for value in table})
    same = [t for t in seen if len(t) == len(values)]
    if len(same) < 2:  # options that come with the tasks: nothing is known of them beforehand
        return Calibration()
    return batch_calibration(values, torch.tensor([[t[v] for v in values] for t in same]))
