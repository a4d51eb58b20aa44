"""The pool: texts that nobody has answered, as statistics of a project's data, never as labels.

A snapshot carries one, and the store another that the cold start reads label names against. Each
change of the latter renews every prediction of the cold start, so it changes as seldom as it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from label_config.fetch import NotFetched
from label_config.wire import task_texts
from lora.errors import BrokenFile
from lora.store import ProjectStore
from sync.log import Log
from sync.log_tasks import LoggedTask
from sync.order import drawn_by
from sync.terms import Terms

LEAST = 50  # unanswered tasks below which no pool is published: too few for a mean
MOST = 300  # texts in a published pool
GIVE_UP = 3  # texts in a row that cannot be fetched

Texts = Mapping[str, str]


def pool_texts(
    terms: Terms, project: str, tasks: Iterable[LoggedTask], most: int
) -> tuple[Texts, ...]:
    """Texts of the tasks that are not blind, at most so many, drawn by hash.

    A text that cannot be fetched is left out; after a few in a row the rest is not tried.
    """
    texts: list[Texts] = []
    failed = 0
    drawn = sorted((t for t in tasks if not t.place.blind), key=lambda t: drawn_by(project, t.id))
    for task in drawn:
        if len(texts) == most or failed == GIVE_UP:
            break
        try:
            found = task_texts(terms.schema, terms.fetched(task.data)).by_key
        except NotFetched:
            failed += 1
            continue
        failed = 0
        if found:
            texts.append(found)
    return tuple(texts)


def renew_pool(log: Log, store: ProjectStore, project: str, terms: Terms) -> bool:
    """Publish the pool where it is due; returns whether it was.

    It is due once LEAST unanswered tasks are known that are not blind, and again only when the
    config reads other data keys, or when a pool of fewer than MOST texts can have as many.
    """
    try:
        known = store.pool()
    except BrokenFile:  # ours to write, so it is written anew
        known = ()
    other = _keys_differ(known, terms)
    if not other and (len(known) >= MOST or terms.fetches):  # as a rule: nobody is counted
        return False
    if log.waiting(project) < (LEAST if other else MOST):
        return False
    waiting = [task for task, blind in log.unanswered(project).items() if not blind]
    first = sorted(waiting, key=lambda task: drawn_by(project, task))[: 2 * MOST]
    texts = pool_texts(terms, project, log.tasks(project, first), MOST)
    grown = len(known) < MOST == len(texts)
    if len(texts) < LEAST or (known and not grown and not _other_keys(known, texts, terms)):
        return False
    store.publish_pool(texts)
    return True


def _held(texts: Iterable[Texts]) -> set[str]:
    return {key for text in texts for key in text}


def _keys_differ(known: Sequence[Texts], terms: Terms) -> bool:
    return _held(known) != set(terms.schema.keys)


def _other_keys(known: Sequence[Texts], texts: Sequence[Texts], terms: Terms) -> bool:
    """Whether the known pool holds a key that is no longer read, or lacks one that most have."""
    held = _held(known)
    lacks = [key for key in terms.schema.keys if key not in held]
    most_have = [key for key in lacks if 2 * sum(key in t for t in texts) >= len(texts)]
    return bool(held - set(terms.schema.keys) or most_have)
