"""How long a training is, by what there is to learn."""

from __future__ import annotations

import pytest

from lora.examples import Row
from lora.forms.spans import Mark
from lora.plan import BATCH, MADE, STRETCH, count_steps, plan_steps
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


def test_synthetic_rows_stand_beside_the_same_human_ones_and_grow_in_weight() -> None:
    made = rows(20)
    alone, beside = (
        plan_steps(rows(60), [], [], 80, seed=3, made=own, made_weight=0.5) for own in ([], made)
    )
    assert [s.rows for s in alone] == [s.rows for s in beside]
    assert all(len(s.made) == MADE for s in beside) and not any(s.made for s in alone)
    weights = [s.made_weight for s in beside]
    assert weights[0] == 0.0 and weights[-1] == 0.5 and weights == sorted(weights)
    seen = [r for s in beside for r in s.made]
    assert min(seen.count(r) for r in made) >= 80 * MADE // 20 - STRETCH
