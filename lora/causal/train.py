"""The causal half of `python -m lora.train`: room, fit, files, and the checkpoint between tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from label_config.controls import Schema
from label_config.values import Example
from lora.base import CONTEXT, Base
from lora.bundled import converted
from lora.causal.checkpoint import Keeper, folder_beside
from lora.causal.crew import Alone, Crew, Launched
from lora.causal.files import write_causal
from lora.causal.fit import fit_causal
from lora.causal.launch import is_main, processes
from lora.causal.memory import facts_of, free_bytes, tokens_that_fit
from lora.causal.teacher import EncoderTeacher
from lora.recipe import find_source
from settings import Train


def tokens_of_a_pass(settings: Train, device: str) -> int:
    """How many tokens a pass of this training may hold; raises DoesNotFit with the remedy, before
    anything is loaded, and BaseUnavailable."""
    facts = facts_of(converted(find_source(settings.base)).folder)
    return tokens_that_fit(facts, settings, device, free_bytes(device), CONTEXT)


def make_causal(
    base: Base,
    schema: Schema,
    train: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    settings: Train,
    out: Path,
    *,
    recipe_id: str,
    tokens: int,
    tell: Callable[[int, int, float], None] = lambda done, of, loss: None,
) -> list[str] | None:
    """Fit and write the candidate's files into `out`; what was decided, in words. None in a process
    that only helped another one. `tell`: as fit_causal has it, of the main process."""
    device = base.model.device.type
    crew: Crew = Launched(device) if processes()[1] > 1 else Alone()
    keeper = Keeper(folder_beside(out, recipe_id), settings.checkpoint_s)
    how: dict[str, Any] = {"tell": tell} if is_main() else {}
    if settings.teacher:
        how["teacher"] = EncoderTeacher(schema, pool, settings, out)
    fitted = fit_causal(
        base, schema, train, pool, settings, keeper=keeper, crew=crew, tokens=tokens, **how
    )
    if not is_main():
        return None
    out.mkdir(parents=True, exist_ok=True)
    write_causal(out, fitted)
    keeper.forget()
    return list(fitted.notes)
