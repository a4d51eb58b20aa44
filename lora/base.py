"""The base model: the encoder or the causal model that adapters of this program sit on.

Loaded once per process from local safetensors, checked against a pin, and then never changed: the
networks that carry LoRA share its weights (lora/network.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import torch
import transformers
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from lora.bundled import converted
from lora.errors import BaseUnavailable
from lora.recipe import Source, find_source

WINDOW = 256  # word pieces; what all-MiniLM-L6-v2 was trained to pool over
CONTEXT = 4096  # tokens of a causal base's prompt and answer; bounds the memory of its cache
PADDED = {"roberta", "xlm-roberta", "camembert", "roberta-prelayernorm", "mpnet", "longformer"}
"""Kinds that count positions from the padding id + 1 on, so that those before are lost."""

PLACE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}

Kind = Literal["encoder", "causal"]


@dataclass(frozen=True)
class Base:
    """A loaded model. `revision` names its weights (SHA-256, or the hub's commit); `max_tokens` is
    one window's size, special tokens included; of a causal base, what prompt and answer share.
    `quantize`: "nf4" where its linear layers hold 4 bits a weight, else empty."""

    name: str
    upstream: str
    revision: str
    tokenizer: Any
    model: Any
    hidden: int
    max_tokens: int
    kind: Kind = "encoder"
    quantize: str = ""


def pick_device(device: str) -> str:
    """`auto` -> cuda where there is one, else cpu."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def load_base(
    name: str, *, threads: int | None = None, device: str = "cpu", quantize: str = ""
) -> Base:
    """Load a base by its name (lora/recipe.py) on `device`, ready to infer.

    `threads`: CPU threads of the whole process. `quantize`: "nf4" for a causal base with 4 bits a
    weight. An encoder is float32; a causal base bf16 where the processor is fast at it. Raises
    BaseUnavailable when the base is not there, its weights are not the pinned ones, they do not
    fill the model, or it has no fast tokenizer (offsets come from that).
    """
    if threads:
        torch.set_num_threads(threads)
    source, revision = _pinned_source(name)
    transformers.utils.logging.disable_progress_bar()
    try:
        source = converted(source)
        kind = base_kind(source)
        tokenizer = AutoTokenizer.from_pretrained(source.folder, **PLACE)  # nosec B615  # a local folder
        model = _model(source, kind, pick_device(device), quantize)
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise BaseUnavailable(f"base {name!r} cannot be loaded: {_first_line(error)}") from error
    return as_base(source, revision, tokenizer, model, kind, quantize)


def load_reader(name: str) -> Base:
    """A causal base without its weights, which another process holds: `model` is None.

    Raises BaseUnavailable as load_base does.
    """
    source, revision = _pinned_source(name)
    try:
        source = converted(source)
        kind = base_kind(source)
        tokenizer = AutoTokenizer.from_pretrained(source.folder, **PLACE)  # nosec B615  # a local folder
        config = AutoConfig.from_pretrained(source.folder, **PLACE).get_text_config(decoder=True)  # nosec B615  # a local folder
    except (OSError, ValueError, ImportError) as error:
        raise BaseUnavailable(f"base {name!r} cannot be read: {_first_line(error)}") from error
    _check_fast(source, tokenizer)
    return Base(
        name=source.name,
        upstream=source.upstream,
        revision=revision,
        tokenizer=tokenizer,
        model=None,
        hidden=int(config.hidden_size),
        max_tokens=min(CONTEXT, _room(config, kind)),
        kind=kind,
    )


def _pinned_source(name: str) -> tuple[Source, str]:
    """Where a base lies, and what names its weights; refuses those that are not as pinned."""
    source = find_source(name)
    revision = source.commit or source.digest()
    if source.pinned and revision != source.pinned:
        raise BaseUnavailable(
            f"{source.weights[0]} has SHA-256 {revision[:12]}..., pinned is "
            f"{source.pinned[:12]}...; reinstall the package from a source you trust"
        )
    return source, revision


def _model(source: Source, kind: Kind, device: str, quantize: str) -> Any:
    if kind == "encoder":
        if quantize:
            raise BaseUnavailable(f"base {source.name!r} is an encoder; only causal ones quantise")
        model = AutoModel.from_pretrained(  # nosec B615  # a local folder
            source.folder, use_safetensors=True, dtype=torch.float32, **PLACE
        )
        return model.to(device)
    _check_kin(source)
    how: dict[str, Any] = {"dtype": torch.bfloat16 if bf16_is_fast(device) else torch.float32}
    if quantize:
        from lora.nf4 import settings  # here: it imports bitsandbytes, which takes a second

        how |= {"quantization_config": settings(quantize, how["dtype"]), "device_map": device}
    model, info = AutoModelForCausalLM.from_pretrained(  # nosec B615  # a local folder
        source.folder, use_safetensors=True, output_loading_info=True, **how, **PLACE
    )
    if missing := sorted(info["missing_keys"]):
        raise _unlike(source, missing)
    return model if quantize else model.to(device)


def _check_kin(source: Source) -> None:
    """Refuse weights of another kind than the config's before room is made for the model."""
    config = AutoConfig.from_pretrained(source.folder, **PLACE)  # nosec B615  # a local folder
    with torch.device("meta"):
        wanted = list(AutoModelForCausalLM.from_config(config).state_dict())
    for path in source.weights:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
        if any(w == n or w.endswith(f".{n}") for n in names[:8] for w in wanted):
            return
    raise _unlike(source, wanted)


def _unlike(source: Source, missing: list[str]) -> BaseUnavailable:
    return BaseUnavailable(
        f"base {source.name!r} has no weights for {len(missing)} parts of its model, "
        f"{missing[0]!r} the first; its weights and its config.json do not belong together"
    )


def base_kind(source: Source) -> Kind:
    """Encoder or causal, read from config.json alone; raises BaseUnavailable when it is neither."""
    path = source.folder / "config.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        named = [str(a) for a in raw.get("architectures") or []]
        kind = str(raw.get("model_type", ""))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BaseUnavailable(f"{path} cannot be read: {_first_line(error)}") from error
    if raw.get("is_encoder_decoder"):
        raise BaseUnavailable(
            f"base {source.name!r} is an encoder-decoder ({kind}); a plain encoder would do"
        )
    if any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in named):
        return "causal"
    only_causal = (
        kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    )
    return "causal" if only_causal else "encoder"


def as_base(
    source: Source,
    revision: str,
    tokenizer: Any,
    model: Any,
    kind: Kind = "encoder",
    quantize: str = "",
) -> Base:
    """A Base from its parts, frozen; raises BaseUnavailable when the tokenizer is a slow one."""
    _check_fast(source, tokenizer)
    model.eval().requires_grad_(False)
    model.name_or_path = source.upstream  # an adapter's config names this, not a path of ours
    return Base(
        name=source.name,
        upstream=source.upstream,
        revision=revision,
        tokenizer=tokenizer,
        model=model,
        hidden=int(model.config.hidden_size),
        max_tokens=min(WINDOW if kind == "encoder" else CONTEXT, _room(model.config, kind)),
        kind=kind,
        quantize=quantize,
    )


def _check_fast(source: Source, tokenizer: Any) -> None:
    if not getattr(tokenizer, "is_fast", False):
        raise BaseUnavailable(f"base {source.name!r} has no fast tokenizer, so no exact offsets")
    tokenizer.backend_tokenizer.no_truncation()  # windows are cut in lora/windows.py
    tokenizer.backend_tokenizer.no_padding()


def _room(config: Any, kind: Kind) -> int:
    """Positions a text may have. A config without such a number has relative positions only."""
    room = int(getattr(config, "max_position_embeddings", 0) or CONTEXT)
    if kind == "encoder" and config.model_type in PADDED:
        room -= int(config.pad_token_id or 0) + 1
    return room


def bf16_is_fast(device: str) -> bool:
    """Whether this processor multiplies bf16 natively."""
    if device != "cpu":
        return torch.cuda.is_bf16_supported()  # type: ignore[no-any-return]
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
