"""What goes into the audit log by itself: moves of CURRENT, and settings that decide on training.

Workers and commands move CURRENT in the store, which notes each move with its author; here sync and
every command that looks copy them into the log. So a move is in the log although whoever made it
died at once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from lora.errors import LoraError
from lora.moves import GATE, Move
from lora.store import ProjectStore
from sync.log import Log
from sync.log_audit import Entry
from sync.log_tables import now
from sync.operate import LOOP
from sync.terms import Terms

COLD = "the cold start"
FIRM_S = 30.0
"""A version that does not load is given up after so long; the backend tries it again meanwhile, and
what served before answers."""
SETTINGS = "settings"


def hear_moves(log: Log, store: ProjectStore) -> None:
    """Enter the moves of CURRENT that the log does not know."""
    log.enter(store.name, [_entry(m) for m in store.moves()])


def _entry(move: Move) -> Entry:
    detail = {"before": move.previous or COLD} | ({"login": move.login} if move.login else {})
    return Entry(
        at=datetime.fromisoformat(move.moved_at),
        who=LOOP if move.by == GATE else move.by,
        what=move.what,
        subject=move.version or COLD,
        why=move.why,
        detail=detail,
        mark=f"move {move.moved_at}",
    )


def leave_broken(store: ProjectStore, firm_s: float = FIRM_S) -> str | None:
    """Where CURRENT names a version that does not load, point it at what answers in its place, so
    that the next candidate is judged against that; returns what was said."""
    now_serves = store.current().version
    why = store.quarantined().get(now_serves or "")
    if now_serves is None or why is None or time.time() - store.unloadable_since() < firm_s:
        return None
    for target in (*store.stand_ins(now_serves), None):
        try:
            said = f"{now_serves} does not load: {why}"
            store.move_current(now_serves, target, by=LOOP, why=said, what="fell back")
            return said
        except LoraError:  # this one is broken too, or a person was quicker
            continue
    return None


def hear_settings(log: Log, project: str, terms: Terms) -> None:
    """Enter what changed of the settings that decide what is trained and what may serve."""
    seen = log.last_entry(project, SETTINGS)
    before: Mapping[str, Any] = seen.detail["now"] if seen else {}
    after = trained_under(terms)
    changed = [k for k in sorted({*before, *after}) if before.get(k) != after.get(k)]
    if not changed:
        return
    names, words = "", "as they are when this log begins"
    if seen:
        names = ", ".join(changed)
        words = "; ".join(f"{k}: {before.get(k)!r} -> {after.get(k)!r}" for k in changed)
    log.enter(project, [Entry(now(), LOOP, SETTINGS, names, words, {"now": after})])


def trained_under(terms: Terms) -> dict[str, Any]:
    """The settings in force, by name; the label config by its digest. None of them is secret."""
    found: dict[str, Any] = {}
    for section in ("train", "gate", "blind", "augment"):
        own = getattr(terms.settings, section)
        found |= {f"{section}.{f.name}": getattr(own, f.name) for f in fields(own) if f.repr}
    found["backend.max_text"] = terms.settings.backend.max_text
    found["regulated"] = terms.regulated
    found["config"] = hashlib.sha256(terms.config.encode()).hexdigest()[:12]
    return found
