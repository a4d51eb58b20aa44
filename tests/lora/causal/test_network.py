"""One causal network, one adapter at a time, and exactly what PEFT itself would compute."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from lora.base import Base
from lora.causal.network import FLOATS, CausalNetwork
from lora.errors import BaseUnavailable
from lora.network import share
from lora.weights import Mode, scale_of
from tests.lora.causal.made import CAUSAL, causal_base, causal_tensors, write_causal

IDS = torch.tensor([[5, 9, 40, 77, 120, 8]])


def logits(network: CausalNetwork) -> torch.Tensor:
    places = torch.arange(IDS.shape[1]).unsqueeze(0)
    visible = torch.ones(1, 6, 6, dtype=torch.bool).tril()
    return network.logits(network.states(IDS, places, visible, places)[0])


@pytest.mark.parametrize("name", CAUSAL)
def test_no_adapter_is_the_plain_base(name: str) -> None:
    base = causal_base(name)
    network = CausalNetwork(base)
    network.activate("cold", {})
    with torch.inference_mode():
        want = base.model(IDS).logits[0]
    assert torch.allclose(logits(network), want, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("merged", [False, True])
def test_an_adapter_computes_what_peft_computes(
    llama: Base, tmp_path: Path, merged: bool, rslora: bool
) -> None:
    write_causal(tmp_path, llama, seed=1, rslora=rslora)
    peft = PeftModel.from_pretrained(share(llama.model), tmp_path).eval()
    network = CausalNetwork(llama, Mode(merged))
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": rslora}
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    network.activate(1, network.prepare(tensors, scale_of(config)))
    with torch.inference_mode():
        want, cold = peft(input_ids=IDS).logits[0], llama.model(IDS).logits[0]
    assert torch.allclose(logits(network), want, atol=1e-3)
    assert not torch.allclose(want, cold, atol=1e-1)


@pytest.mark.parametrize("merged", [False, True])
def test_going_back_and_forth_leaves_no_trace(llama: Base, merged: bool) -> None:
    network = CausalNetwork(llama, Mode(merged))
    seen: dict[str, torch.Tensor] = {}
    adapters = {"cold": {}, "a": causal_tensors(llama, 1), "b": causal_tensors(llama, 2, rank=8)}
    for name in ("cold", "a", "b", "a", "cold", "b", "cold"):
        network.activate(name, adapters[name])
        now = logits(network)
        assert torch.equal(seen.setdefault(name, now), now)
    assert not torch.allclose(seen["a"], seen["b"], atol=1e-2)


def test_twins_share_the_plain_weights_and_nothing_else(llama: Base) -> None:
    one = CausalNetwork(llama, Mode(dtype=torch.bfloat16))
    two = one.twin()
    assert isinstance(two, CausalNetwork)
    places = [{p.data_ptr() for p in n.model.parameters()} for n in (one, two)]
    assert places[0] == places[1]
    before = logits(two)
    one.activate("a", two.prepare(causal_tensors(llama, 1)))
    assert torch.equal(logits(two), before)
    assert not torch.allclose(logits(one), before, atol=1e-2)


def test_the_head_is_never_copied_for_a_batch(llama: Base) -> None:
    """What the model's own forward does: torch expands a frozen head for each row of a batch."""
    from torch.profiler import profile

    network = CausalNetwork(llama)
    states = torch.randn(8, 64)
    with profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as seen:
        network.logits(states)
    head = network.model.get_output_embeddings().weight
    copied = [
        e for e in seen.key_averages(group_by_input_shape=True)
        if e.key in {"aten::copy_", "aten::bmm", "aten::clone"}
        and any(len(s) == 3 and head.shape[0] in s and head.shape[1] in s for s in e.input_shapes)
    ]  # fmt: skip
    assert not copied
    assert "aten::mm" in {e.key for e in seen.key_averages()}


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_chances_are_those_of_all_logits_of_which_few_are_float32_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = CausalNetwork(causal_base(name))
    states = torch.randn(2 * FLOATS + 3, 64)
    rows, tokens = torch.tensor([0, 0, 18, 7, 8]), torch.tensor([1, 2, 3, 300, 5])
    want = network.logits(states).log_softmax(-1)[rows, tokens]
    seen: list[int] = []
    whole = torch.logsumexp
    monkeypatch.setattr(torch, "logsumexp", lambda x, dim: seen.append(len(x)) or whole(x, dim))
    assert torch.allclose(network.chances(states, rows, tokens), want, atol=1e-5)
    assert seen == [FLOATS, FLOATS, 3]


def test_a_base_with_an_answer_of_its_own_kind_is_refused() -> None:
    base = causal_base("gemma3")
    forward = base.model.forward
    base.model.forward = lambda **given: _doubled(forward(**given))
    with pytest.raises(BaseUnavailable, match="not known here"):
        CausalNetwork(base)


def _doubled(out: object) -> object:
    out.logits = out.logits * 2  # type: ignore[attr-defined]
    return out


def test_layers_of_an_unknown_kind_are_refused() -> None:
    base = causal_base("qwen2")
    base.model.config.layer_types = ["full_attention", "chunked_attention"]
    with pytest.raises(BaseUnavailable, match="chunked_attention"):
        CausalNetwork(base)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"peft_type": "IA3", "r": 4, "lora_alpha": 8}, "IA3"),
        ({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_dora": True}, "DoRA"),
        ({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "rank_pattern": {"x": 2}}, "rank_pattern"),
        ({"peft_type": "LORA", "r": 0, "lora_alpha": 8}, "numbers"),
        ({"peft_type": "LORA"}, "numbers"),
    ],
)
def test_an_adapter_that_is_no_plain_lora_is_refused(config: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        scale_of(config)
