from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.aim import MOST_EACH, aim, fits, uniform
from label_config.controls import Control, InvalidValue, Label, Schema
from label_config.values import Choice, Example, Origin, Region, Span, Written

SCHEMA = Schema(
    (
        Control("intent", "Choices", "text", "text", tuple(Label(v, v) for v in "abcd")),
        Control("slots", "Labels", "text", "text", (Label("city", "city"),)),
        Control("reply", "TextArea", "text", "text"),
        Control("better", "Pairwise", "text", "text", (Label("left", "left"),), right_key="text"),
    )
)


def row(number: int, label: str, text: str = "some words", *more: Region) -> Example:
    answers = (Choice("intent", "text", (label,)), *more)
    return Example(f"e{number}", number, f"g{number}", "train", {"text": text}, answers)


def says(**own: tuple[str, float]) -> dict[str, dict[str, dict[str, float]]]:
    """Each row's label, and the probability it gets; the rest goes to another one."""
    return {i: {"intent": {v: p, "z": 1 - p}} for i, (v, p) in own.items()}


EVEN = [row(i, "ab"[i % 2]) for i in range(8)]


def test_wrong_and_barely_right_rows_get_more_than_safe_ones() -> None:
    found = says(
        e0=("a", 0.1), e1=("b", 0.5), **{f"e{i}": ("ab"[i % 2], 0.95) for i in range(2, 8)}
    )
    plan = aim(EVEN, SCHEMA, 12, ["noise"], found)
    counts = [plan.of(e.id) for e in EVEN]
    assert plan.total == 12 and plan.left == 0
    assert counts[0] > counts[1] > max(counts[2:])
    assert "read wrongly (margin -0.80)" in plan.why["e0"]
    assert "read barely rightly (margin +0.00)" in plan.why["e1"]


def test_rare_labels_get_more_without_any_prediction() -> None:
    rows = [*EVEN, row(8, "c")]
    plan = aim(rows, SCHEMA, 4, ["noise"])
    assert plan.of("e8") == 4
    assert plan.why["e8"] == "c has 1 rows, a fair share is 3.0"


def test_rows_of_a_confused_label_get_more_though_each_is_read_alike() -> None:
    mixed = {"e0": "b", "e2": "b", "e4": "b", "e6": "b"}  # all of a: for b; of b: for anything
    other = {f"e{i}": {"intent": {"ab"[i % 2]: 0.6}} for i in range(8)}
    for i in range(8):
        wrong = mixed.get(f"e{i}")
        rest = {wrong: 0.4} if wrong else {f"x{i}": 0.4}
        other[f"e{i}"]["intent"] |= rest
    plan = aim(EVEN, SCHEMA, 24, ["noise"], other)
    of_a, of_b = (sum(plan.of(e.id) for e in EVEN[k::2]) for k in (0, 1))
    assert of_a > of_b
    assert "a is taken for b with 0.40" in plan.why["e0"]


def test_where_no_row_asks_for_more_all_get_the_same() -> None:
    plan = aim(EVEN, SCHEMA, 16, ["noise"])
    assert plan.children["noise"] == {e.id: 2 for e in EVEN}


def test_only_errors_leaves_the_rest_of_the_budget() -> None:
    found = says(e0=("a", 0.2), e1=("b", 0.9))
    plan = aim(EVEN, SCHEMA, 50, ["noise"], found, only_errors=True)
    assert plan.children == {"noise": {"e0": MOST_EACH}}
    assert plan.left == 50 - MOST_EACH


def test_labels_that_nobody_named_are_told_since_no_child_can_help_them() -> None:
    assert aim(EVEN, SCHEMA, 2, ["noise"]).barren == {
        **{"intent": ("c", "d"), "slots": ("city",)},
        **{"better": ("left",)},
    }


def test_uniform_gives_all_the_same_and_the_rest_by_the_seed() -> None:
    plan = uniform(EVEN, SCHEMA, 19, ["noise"])
    counts = sorted(plan.of(e.id) for e in EVEN)
    assert counts == [2, 2, 2, 2, 2, 3, 3, 3]
    assert uniform(EVEN[::-1], SCHEMA, 19, ["noise"]).children == plan.children
    assert uniform(EVEN, SCHEMA, 19, ["noise"], seed=1).children != plan.children


def test_each_source_gets_its_part_where_it_fits() -> None:
    place = Span("slots", "text", 0, 4, "some", ("city",))
    rows = [row(0, "a"), row(1, "b"), row(2, "a", "some words", place)]
    plan = uniform(rows, SCHEMA, 12, ["noise", "substitute", "pool"])
    assert {s: sum(of.values()) for s, of in plan.children.items()} == {"noise": 8, "substitute": 4}
    assert plan.children["substitute"] == {"e2": 4}


@pytest.mark.parametrize(
    ("example", "sources"),
    [
        (row(0, "a"), {"noise", "rewrite", "generate"}),
        (row(0, "a", "pay 5"), {"noise", "rewrite", "generate", "substitute"}),
        (
            row(0, "a", "w", Written("reply", "text", "yes")),
            {"noise", "inputs"},
        ),
        (row(0, "a", "pay 5", Written("reply", "text", "yes, 5")), {"noise", "inputs"}),
        (row(0, "a", "pay 5", Choice("better", "text", ("left",))), set()),
        (row(0, "a", "  "), set()),
        (replace(row(0, "a"), answers=()), {"noise", "rewrite"}),
    ],
)
def test_what_fits_a_row(example: Example, sources: set[str]) -> None:
    every = ("noise", "substitute", "rewrite", "generate", "inputs", "pool")
    assert {s for s in every if fits(s, example, SCHEMA)} == sources


def test_parents_are_human_train_rows() -> None:
    child = replace(EVEN[0], id="child", origin=Origin("synthetic", parent="e0"))
    assert uniform([*EVEN, child], SCHEMA, 90, ["noise"]).of("child") == 0
    for plan in (aim, uniform):
        with pytest.raises(InvalidValue, match="holdout"):
            plan([replace(EVEN[0], side="holdout")], SCHEMA, 3, ["noise"])


@pytest.mark.parametrize(
    ("budget", "sources", "most"), [(-1, ["noise"], 8), (3, ["magic"], 8), (3, ["noise"], 0)]
)
def test_a_plan_that_cannot_be_is_refused(budget: int, sources: list[str], most: int) -> None:
    with pytest.raises(InvalidValue):
        aim(EVEN, SCHEMA, budget, sources, most_each=most)  # type: ignore[arg-type]


def test_no_rows_no_sources_and_no_budget_are_plans_too() -> None:
    assert aim([], SCHEMA, 5, ["noise"]).left == 5
    assert aim(EVEN, SCHEMA, 5, ["pool"]).children == {}
    assert aim(EVEN, SCHEMA, 0, ["noise"]).total == 0


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 1)), min_size=1, max_size=12),
    st.integers(0, 60),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 3),
)
def test_a_budget_is_spent_whole_or_every_parent_is_full(
    rows: list[tuple[str, float]], budget: int, most: int, errors: bool, seed: int
) -> None:
    examples = [row(i, label) for i, (label, _) in enumerate(rows)]
    found = says(**{f"e{i}": known for i, known in enumerate(rows)})
    plans = [
        aim(some, SCHEMA, budget, ["noise", "rewrite"], found, seed, errors, most)
        for some in (examples, examples[::-1])
    ]
    plan, counts = plans[0], [plans[0].of(e.id) for e in examples]
    assert plan == plans[1]
    assert sum(counts) + plan.left == budget and max(counts) <= most
    taken = [c for c in counts if c]
    assert plan.left == 0 or taken == [most] * len(taken)
    assert set(plan.why) == {e.id for e, c in zip(examples, counts, strict=True) if c}
    given_to = [sum(of.values()) for of in plan.children.values()]
    assert max(given_to) - min(given_to) <= 1
