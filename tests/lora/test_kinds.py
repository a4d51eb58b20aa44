"""Any BERT-like encoder is trained, saved, loaded and served, and computes what PEFT computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from label_config import Example
from label_config.controls import Schema
from lora.answer import answer
from lora.base import Base, load_base
from lora.fit import fit, write_adapter
from lora.loaded import LORA, open_folder, ready
from lora.network import Network, pad, share
from lora.targets import lora_targets
from lora.weights import Mode
from lora.windows import cut, read_pieces
from settings import Train
from tests.lora.kinds import KINDS, kind_of

TEXTS = ["play the red song", "buy a coat", "paint the wall blue now please", "stop", "sell " * 40]
ODD = "play the  red\tsong,\r\nple\u0301ase \U0001f44d now"


@pytest.fixture(params=sorted(KINDS))
def base(request: pytest.FixtureRequest) -> Base:
    return kind_of(request.param)


def vectors(network: Network, texts: list[str]) -> torch.Tensor:
    return torch.stack([e.vector for e in network.encode(texts)])


def test_every_linear_layer_of_the_blocks_is_a_target_and_nothing_else(base: Base) -> None:
    targets = lora_targets(base.model)
    layers = {"modernbert": 8, "albert": 6}.get(base.name, 12)  # ALBERT's blocks share theirs
    assert len(targets) == layers
    assert not [t for t in targets if "embed" in t or "pooler" in t or "mapping" in t]
    assert all(isinstance(base.model.get_submodule(t), torch.nn.Linear) for t in targets)


def test_a_text_is_encoded_the_same_alone_and_among_others(base: Base) -> None:
    network = Network(base)
    alone = torch.stack([network.encode([t])[0].vector for t in TEXTS])
    assert torch.allclose(vectors(network, TEXTS), alone, atol=1e-5)


def test_a_window_is_what_the_tokenizer_itself_would_give(base: Base) -> None:
    text = "play the red song"
    (window,) = cut(base, read_pieces(base, text))
    assert list(window.ids) == base.tokenizer(text)["input_ids"]


def test_pieces_lie_on_their_text_without_the_space_around(base: Base) -> None:
    places = read_pieces(base, ODD).places
    covered = [ODD[a:b] for a, b in places]
    assert covered == [piece.strip() for piece in covered]
    signs = {i for a, b in places for i in range(a, b)}
    assert signs == {i for i, sign in enumerate(ODD) if not sign.isspace()}


def test_no_window_is_longer_than_the_encoder_can_take(base: Base) -> None:
    windows = cut(base, read_pieces(base, "play the red song now " * 60))
    longest = max(len(w.ids) for w in windows)
    assert base.max_tokens - 8 < longest <= base.max_tokens
    network = Network(base)
    (encoded,) = network.encode(["play the red song now " * 60])
    assert torch.isfinite(encoded.vector).all()


def test_half_precision_gives_nearly_the_same_vectors(base: Base) -> None:
    full, half = Network(base), Network(base, Mode(dtype=torch.bfloat16))
    assert torch.allclose(vectors(full, TEXTS), vectors(half, TEXTS), atol=0.05)
    assert vectors(half, TEXTS).dtype == torch.float32


@pytest.mark.model
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_it_trains_is_saved_and_serves_what_peft_computes(
    base: Base, schema: Schema, examples: list[Example], tmp_path: Path
) -> None:
    rows = [e for e in examples if e.side == "train"]
    write_adapter(tmp_path, fit(base, schema, rows, [], Train(steps=3, rank=4)))
    merged, beside = Network(base), Network(base, Mode(merged=False))
    opened = [open_folder(n, tmp_path, "v", schema.digest) for n in (merged, beside)]
    names = {n.removesuffix(".weight") for n in opened[0].tensors.merged}
    assert names == set(lora_targets(base.model))

    peft = PeftModel.from_pretrained(share(base.model), tmp_path).eval()
    inputs = pad([base.tokenizer(t)["input_ids"] for t in TEXTS[:3]], base.tokenizer.pad_token_id)
    merged.activate(1, opened[0].tensors)
    beside.activate(1, opened[1].tensors)
    with torch.inference_mode():
        want, one, two, cold = (
            m(**inputs).last_hidden_state[inputs["attention_mask"].bool()]
            for m in (peft, merged.model, beside.model, base.model)
        )
    assert torch.allclose(one, want, atol=2e-4) and torch.allclose(two, want, atol=2e-4)
    assert not torch.allclose(one, cold, atol=1e-3)
    rows_in = [e.inputs for e in rows[:4]]
    said = [
        [a.regions for a in answer(n, ready(n, o, schema), rows_in)]
        for n, o in zip((merged, beside), opened, strict=True)
    ]
    assert [[r.labels for r in row] for row in said[0]] == [  # type: ignore[union-attr]
        [r.labels for r in row]  # type: ignore[union-attr]
        for row in said[1]
    ]
    assert (tmp_path / LORA).is_file()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_folder_of_each_kind_is_loaded_by_name(name: str, tmp_path: Path) -> None:
    base = kind_of(name, tmp_path)
    loaded = load_base(str(tmp_path))
    network, again = Network(base), Network(loaded)
    assert torch.allclose(vectors(network, TEXTS), vectors(again, TEXTS), atol=1e-5)
    assert loaded.max_tokens == base.max_tokens
