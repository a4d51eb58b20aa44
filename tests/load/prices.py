"""What a real Label Studio took, by the size of its project: the table of section 4.2 in
../shared/reference/label_studio_1.23.2.md, for the fake one to reckon with.

Measured with 1,000 and with 10,000 tasks; for other sizes a line through both is drawn, so that
anything beyond MEASURED is a guess. The table has no requests but lists and imports: all others are
taken to cost as much as a list without its rows, which is too much rather than too little.
"""

from __future__ import annotations

from dataclasses import dataclass

SMALL, MEASURED = 1_000, 10_000


@dataclass(frozen=True)
class Prices:
    """Seconds: of a request, of a task that is listed with all that hangs on it, of a prediction
    that is imported, of an id (sync/studio.py's own number: the table has none)."""

    request_s: float
    task_s: float
    prediction_s: float
    id_s: float = 0.00035


LISTED = 20  # tasks that the measured filter found
AT_SMALL = Prices(0.18 - LISTED * 0.0043, 0.0043, 0.0012)
AT_MEASURED = Prices(0.28 - LISTED * 0.0051, 0.0051, 0.0015)


def prices(tasks: int) -> Prices:
    """Of a project of this size, on a line through the two that were measured."""
    part = (tasks - SMALL) / (MEASURED - SMALL)

    def at(small: float, large: float) -> float:
        return max(0.0, small + part * (large - small))

    return Prices(
        at(AT_SMALL.request_s, AT_MEASURED.request_s),
        at(AT_SMALL.task_s, AT_MEASURED.task_s),
        at(AT_SMALL.prediction_s, AT_MEASURED.prediction_s),
    )
