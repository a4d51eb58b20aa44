"""Tiny random causal bases, with tokenizers built as those kinds' are, and adapters for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    trainers,
)
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from lora.base import Base, as_base
from lora.recipe import Source
from tests.lora.made import WORDS

START, END = "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CORPUS = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))]
SIZE = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL = {**SIZE, "num_key_value_heads": 2, "intermediate_size": 128, "initializer_range": 0.3}


def byte_chat(template: bool = True) -> PreTrainedTokenizerFast:
    """Byte-level BPE as SmolLM2's and Qwen's, with a ChatML template (or none)."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|endoftext|>",
        eos_token=END if template else "<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        chat_template=CHATML if template else None,
    )


def sentence_chat() -> PreTrainedTokenizerFast:
    """SentencePiece's BPE as Llama 2's: a space before whatever a text begins with, unknown
    characters as bytes, no template."""
    special = ["<unk>", "<s>", "</s>"]
    space = pre_tokenizers.Metaspace(prepend_scheme="first")
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = space
    trainer = trainers.BpeTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    learned.train_from_iterator([*CORPUS, ": a b:\n c"], trainer)
    found = json.loads(learned.to_str())["model"]
    pieces = [*found["vocab"], *(f"<0x{i:02X}>" for i in range(256))]
    merges = [tuple(pair) for pair in found["merges"]]
    raw = Tokenizer(
        models.BPE(
            {p: i for i, p in enumerate(pieces)}, merges, unk_token="<unk>", byte_fallback=True
        )
    )
    raw.pre_tokenizer = space
    raw.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    raw.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def _llama(**ids: Any) -> LlamaConfig:
    return LlamaConfig(max_position_embeddings=512, tie_word_embeddings=True, **SMALL, **ids)


def _qwen(**ids: Any) -> Qwen2Config:
    return Qwen2Config(max_position_embeddings=512, tie_word_embeddings=False, **SMALL, **ids)


def _gemma(**ids: Any) -> Gemma3TextConfig:
    """As Gemma 3: layers that see all and layers that see the last tokens only."""
    return Gemma3TextConfig(
        max_position_embeddings=512,
        head_dim=16,
        sliding_window=24,
        layer_types=["sliding_attention", "full_attention"],
        final_logit_softcapping=8.0,
        tie_word_embeddings=False,
        **SMALL,
        **ids,
    )


def _gpt2(**ids: Any) -> GPT2Config:
    """As GPT-2: learned positions, no grouped heads, no linear layers of torch's own."""
    return GPT2Config(n_positions=512, n_embd=64, n_layer=2, n_head=4, initializer_range=0.3, **ids)


CAUSAL: dict[str, Callable[..., Any]] = {
    "llama": _llama,
    "qwen2": _qwen,
    "gemma3": _gemma,
    "gpt2": _gpt2,
}


def causal_base(
    name: str = "llama", folder: Path | None = None, tokenizer: Any = None, seed: int = 0
) -> Base:
    """A random causal base in float32; written into `folder` too where one is given."""
    tokenizer = tokenizer or byte_chat()
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CAUSAL[name](**ids)).eval()
    if folder is not None:
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
    source = Source(name, f"annotune/{name}", Path("nowhere"))
    return as_base(source, (name * 64)[:64], tokenizer, model, "causal")


def causal_tensors(base: Base, seed: int, rank: int = 4, size: float = 1.0) -> dict[str, Any]:
    """Random LoRA matrices on every linear layer of the stack, by PEFT's names."""
    draw = torch.Generator().manual_seed(seed)
    found: dict[str, torch.Tensor] = {}
    for name, layer in base.model.named_modules():
        if isinstance(layer, torch.nn.Linear) and ".layers." in name:
            a = torch.randn(rank, layer.in_features, generator=draw) / layer.in_features**0.5
            b = torch.randn(layer.out_features, rank, generator=draw) * size / rank
            at = f"base_model.model.{name}"
            found |= {f"{at}.lora_A.weight": a, f"{at}.lora_B.weight": b}
    return found


def write_causal(folder: Path, base: Base, seed: int, rank: int = 4, rslora: bool = False) -> None:
    """An adapter as PEFT stores it, of random numbers."""
    tensors = causal_tensors(base, seed, rank)
    save_file(tensors, folder / "adapter_model.safetensors")
    targets = sorted({k.removeprefix("base_model.model.").rpartition(".lora_")[0] for k in tensors})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": 2 * rank,
        "use_rslora": rslora,
        "target_modules": targets,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
