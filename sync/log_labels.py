"""The log's part about labels: since when people could mark each one.

A text without a mark says "none here" only where the label was on offer when it was answered.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import Connection, select

from sync import log_tables as t

Marked = tuple[str, str]
"""A control of spans, and one of its labels by its stored value."""
_FIRST: Marked = ("", "")
"""Stands for the first config itself, which may have had no spans."""


class LabelLog:
    """Methods of the Log about labels; the Log supplies the transactions."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def see_labels(self, project: str, labels: Iterable[Marked]) -> None:
        """Note the labels of spans that the config offers now.

        Those of the first config seen count as offered from the beginning, since nobody can say
        when they came; a label that was away for a while keeps the time it was first seen.
        """
        offered = {_FIRST, *labels}
        c = t.labels.c
        with self._write() as db:
            known = {
                (row.control, row.label)
                for row in db.execute(select(c.control, c.label).where(c.project == project))
            }
            since = t.now() if known else None
            rows = [
                {"project": project, "control": control, "label": label, "since": since}
                for control, label in sorted(offered - known)
            ]
            if rows:
                db.execute(t.labels.insert(), rows)

    def labels_since(self, project: str) -> Mapping[Marked, datetime]:
        """When labels were first seen that came later than the project's first config."""
        c = t.labels.c
        query = select(c.control, c.label, c.since).where(
            c.project == project, c.since.is_not(None)
        )
        with self._read() as db:
            return {(row.control, row.label): row.since for row in db.execute(query)}
