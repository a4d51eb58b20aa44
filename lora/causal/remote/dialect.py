"""What each kind of server wants beside OpenAI's own fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from lora.causal.grammar import spaced
from lora.causal.remote.client import Kind
from lora.causal.remote.gbnf import gbnf

Grammar = Literal["lark", "gbnf", "vllm", ""]
"""How a server takes grammars: lark in `grammar` (llama.cpp built with llguidance), GBNF in it,
lark in vLLM's `structured_outputs` (its guidance backend); "": not at all."""

FORMS: dict[Kind, tuple[Grammar, ...]] = {
    "openai": (),
    "vllm": ("vllm",),
    "llama.cpp": ("lark", "gbnf"),
    "llama-cpp-python": ("gbnf",),  # a grammar that it cannot read ends it
}


def body(kind: Kind, model: str, prompt: str | Sequence[str], most_tokens: int) -> dict[str, Any]:
    """A request for the likeliest answer, in POST /v1/completions's words."""
    made: dict[str, Any] = {
        "model": model,
        "prompt": prompt if isinstance(prompt, str) else list(prompt),
        "max_tokens": most_tokens,
        "temperature": 0,
    }
    if kind == "vllm":
        made["add_special_tokens"] = False  # a rendered chat has its own
    return made


def grammar_fields(form: Grammar, grammar: str | None) -> dict[str, Any]:
    """The fields that hold an answer to a grammar of ours (lora/causal/kinds)."""
    if not grammar or not form:
        return {}
    if form == "gbnf":
        return {"grammar": gbnf(spaced(grammar))}
    if form == "vllm":
        return {"structured_outputs": {"grammar": spaced(grammar)}}
    return {"grammar": f"%llguidance {{}}\n{spaced(grammar)}"}
