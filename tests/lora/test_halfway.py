"""Heads meet a regression on the adapted encoder halfway, where they take one label of a list."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from label_config import Example
from label_config.controls import Schema
from lora.base import Base
from lora.examples import chosen
from lora.halfway import meet_halfway
from lora.network import Network
from lora.start import FROZEN_STRENGTH, logistic
from tests.lora.made import heads_of, tensors_of


def test_the_mean_of_head_and_regression_on_the_adapted_encoder(
    tiny: Base, schema: Schema, examples: list[Example]
) -> None:
    tensors, heads = tensors_of(tiny, 3), heads_of(tiny, schema, 1)
    head = heads["what"]
    rows = [(e.texts["text"], p[0]) for e in examples if (p := chosen(head.control, e))]
    network = Network(tiny)
    network.activate("on", tensors)
    vectors = torch.stack([e.vector for e in network.encode([t for t, _ in rows])]).double()
    labels = np.array([k for _, k in rows])
    assert set(labels) == {0, 1, 2}
    _, weight, bias = logistic(vectors.numpy(), labels, np.ones(len(labels)), FROZEN_STRENGTH)

    (found,) = meet_halfway(tiny, tensors, heads, examples).items()
    assert found[0] == "what"
    own = vectors @ head.weight.double().T + head.bias.double()
    other = vectors @ torch.tensor(weight).T + torch.tensor(bias)
    mean = torch.log_softmax((own + other) / 2, -1)
    said = torch.log_softmax(vectors @ found[1][0].double().T + found[1][1].double(), -1)
    torch.testing.assert_close(said, mean, atol=1e-4, rtol=0)


def test_a_label_without_an_answer_keeps_its_row_and_its_distance(
    tiny: Base, schema: Schema, examples: list[Example]
) -> None:
    heads = heads_of(tiny, schema, 1)
    head = heads["what"]
    some = [e for e in examples if chosen(head.control, e) != (2,)]
    weight, bias = meet_halfway(tiny, tensors_of(tiny, 3), heads, some)["what"]
    assert torch.equal(weight[2], head.weight[2])
    left = bias[2] - bias[:2].mean()
    torch.testing.assert_close(left, head.bias[2] - head.bias[:2].mean())


@pytest.mark.parametrize("what", ["untrained", "one answer", "several labels", "own options"])
def test_what_has_no_flat_list_or_no_answers_stays(
    tiny: Base, schema: Schema, examples: list[Example], what: str
) -> None:
    head = heads_of(tiny, schema, 1)["what"]
    rows = (
        [e for e in examples if chosen(head.control, e) == (0,)]
        if what == "one answer"
        else examples
    )
    if what == "untrained":
        head = replace(head, trained=False)
    if what == "several labels":
        head = replace(head, control=replace(head.control, multiple=True))
    if what == "own options":
        head = replace(head, control=replace(head.control, options="options"))
    assert meet_halfway(tiny, tensors_of(tiny, 3), {"what": head}, rows) == {}
