"""The base model: the one encoder that every adapter of this program sits on.

Loaded once per process from local safetensors, checked against a pin, and then never changed: the
networks that carry LoRA share its weights (lora/network.py). If a quantised base ever comes, this
is the one file that may import bitsandbytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer

from lora.adapter import file_digest
from lora.errors import BaseUnavailable
from lora.recipe import Source, find_source

WINDOW = 256  # word pieces; what all-MiniLM-L6-v2 was trained to pool over


@dataclass(frozen=True)
class Base:
    """A loaded encoder. `revision` is the SHA-256 of its weights; `max_tokens` one window's size,
    special tokens included."""

    name: str
    upstream: str
    revision: str
    tokenizer: Any
    model: Any
    hidden: int
    max_tokens: int


def pick_device(device: str) -> str:
    """`auto` -> cuda where there is one, else cpu."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def load_base(name: str, *, threads: int | None = None, device: str = "cpu") -> Base:
    """Load a base by its bundled name or from a local folder, on `device`, ready to infer.

    `threads`: CPU threads of the whole process. Raises BaseUnavailable when the base is not there,
    its weights are not the pinned ones, or it has no fast tokenizer (offsets come from that).
    """
    if threads:
        torch.set_num_threads(threads)
    source = find_source(name)
    revision = file_digest(source.weights)
    if source.pinned and revision != source.pinned:
        raise BaseUnavailable(
            f"{source.weights} has SHA-256 {revision[:12]}..., pinned is {source.pinned[:12]}...; "
            "reinstall the package from a source you trust"
        )
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.folder, local_files_only=True)
        model = AutoModel.from_pretrained(
            source.folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BaseUnavailable(f"base {name!r} cannot be loaded: {_first_line(error)}") from error
    return as_base(source, revision, tokenizer, model.to(pick_device(device)))


def as_base(source: Source, revision: str, tokenizer: Any, model: Any) -> Base:
    """A Base from its parts, frozen; raises BaseUnavailable when the tokenizer is a slow one."""
    if not getattr(tokenizer, "is_fast", False):
        raise BaseUnavailable(f"base {source.name!r} has no fast tokenizer, so no exact offsets")
    tokenizer.backend_tokenizer.no_truncation()  # windows are cut in lora/windows.py
    tokenizer.backend_tokenizer.no_padding()
    model.eval().requires_grad_(False)
    model.name_or_path = source.upstream  # an adapter's config names this, not a path of ours
    room = int(getattr(model.config, "max_position_embeddings", WINDOW) or WINDOW)
    return Base(
        name=source.name,
        upstream=source.upstream,
        revision=revision,
        tokenizer=tokenizer,
        model=model,
        hidden=int(model.config.hidden_size),
        max_tokens=min(WINDOW, room),
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
