"""What an OpenAI-compatible server sends back, read: completions, messages, errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lora.errors import Refused

MOST_WORDS = 300  # of a server's message in ours


@dataclass(frozen=True)
class Said:
    """One completion. `logprobs`: of its tokens in order, echoed ones first, None where it gave
    none; `why` it ended: "stop" or "length"."""

    text: str
    why: str = ""
    logprobs: tuple[float | None, ...] | None = None


@dataclass(frozen=True)
class Completed:
    """The answer to one request: a completion a prompt, and how many tokens both had together."""

    said: tuple[Said, ...]
    prompt_tokens: int | None
    said_tokens: int | None


def read_models(raw: bytes, where: str) -> dict[str, int | None]:
    """Names, and how many tokens prompt and answer may have where it says. Raises Refused."""
    found = _json(raw)
    try:
        return {str(m["id"]): _context(m) for m in found["data"]}
    except (AttributeError, KeyError, TypeError) as error:
        raise Refused(f"{where} lists no models") from error


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Refused("it answered no JSON") from error


def _context(model: Any) -> int | None:
    """vLLM says it as max_model_len, llama.cpp as meta.n_ctx."""
    meta = model.get("meta")
    found = model.get("max_model_len") or (meta or {}).get("n_ctx")
    return int(found) if isinstance(found, int) and found > 0 else None


def read_completions(raw: bytes, prompt: str | Sequence[str]) -> Completed:
    """Raises Refused where they are not those of the prompts."""
    found, asked = _json(raw), 1 if isinstance(prompt, str) else len(prompt)
    try:
        choices = sorted(found["choices"], key=lambda c: int(c.get("index") or 0))
        said = tuple(
            Said(str(c.get("text") or ""), str(c.get("finish_reason") or ""), _logprobs(c))
            for c in choices
        )
        usage = found.get("usage") or {}
        made = Completed(said, usage.get("prompt_tokens"), usage.get("completion_tokens"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"a completion cannot be read: {type(error).__name__}") from error
    if len(said) != asked:
        raise Refused(f"{len(said)} completions of {asked} prompts came")
    return made


def read_chat(raw: bytes) -> Completed:
    """The one message; "" where the model said nothing. Raises Refused where there is none."""
    found = _json(raw)
    try:
        (choice,) = found["choices"]
        text = choice["message"].get("content")
        usage = found.get("usage") or {}
        said = Said(text or "", str(choice.get("finish_reason") or ""))
        made = Completed((said,), usage.get("prompt_tokens"), usage.get("completion_tokens"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"a message cannot be read: {type(error).__name__}") from error
    if not isinstance(said.text, str):
        raise Refused(f"a message cannot be read: its content is a {type(said.text).__name__}")
    return made


def _logprobs(choice: Any) -> tuple[float | None, ...] | None:
    """OpenAI's own form, or that of its chats, which llama.cpp's server uses here too."""
    told = choice.get("logprobs")
    if not isinstance(told, dict):
        return None
    if isinstance(content := told.get("content"), list):
        return tuple(float(t["logprob"]) for t in content)
    found = told.get("token_logprobs")
    if not isinstance(found, list):
        return None
    return tuple(None if p is None else float(p) for p in found)


def read_message(raw: bytes, secret: str = "") -> str:  # nosec B107  # empty is none
    """What a server says of an error: OpenAI's form, FastAPI's, or its first line. `secret` is
    blotted out, wherever it stands."""
    try:
        told = json.loads(raw)
    except ValueError:
        told = raw.decode("utf-8", "replace")
    for key in ("error", "detail", "message"):
        if isinstance(told, dict) and key in told:
            told = told[key]
    words = " ".join(str(told).split())
    return (words.replace(secret, "(the key)") if secret else words)[:MOST_WORDS]
