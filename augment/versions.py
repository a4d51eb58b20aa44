"""Versions of all that decides which children are made of the same rows. What keeps results of an
expansion (a replay, a benchmark) has them in its key, so that another expansion is another result.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from functools import cache

import augment.guard
from augment import prompts
from augment.guard.guard import FILTERS
from augment.guard.values import Thresholds
from augment.profile import measure

RULES = 1
"""Raised when sources, aim, policy or their benchmark make other children of the same rows."""


def versions() -> str:
    """Of rules, profile, prompts and guard."""
    rules = f"rules {RULES}, profile {measure.VERSION}, prompts {prompts.VERSION}"
    return f"{rules}, guard {guard_digest()}"


@cache
def guard_digest() -> str:
    """8 hex digits of the guard's constants, fall-backs and order of filters."""
    found: dict[str, object] = {"filters": list(FILTERS), "bars": Thresholds().to_dict()}
    for info in pkgutil.iter_modules(augment.guard.__path__):
        module = importlib.import_module(f"augment.guard.{info.name}")
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, int | float | str | tuple | frozenset):
                kept = sorted(value) if isinstance(value, frozenset) else repr(value)
                found[f"{info.name}.{name}"] = kept
    raw = json.dumps(found, sort_keys=True)
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:8]
