"""A base's chat without the base: enough to print a prompt. Loads transformers, no weights."""

from __future__ import annotations

from typing import Any

from lora.causal.chat import Chat
from lora.causal.prompt import Room, room_for
from lora.errors import BaseUnavailable
from lora.recipe import find_source, kind_of


def chat_of(base: str) -> tuple[Chat, Room]:
    """How a causal base writes a conversation, and what its prompts may hold.

    Raises BaseUnavailable where the base is not there or is an encoder, which has no prompts.
    """
    if kind_of(base) != "causal":
        raise BaseUnavailable(
            f"base {base!r} is an encoder and reads no prompt; name a causal base, such as smollm"
        )
    import transformers

    from lora.base import CONTEXT

    transformers.utils.logging.disable_progress_bar()
    source = find_source(base)
    how: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if source.gguf:
        how["gguf_file"] = source.gguf
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source.folder, **how)  # nosec B615  # a local folder
        config = transformers.AutoConfig.from_pretrained(source.folder, **how)  # nosec B615  # a local folder
    except (OSError, ValueError, ImportError) as error:
        raise BaseUnavailable(f"the tokenizer of {base!r} cannot be read: {error}") from error
    most = int(getattr(config, "max_position_embeddings", 0) or CONTEXT)
    return Chat(tokenizer), room_for(min(CONTEXT, most), int(config.hidden_size))
