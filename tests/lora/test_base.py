"""A base is the one that was pinned, or it is not loaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import lora.base
from lora.base import Base, as_base, base_kind, bf16_is_fast, load_base
from lora.errors import BaseUnavailable
from lora.recipe import WEIGHTS, Source, find_source
from lora.windows import read_pieces
from tests.lora.causal.made import causal_base
from tests.lora.made import tiny_model, tiny_tokenizer


def test_a_local_folder_is_loaded_frozen_and_without_dropout(tiny_folder: Path) -> None:
    base = load_base(str(tiny_folder))
    assert (base.hidden, base.max_tokens) == (32, 32)
    assert not base.model.training
    assert not any(p.requires_grad for p in base.model.parameters())
    assert base.revision == find_source(str(tiny_folder)).revision()


def test_weights_that_are_not_the_pinned_ones_are_refused(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = replace(find_source(str(tiny_folder)), pinned="0" * 64)
    monkeypatch.setattr(lora.base, "find_source", lambda name: source)
    with pytest.raises(BaseUnavailable, match="pinned is 000000000000"):
        load_base("minilm")


def test_weights_that_are_cut_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(tiny_folder, folder)
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(BaseUnavailable, match="cannot be loaded"):
        load_base(str(folder))


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(BaseUnavailable, match="no fast tokenizer"):
        as_base(Source("x", "x", Path("x")), "0" * 64, Slow(), tiny_model(99))


def test_a_tokenizer_that_cuts_by_itself_is_told_not_to() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(4)
    source = Source("x", "x", Path("x"))
    base = as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))
    assert len(read_pieces(base, "play the red song now please").ids) == 6


@pytest.mark.model
def test_the_bundled_base_is_the_pinned_upstream_one(minilm: Base) -> None:
    assert minilm.upstream == "sentence-transformers/all-MiniLM-L6-v2"
    assert (minilm.hidden, minilm.max_tokens) == (384, 256)
    assert minilm.model.dtype == torch.float32


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, "encoder"),
        ({"model_type": "bert"}, "encoder"),
        ({"model_type": "modernbert", "architectures": ["ModernBertForMaskedLM"]}, "encoder"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "causal"),
        ({"model_type": "llama", "architectures": ["LlamaModel"]}, "causal"),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, "causal"),
        ({"model_type": "bert", "architectures": ["BertLMHeadModel"]}, "causal"),
    ],
)
def test_encoder_or_causal_is_read_from_the_config(
    tmp_path: Path, config: dict[str, object], kind: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert base_kind(Source("x", "x", tmp_path)) == kind


def test_a_base_that_is_none_is_refused_with_the_reason(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(tiny_folder, folder)
    for changed, why in (
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, "do not belong together"),
        ({"is_encoder_decoder": True, "model_type": "t5"}, "encoder-decoder"),
        ({"model_type": "never-heard-of"}, "cannot be loaded"),
    ):
        (folder / "config.json").write_text(json.dumps(changed))
        with pytest.raises(BaseUnavailable, match=why):
            load_base(str(folder))


def test_a_folder_without_a_config_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_folder / WEIGHTS, tmp_path)
    with pytest.raises(BaseUnavailable, match="config.json cannot be read"):
        load_base(str(tmp_path))


def test_code_that_comes_with_a_base_is_never_run(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(tiny_folder, folder)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: ...\n")
    config = {
        "model_type": "evil",
        "auto_map": {a: "evil.Evil" for a in ("AutoConfig", "AutoModel")},
    }
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BaseUnavailable, match="cannot be loaded"):
        load_base(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_causal_folder_is_loaded_with_its_head(tmp_path: Path) -> None:
    causal_base("llama", tmp_path)
    base = load_base(str(tmp_path))
    assert (base.kind, base.hidden, base.max_tokens, base.quantize) == ("causal", 64, 512, "")
    assert base.model.dtype == (torch.bfloat16 if bf16_is_fast("cpu") else torch.float32)
    assert base.model.get_output_embeddings() is not None
    assert not any(p.requires_grad for p in base.model.parameters())
