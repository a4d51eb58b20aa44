"""Likelihoods read from what llama-cpp-python's server really said are those of our own engine.

It has no wheels, so it is not in our lock; captures/record.py writes the recording anew.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from lora.base import load_base
from lora.causal.network import CausalNetwork
from lora.causal.remote.adapters import Adapters
from lora.causal.remote.answer import RemoteAnswerer
from lora.causal.remote.client import Client, Server
from lora.causal.remote.probe import Abilities
from lora.causal.score import score
from lora.weights import Mode
from tests.lora.causal.remote.recorded import ASK, HERE, cold_of

pytestmark = pytest.mark.model

RECORDED = json.loads(HERE.read_text(encoding="utf-8"))


class Replayed(Client):
    """Answers what was recorded to the very request it was recorded of."""

    def _once(self, method: str, path: str, body: Any, timeout_s: float) -> bytes:
        found = [c["answer"] for c in RECORDED["calls"] if (c["path"], c["body"]) == (path, body)]
        assert found, f"not recorded: {body}"
        return json.dumps(found[0]).encode()


def test_the_recorded_likelihoods_are_ours() -> None:
    """But for rounding: its sums have 8 bits where ours are floats."""
    base = load_base("smollm", threads=1)
    net = CausalNetwork(base, Mode(dtype=torch.float32))
    net.activate("plain", {})
    (ours,) = score(net, [ASK], "")
    client = Replayed(Server("http://recorded", kind="llama-cpp-python"))
    answerer = RemoteAnswerer(base, client, Adapters(client), Abilities(grammar="gbnf"))
    theirs = answerer._score(cold_of(RECORDED["model"], base), ASK)
    gap = (ours - theirs).mean()
    assert torch.allclose(theirs + gap, ours, atol=0.15) and abs(gap) < 0.3
    assert ours.argsort().tolist() == theirs.argsort().tolist()


def test_it_was_found_to_return_likelihoods_that_agree_with_what_it_says() -> None:
    assert RECORDED["found"] == {"likelihoods": True, "grammar": "gbnf"}
