"""Versions of nothing, for tests of who serves and who said so."""

from __future__ import annotations

from typing import Any

from lora.adapter import Recipe
from lora.store import ProjectStore


def committed(store: ProjectStore, seed: int, snapshot: str | None = None, **named: Any) -> str:
    """A complete version; named things of its manifest may be given."""
    staging = store.staging()
    (staging / "heads.json").write_text("{}")
    recipe = Recipe("minilm", "r", snapshot or f"{seed:064x}", named.pop("settings", {}), seed)
    given: dict[str, Any] = {"schema": "s", "config": "<View/>", "labels": 25 * seed, "scores": {}}
    given["parent"] = store.current().version
    return store.commit(staging, recipe, **(given | named)).version
