"""Forgetting what a person asked to have forgotten: one pass over every place that holds it.

Done in sync's turn, so that no pull, freeze or push is under way meanwhile; it waits for a training
or an expansion that is. The store goes first and the log last, since the log knows what belongs to
the wish; cut off anywhere, the next turn begins again and ends in the same place.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from lora.errors import BrokenAdapter
from lora.expansions import Expansions
from lora.forget import erase, find, leave
from lora.store import ProjectStore
from lora.wishes import Kind, Wish
from sync.log import Log
from sync.log_audit import Entry
from sync.operate import Impossible, Person, checked
from sync.replay.place import forget_replays
from sync.studio_values import StudioLike

FORGOT = "forgot"


def wish_of(kind: Kind, number: int, by: Person, why: str = "", there: bool = False) -> Wish:
    """What a person asks for. Raises Impossible."""
    if there and kind == "annotator":
        raise Impossible(
            "--there deletes one task or annotation; a person is removed there by hand"
        )
    at = datetime.now(timezone.utc).isoformat()
    return Wish(kind, number, at, by.who, by.login, checked(why), there)


def grant(log: Log, studio: StudioLike, store: ProjectStore) -> str | None:
    """Forget everything that was asked for; returns why that waits, if it does.

    Raises StudioError.
    """
    for wish in store.wishes():
        with store.training() as no_trainer, Expansions(store).expanding() as nobody:
            if not (no_trainer and nobody):
                return f"forgetting {wish.subject} waits for the training or expansion under way"
            if not forget_replays(store.folder):
                return f"forgetting {wish.subject} waits for the replay under way"
            try:
                problem = _forget(log, studio, store, wish)
            except BrokenAdapter as error:
                problem = str(error)
        if problem:
            return f"forgetting {wish.subject} is not over: {problem}"
    return None


def _forget(log: Log, studio: StudioLike, store: ProjectStore, wish: Wish) -> str | None:
    project = store.name
    lost = log.lost(project, wish)
    found = find(store, lost)
    left = leave(store, found, wish.by, f"it learned from what was to be forgotten: {wish.subject}")
    if store.current().version in found.versions:
        return "somebody moved CURRENT meanwhile"
    for review in log.reviews(project):
        if review.snapshot in found.snapshots | store.forgotten():
            studio.delete_project(review.review)
            log.close_review(project, review.snapshot, {"forgotten": wish.at, "rows": []})
    if wish.there:
        _there(studio, wish)
    answers = len(lost.annotations)
    log.enter(project, [_entry(wish, {**found.to_dict(), "answers": answers, "left": left})])
    if found.snapshots:
        store.ask(by=f"{wish.by}, to replace what was forgotten")
    erase(store, found, lost)
    log.erase(project, lost, store.forgotten())  # of all: this may have been begun before
    if problem := log.scrub():
        return problem
    store.granted(wish)
    return None


def _there(studio: StudioLike, wish: Wish) -> None:
    if wish.kind == "task":
        studio.delete_task(wish.id)
    else:
        studio.delete_annotation(wish.id)


def _entry(wish: Wish, detail: dict[str, Any]) -> Entry:
    """The deed without the data, entered before it is done: one that is begun again finds less."""
    at = datetime.fromisoformat(wish.at)
    told = detail | {"there": wish.there, "login": wish.login}
    return Entry(at, wish.by, FORGOT, wish.subject, wish.why, told, mark=mark_of(wish))


def mark_of(wish: Wish) -> str:
    """Under what the audit log enters that a wish was granted."""
    return f"forgot {wish.at}"


def told(log: Log, store: ProjectStore, wish: Wish) -> dict[str, Any] | None:
    """What came of a wish; None while it is not granted."""
    if wish in store.wishes():
        return None
    done = [e for e in log.audit(store.name) if e.mark == mark_of(wish)]
    return {"project": store.name, "forgotten": wish.subject, **done[0].detail} if done else None
