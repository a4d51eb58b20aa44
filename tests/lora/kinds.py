"""Tiny random encoders of every kind we know, with tokenizers built as those kinds' are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from lora.base import Base, as_base
from lora.recipe import Source
from tests.lora.made import WORDS, tiny_tokenizer

CORPUS = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))]
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def byte_tokenizer(roberta: bool) -> PreTrainedTokenizerFast:
    """Byte-level BPE as RoBERTa's (offsets trimmed) or ModernBERT's (offsets with the space)."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(CORPUS, trainer)
    if roberta:
        raw.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    else:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return _fast(raw, "<s>", "</s>", "<pad>", "<unk>")


def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """SentencePiece's unigram as DeBERTa v3's and ALBERT's: offsets with the space before."""
    special = ["<pad>", "[CLS]", "[SEP]", "<unk>"]
    raw = Tokenizer(models.Unigram())
    raw.normalizer = normalizers.NFKC()
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    raw.train_from_iterator(CORPUS, trainer)
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return _fast(raw, "[CLS]", "[SEP]", "<pad>", "<unk>")


def _fast(raw: Tokenizer, cls: str, sep: str, pad: str, unk: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, cls_token=cls, sep_token=sep, pad_token=pad, unk_token=unk
    )


def _deberta(**size: Any) -> DebertaV2Config:
    """As DeBERTa v3: relative positions in buckets, shared keys, a norm on them."""
    return DebertaV2Config(
        intermediate_size=64,
        relative_attention=True,
        position_buckets=8,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
        max_position_embeddings=32,
        **size,
    )


def _modern(**size: Any) -> ModernBertConfig:
    return ModernBertConfig(
        intermediate_size=48,
        max_position_embeddings=64,
        local_attention=8,
        global_attn_every_n_layers=2,
        **size,
    )


def _distil(hidden_size: int, num_hidden_layers: int, num_attention_heads: int, **size: Any) -> Any:
    return DistilBertConfig(
        dim=hidden_size,
        n_layers=num_hidden_layers,
        n_heads=num_attention_heads,
        hidden_dim=64,
        max_position_embeddings=32,
        **size,
    )


def _plain(config: type) -> Callable[..., Any]:
    return lambda **size: config(intermediate_size=64, max_position_embeddings=34, **size)


KINDS: dict[str, tuple[Callable[[], PreTrainedTokenizerFast], Callable[..., Any]]] = {
    "bert": (tiny_tokenizer, _plain(BertConfig)),
    "roberta": (lambda: byte_tokenizer(True), _plain(RobertaConfig)),
    "xlm-roberta": (unigram_tokenizer, _plain(XLMRobertaConfig)),
    "deberta-v2": (unigram_tokenizer, _deberta),
    "modernbert": (lambda: byte_tokenizer(False), _modern),
    "distilbert": (tiny_tokenizer, _distil),
    "albert": (
        unigram_tokenizer,
        lambda **size: AlbertConfig(
            embedding_size=16, intermediate_size=64, max_position_embeddings=34, **size
        ),
    ),
}


def kind_of(name: str, folder: Path | None = None) -> Base:
    """A random base of a kind; written into `folder` too where one is given."""
    make_tokenizer, make_config = KINDS[name]
    tokenizer = make_tokenizer()
    ids = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "cls_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
    }
    torch.manual_seed(0)
    with warnings.catch_warnings():  # DeBERTa's module asks for torch.jit as it is imported
        warnings.simplefilter("ignore", DeprecationWarning)
        model = AutoModel.from_config(make_config(initializer_range=0.2, **SIZE, **ids)).eval()
    if folder is not None:
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
    return as_base(Source(name, f"annotune/{name}", Path("nowhere")), name * 8, tokenizer, model)
