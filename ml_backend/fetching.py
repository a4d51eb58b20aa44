"""Texts that stand at an address: fetched for all tasks of a request, a few at once.

Without url objects in the config nothing happens here. What cannot be fetched costs only its own
task its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

from label_config import Schema, Task
from label_config.fetch import Fetcher, NotFetched

AT_ONCE = 8  # connections of one request
WITHIN_S = 30.0  # for all texts of a request; Label Studio waits 100 s for the answer

Fetched = tuple[Task, str | None]
"""A task with its texts in place, or without data and the reason."""


def fetch_texts(
    fetcher: Fetcher, schema: Schema, tasks: Sequence[Task], within_s: float = WITHIN_S
) -> list[Fetched]:
    """Each task with the texts that its addresses lead to, in order; never raises for a task."""
    if not any(shown.url for shown in schema.objects):
        return [(task, None) for task in tasks]
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="annotune-fetch")
    try:
        asked = [pool.submit(_fetch, fetcher, schema, task) for task in tasks]
        wait(asked, timeout=within_s)
        return [_taken(future, task) for future, task in zip(asked, tasks, strict=True)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _fetch(fetcher: Fetcher, schema: Schema, task: Task) -> Fetched:
    try:
        return replace(task, data=fetcher.resolve(schema, task.data)), None
    except NotFetched as error:
        return replace(task, data={}), str(error)


def _taken(future: Future[Fetched], task: Task) -> Fetched:
    if future.done() and not future.cancelled():
        return future.result()
    return replace(task, data={}), "the texts of this request took too long to fetch"
