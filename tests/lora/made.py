"""Things the tests of this room make: a tiny encoder, adapters of random numbers, examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from label_config import Choice, Example, Span
from label_config.controls import Schema
from lora.adapter import Manifest
from lora.base import Base
from lora.forms import form_of
from lora.forms.number import FACTS
from lora.heads import Head, save_heads

WORDS = (
    "play stop buy sell paint red blue green song album coat boat small big the a my me please "
    "now tomorrow music order colour wall house thing some more un"
).split()
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]

CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="what" toName="t">
  <Choice value="play"/><Choice value="buy"/><Choice value="paint"/>
</Choices>
<Labels name="parts" toName="t"><Label value="thing"/><Label value="colour"/></Labels></View>"""

MakeVersion = Callable[..., Manifest]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of our own few words and all letters, built as BERT's is."""
    pieces = [*SPECIAL, *WORDS, *LETTERS, *(f"##{c}" for c in LETTERS)]
    vocabulary = {w: i for i, w in enumerate(dict.fromkeys(pieces))}
    raw = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=raw, **special)


def tiny_model(vocabulary: int, max_tokens: int = 32) -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=max_tokens,
        initializer_range=0.2,
    )
    return BertModel(config, add_pooling_layer=False)


def tensors_of(base: Base, seed: int, rank: int = 4, size: float = 0.3) -> dict[str, torch.Tensor]:
    """Random LoRA matrices on every linear layer of the encoder's blocks, by PEFT's names."""
    draw = torch.Generator().manual_seed(seed)
    found: dict[str, torch.Tensor] = {}
    for name, weight in base.model.named_parameters():
        if weight.dim() == 2 and "encoder.layer" in name:
            at = "base_model.model." + name.removesuffix(".weight")
            rows, columns = weight.shape
            a = torch.randn(rank, columns, generator=draw) / columns**0.5
            b = torch.randn(rows, rank, generator=draw) * size / rank
            found |= {f"{at}.lora_A.weight": a, f"{at}.lora_B.weight": b}
    return found


def heads_of(base: Base, schema: Schema, seed: int) -> dict[str, Head]:
    draw = torch.Generator().manual_seed(1000 + seed)
    heads: dict[str, Head] = {}
    for c in schema.controls:
        shapes = form_of(c).shapes(c, base.hidden)
        weight, bias = (torch.randn(shape, generator=draw) for shape in shapes)
        facts = dict.fromkeys(FACTS, 1.0) if c.form == "number" else {}
        heads[c.name] = Head(c, weight, bias, True, facts)
    return heads


def write_files(folder: Path, base: Base, schema: Schema, seed: int, rank: int = 4) -> None:
    """An adapter's files as training leaves them, of random numbers."""
    save_file(tensors_of(base, seed, rank), folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(
        f'{{"peft_type": "LORA", "r": {rank}, "lora_alpha": {2 * rank}}}'
    )
    (folder / "README.md").write_text("# a test's adapter\n")
    save_heads(folder, heads_of(base, schema, seed))


def example(
    number: int, text: str, what: str | None, *spans: tuple[str, str], side: str = "train"
) -> Example:
    """A human example on CONFIG; spans are named by the words they cover."""
    answers: list[Choice | Span] = [Choice("what", "t", (what,))] if what else []
    for words, label in spans:
        start = text.index(words)
        answers.append(Span("parts", "t", start, start + len(words), words, (label,)))
    made = Example(f"e{number:03d}", number, f"g{number}", "train", {"text": text}, tuple(answers))
    return replace(made, side="holdout") if side == "holdout" else made
