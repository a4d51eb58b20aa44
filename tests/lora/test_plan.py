"""How long a training is, by what there is to learn."""

from __future__ import annotations

import pytest

from lora.examples import Row
from lora.forms.spans import Mark
from lora.plan import BATCH, STRETCH, count_steps, plan_steps
from lora.windows import Window


def rows(count: int, spans: bool = False) -> list[Row]:
    """Rows of lengths that go round from 3 to 12 ids."""
    tags = {"s": (Mark(0, 1, 0),)} if spans else {}
    return [
        Row(Window((0,) * (3 + i % 10), 0, 1 + i % 10, 1), {"c": (str(i),)}, tags)
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "spans", "steps"),
    [
        *((10, False, 80), (400, False, 125), (770, False, 240), (9000, False, 400)),
        *((10, True, 80), (60, True, 120), (100, True, 200), (400, True, 200), (1000, True, 312)),
    ],
)
def test_more_rows_are_worth_more_steps(count: int, spans: bool, steps: int) -> None:
    assert count_steps(rows(count, spans)) == steps


def test_rows_of_like_length_share_a_step() -> None:
    plan = plan_steps(rows(BATCH * STRETCH), [], [], STRETCH, seed=0)
    lengths = [[len(r.window.ids) for r in step.rows] for step in plan]
    assert max(max(own) - min(own) for own in lengths) <= 2
    assert sorted(x for own in lengths for x in own) == sorted(
        len(r.window.ids) for r in rows(BATCH * STRETCH)
    )
