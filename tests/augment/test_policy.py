"""The decision tree, leaf by leaf, and what must hold on all of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.gains import Gain
from augment.policy import DEFAULT_SOURCES, Policy, Situation, Source, decide
from label_config.controls import InvalidValue

ALL: tuple[Source, ...] = tuple(DEFAULT_SOURCES)
FREE = Situation(50, 0.6, 0.5, pool=5000, generator=True, sources=ALL)
FADED = (Gain(80, 0.06, 0.01), Gain(90, 0.03, 0.01))
SPENT = (Gain(80, 0.0, 0.01), Gain(100, -0.01, 0.01))


def of(**changes: Any) -> Policy:
    return decide(replace(FREE, **changes))


@pytest.mark.parametrize(
    ("changes", "ratio", "says"),
    [
        # under 100: three to five children each
        ({"size": 1}, 4.98, "1 human examples, fewer than 100: synthesise; 4.98 children for each"),
        ({"size": 50}, 4.0, "synthesise"),
        ({"size": 99}, 3.02, "synthesise"),
        ({"size": 50, "accuracy": None, "lower": None}, 4.0, "synthesise"),
        # 100 to 500: a little, and experts first where accuracy is low
        ({"size": 100}, 1.0, "accuracy 0.600, below 0.70: experts should correct errors first"),
        ({"size": 300}, 0.75, "experts should correct errors first"),
        ({"size": 300, "accuracy": 0.7}, 0.75, "accuracy 0.700: no more than a little"),
        ({"size": 300, "accuracy": None, "lower": None}, 0.75, "accuracy not known yet"),
        # from 500 on: only where errors are
        ({"size": 500}, 0.5, "only where errors are, with accuracy 0.600"),
        ({"size": 2000, "accuracy": 0.9, "lower": 0.88}, 0.3, "only where errors are"),
        # the gain fades
        ({"past": FADED}, 2.0, "times 0.5: the gain fades (+0.060 ± 0.010, +0.030 ± 0.010)"),
        ({"size": 150, "past": SPENT}, 0.46875, "but 150 answers are half as many again"),
        # limits
        ({"budget": 75}, 1.5, "the budget is 75 candidates"),
        ({"sources": ("pool",), "pool": 30}, 0.6, "the pool has no more than 30 texts"),
        ({"sources": ("pool", "noise"), "pool": 30}, 4.0, "synthesise"),
        # people
        ({"review": True}, 4.0, "each only once a person approved it"),
        ({"regulated": True}, 4.0, "approved it, as a regulated project needs"),
    ],
)
def test_where_the_tree_expands(changes: dict[str, Any], ratio: float, says: str) -> None:
    policy = of(**changes)
    assert policy.expands
    assert policy.ratio == pytest.approx(ratio)
    assert says in policy.reason


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size": 0}, "there are 0 human train rows"),
        ({"target": 0.55}, "the target 0.550 is reached with 0.600"),
        ({"accuracy": 0.96, "lower": 0.9}, "accuracy is at least 0.900, and from 0.90 on it stops"),
        (
            {"past": SPENT},
            "no gain (+0.000 ± 0.010, -0.010 ± 0.010); it tries again at 150 answers",
        ),
        ({"budget": 0}, "the budget is 0 candidates"),
        ({"sources": ()}, "noise: not among those asked for (none)"),
        ({"sources": ("pool",), "pool": 0}, "pool: the pool has 0 unlabelled texts"),
        ({"sources": ("rewrite",), "generator": False}, "rewrite: no generator is at hand"),
        ({"sources": ("pool",), "regulated": True}, "labels that nobody approved"),
        ({"sources": None, "regulated": True}, "noise: off by default, measured -.019"),
        ({"size": 500, "accuracy": None, "lower": None}, "500 human examples: only errors are"),
        ({"size": 600, "accuracy": 1.0, "lower": 0.8}, "that is not one child"),
    ],
)
def test_where_it_does_not_and_why(changes: dict[str, Any], says: str) -> None:
    policy = of(**changes)
    assert not policy.expands
    assert policy.reason.startswith("do not expand: ")
    assert says in policy.reason
    assert (policy.sources, policy.ratio, policy.weight, policy.children(50)) == ((), 0, 0, 0)


def test_experts_come_first_only_between_100_and_500_and_only_where_accuracy_is_low() -> None:
    asks = [of(size=n, accuracy=a).ask_first for n in (99, 100, 499, 500) for a in (0.6, 0.7)]
    assert asks == [False, False, True, False, True, False, False, False]


def test_from_500_on_only_errors_have_children() -> None:
    assert [of(size=n).only_errors for n in (99, 499, 500)] == [False, False, True]


def test_the_target_outranks_what_is_enough_and_no_target_is_none() -> None:
    assert "target" in of(accuracy=0.99, lower=0.95, target=0.98).reason
    assert of(accuracy=0.6, target=0.0).expands
    assert of(accuracy=0.6, target=0.61).expands


def test_by_default_only_what_measurably_helps_is_used() -> None:
    on = tuple(s for s, standing in DEFAULT_SOURCES.items() if standing.on)
    policy = of(sources=None)
    assert policy.sources == on == ("pool",)
    assert set(policy.off) == set(ALL) - set(on)
    assert all(why.startswith("off by default, ") for why in policy.off.values())


@pytest.mark.parametrize(
    ("changes", "sources"),
    [
        ({}, ALL),
        ({"generator": False}, ("noise", "substitute", "pool")),
        ({"pool": 0}, ("noise", "substitute", "rewrite", "generate", "inputs")),
        ({"regulated": True}, ("noise", "substitute", "rewrite", "generate", "inputs")),
        ({"regulated": True, "generator": False}, ("noise", "substitute")),
        ({"sources": ("pool", "noise")}, ("noise", "pool")),
    ],
)
def test_sources_are_what_remains_and_the_others_say_why(
    changes: dict[str, Any], sources: tuple[str, ...]
) -> None:
    policy = of(**changes)
    assert policy.sources == sources
    assert set(policy.off) == set(ALL) - set(sources)


def test_children_never_count_more_than_the_human_rows() -> None:
    assert of(size=50).weight == pytest.approx(0.25)
    assert of(size=500).weight == 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"accuracy": 0.5, "lower": None},
        {"accuracy": 0.5, "lower": 0.6},
        {"accuracy": 1.1},
        {"accuracy": float("nan")},
        {"size": -1},
        {"budget": -1},
        {"sources": ("magic",)},
    ],
)
def test_a_situation_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        of(**changes)


SHARES = st.floats(0, 1)
SITUATIONS = st.builds(
    lambda known, **rest: Situation(**rest, accuracy=max(known), lower=min(known)),
    known=st.tuples(SHARES, SHARES),
    size=st.integers(0, 3000),
    regulated=st.booleans(),
    budget=st.none() | st.integers(0, 5000),
    target=st.just(0.0) | SHARES,
    pool=st.integers(0, 3000),
    past=st.lists(
        st.builds(Gain, st.integers(1, 3000), st.floats(-0.2, 0.2), st.floats(0, 0.1)), max_size=4
    ).map(tuple),
    generator=st.booleans(),
    review=st.booleans(),
    sources=st.none() | st.lists(st.sampled_from(ALL), unique=True).map(tuple),
)


@given(SITUATIONS)
def test_what_always_holds(now: Situation) -> None:
    policy = decide(now)
    assert 0.0 <= policy.ratio <= 5.0
    assert policy.ratio * policy.weight <= 1.0 + 1e-9
    assert policy.expands == bool(policy.sources) == (policy.children(now.size) > 0)
    assert policy.review == (now.regulated or now.review)
    assert not (now.regulated and "pool" in policy.sources)
    assert set(policy.sources).isdisjoint(policy.off)
    assert set(policy.sources) <= set(ALL if now.sources is None else now.sources)
    if now.budget is not None:
        assert policy.children(now.size) <= now.budget
    assert any(c.isdigit() for c in policy.reason)


@given(SITUATIONS, SHARES, SHARES)
def test_better_accuracy_never_gives_a_higher_ratio(
    now: Situation, more: float, surer: float
) -> None:
    assert now.accuracy is not None and now.lower is not None
    accuracy = now.accuracy + more * (1 - now.accuracy)
    lower = min(accuracy, now.lower + surer * (1 - now.lower))
    better = replace(now, accuracy=min(1.0, accuracy), lower=min(lower, 1.0))
    assert decide(better).ratio <= decide(now).ratio + 1e-12


@given(st.integers(1, 3000), st.integers(0, 3000), st.tuples(SHARES, SHARES))
def test_more_human_examples_never_give_a_higher_ratio(
    size: int, more: int, known: tuple[float, float]
) -> None:
    now = replace(FREE, size=size, accuracy=max(known), lower=min(known), sources=("noise",))
    after = decide(replace(now, size=size + more)).ratio
    assert after <= decide(now).ratio + 1e-12 or decide(now).ratio * size < 1
