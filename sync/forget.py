"""Forgetting what a person asked to have forgotten: one pass over every place that holds it.

Done in sync's turn, so that no pull, freeze or push is under way meanwhile; it waits for a training
or an expansion that is. The store goes first and the log last, since the log knows what belongs to
the wish; cut off anywhere, the next turn begins again and ends in the same place.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from lora.errors import BrokenAdapter
from lora.expansions import Expansions
from lora.forget import Found, Lost, erase, find, leave
from lora.store import ProjectStore
from lora.wishes import Kind, Wish
from sync.backups import Backups, Forgotten
from sync.log import Log
from sync.log_audit import Entry
from sync.operate import LOOP, Impossible, Person, checked
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


def grant(log: Log, studio: StudioLike, store: ProjectStore, backups: Backups) -> str | None:
    """Forget everything that was asked for; returns why that waits, if it does.

    Raises StudioError.
    """
    for wish in store.wishes():
        with (
            store.training() as no_trainer,
            Expansions(store).expanding() as nobody,
            backups.alone() as no_backup,
        ):
            if not (no_trainer and nobody):
                return f"forgetting {wish.subject} waits for the training or expansion under way"
            if not no_backup:
                return f"forgetting {wish.subject} waits for the backup under way"
            if not forget_replays(store.folder):
                return f"forgetting {wish.subject} waits for the replay under way"
            try:
                problem = _forget(log, studio, store, backups, wish)
            except BrokenAdapter as error:
                problem = str(error)
        if problem:
            return f"forgetting {wish.subject} is not over: {problem}"
    return None


def _forget(
    log: Log, studio: StudioLike, store: ProjectStore, backups: Backups, wish: Wish
) -> str | None:
    project = store.name
    lost = log.lost(project, wish)
    noted = _noted(log, project, wish, lost)
    backups.sweep()
    backups.note(noted)
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
    backups.note(replace(noted, until=datetime.now(timezone.utc).isoformat()))
    store.granted(wish)
    return None


def _noted(log: Log, project: str, wish: Wish, lost: Lost) -> Forgotten:
    """What a wish takes, by ids alone, for the list that a restore applies."""
    since, until = log.first_sight(project, lost), datetime.now(timezone.utc).isoformat()
    seen = since.isoformat() if since else None
    ids = (tuple(sorted(lost.tasks)), tuple(sorted(lost.annotations)))
    return Forgotten(project, wish.kind, wish.id, wish.at, seen, until, *ids)


def forget_again(log: Log, store: ProjectStore, gone: Forgotten, at: str) -> bool:
    """Take what was forgotten out of a restored log and store, which are as they were `at`;
    returns whether they held any of it.

    Reviews are closed here alone: in Label Studio their projects went when it was forgotten.
    """
    if _time(gone.until) < _time(at):  # all of it was gone by then
        return False
    known = log.known_tasks(store.name, gone.tasks)
    texts, any_pool = set[str](), False
    for task in known:
        own = log.lost(store.name, Wish("task", task, gone.wish, ""))
        texts |= own.texts
        any_pool |= own.any_pool
    approver = gone.id if gone.kind == "annotator" else None
    ids = frozenset(gone.tasks), frozenset(gone.annotations)
    lost = Lost(*ids, frozenset(texts), approver, any_pool)
    held = log.first_sight(store.name, lost) is not None
    found = find(store, lost)
    _take_out(log, store, found, lost, f"it was forgotten: {gone.subject}")
    if found.snapshots:
        store.ask(by=f"{LOOP}, to replace what was forgotten")
    return held or bool(found.snapshots)


def _take_out(log: Log, store: ProjectStore, found: Found, lost: Lost, why: str) -> None:
    leave(store, found, LOOP, why)
    for review in log.reviews(store.name):
        if review.snapshot in found.snapshots:
            log.close_review(store.name, review.snapshot, {"forgotten": why, "rows": []})
    erase(store, found, lost)
    log.erase(store.name, lost, store.forgotten())


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


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
