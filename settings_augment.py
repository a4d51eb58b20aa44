"""The settings of expansion: ANNOTUNE_AUGMENT_<FIELD>. A part of settings.py, which reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

WRITTEN = {"rewrite", "generate", "inputs"}
SOURCES = WRITTEN | {"noise", "substitute", "pool"}
APIS = {"chat", "completions"}


@dataclass(frozen=True)
class Augment:
    """How few examples become more: children of human rows, judged before they teach."""

    sources: str = ""
    """Of noise, substitute, rewrite, generate, inputs and pool, separated by commas, those to use;
    empty: those that were measured to help (augment/standing.py)."""
    generator: str = ""
    """The causal base that writes for rewrite, generate and inputs, or with generator_url the model
    there; empty: none."""
    generator_url: str = ""
    """An OpenAI-compatible server that writes, without /v1, and is sent texts of train rows; empty:
    a base of our own."""
    generator_key: str = field(default="", repr=False)
    """Its API key, sent as a bearer token."""
    generator_api: str = "chat"
    """chat for models that follow instructions, completions for those that go on with texts."""
    generator_timeout_s: float = 120.0
    """Longest wait for one of its answers."""
    generator_parallel: int = 4
    """Its requests under way at once."""
    generator_tokens: int = 0
    """Most tokens, read and written, that one expansion spends there; 0: as many as it takes."""
    budget: int = 0
    """Most candidates made in one round; 0: as many as the policy says."""
    review: bool = False
    """People approve every child before it teaches; a regulated project always does."""


def wrong_with(own: Augment) -> str | None:
    """Which of them cannot be, and what would do."""
    wanted = {s.strip() for s in own.sources.split(",") if s.strip()}
    if unknown := sorted(wanted - SOURCES):
        there = ", ".join(sorted(SOURCES))
        return f"ANNOTUNE_AUGMENT_SOURCES names {', '.join(unknown)}; there are {there}"
    if wanted & WRITTEN and not own.generator:
        return (
            f"ANNOTUNE_AUGMENT_SOURCES={own.sources!r} needs somebody who writes; set "
            "ANNOTUNE_AUGMENT_GENERATOR to a causal base, such as smollm"
        )
    if own.budget < 0:
        return f"ANNOTUNE_AUGMENT_BUDGET={own.budget} must be 0 or more"
    return _wrong_server(own)


def _wrong_server(own: Augment) -> str | None:
    address, name = urlsplit(own.generator_url), "ANNOTUNE_AUGMENT_GENERATOR"
    if own.generator_api not in APIS:
        return f"{name}_API={own.generator_api!r} must be chat or completions"
    if not own.generator_timeout_s > 0 or own.generator_parallel < 1 or own.generator_tokens < 0:
        return f"{name}_TIMEOUT_S must be above 0, _PARALLEL 1 or more, _TOKENS 0 or more"
    if not own.generator_url:
        return None
    if address.scheme not in {"http", "https"} or not address.hostname or address.query:
        return f"{name}_URL must be an address such as http://127.0.0.1:8000"
    if address.username or address.password:
        return (
            f"{name}_URL holds a password; it shows in logs: set {name}_KEY (or _KEY_FILE) instead"
        )
    if not (own.generator_key.isascii() and own.generator_key.isprintable()):
        return f"{name}_KEY has signs in it that no HTTP header can hold"
    if not own.generator:
        return f"{name}_URL needs {name}: the model's name on that server"
    return None
