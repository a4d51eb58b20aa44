from dataclasses import replace

import numpy as np
import pytest

from augment.guard.fit import fit_thresholds
from augment.guard.values import Judges, Thresholds
from augment.guard.vectors import row_vectors
from label_config.controls import InvalidValue
from label_config.values import Example, Inputs, Span
from tests.augment.guard.made import POOL, ROWS, SCHEMA, ByWord, WordVectors, child, example, intent

WORDS = {"money": "refund", "broken": "refund", "password": "login", "sign": "login"}
FOLD = {e.id: i % 2 for i, e in enumerate(ROWS)}


def vectors(rows: tuple[Example, ...]) -> np.ndarray:
    return row_vectors(WordVectors(), [e.texts for e in rows])


def test_bars_are_the_same_whatever_the_order_of_rows_and_pool() -> None:
    one = fit_thresholds(SCHEMA, ROWS, POOL, vectors(ROWS))
    back = tuple(reversed(ROWS))
    assert fit_thresholds(SCHEMA, back, POOL[::-1], vectors(back)) == one


def test_below_twenty_rows_the_stated_values_stand() -> None:
    few = ROWS[:12]
    bars = fit_thresholds(SCHEMA, few, (), vectors(few))
    stated = Thresholds()
    for name in ("surprise", "repeats", "jaccard", "cosine", "leak_jaccard", "leak_cosine"):
        assert getattr(bars, name) == getattr(stated, name), name
    assert (bars.agreement, bars.centroid, bars.rows) == (stated.agreement, None, 12)
    shortest = min(len(e.texts["text"]) for e in few)
    longest = max(len(e.texts["text"]) for e in few)
    assert bars.lengths == {"text": (pytest.approx(shortest / 3, abs=0.1), longest * 3.0)}
    products = vectors(few) @ vectors(few).T
    assert bars.nearest == pytest.approx(float(products.min()), abs=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_none_or_one_row_sets_no_bar_but_the_stated(count: int) -> None:
    rows = ROWS[:count]
    bars = fit_thresholds(SCHEMA, rows, (), vectors(rows) if rows else None)
    assert replace(bars, lengths={}, rows=0) == Thresholds()


def test_a_pool_teaches_letters_where_rows_are_few() -> None:
    pool = [{"text": f"{e.texts['text']} thanks"} for e in ROWS]
    assert fit_thresholds(SCHEMA, ROWS[:3], pool).surprise is not None


def test_lengths_hold_nearly_all_own_rows_and_a_margin() -> None:
    low, high = fit_thresholds(SCHEMA, ROWS).lengths["text"]
    lengths = [len(e.texts["text"]) for e in ROWS]
    assert low < min(lengths) and high > 1.4 * max(lengths)


def test_rows_of_one_group_do_not_raise_the_near_duplicates_bar() -> None:
    apart = [example(i, w, intent("order")) for i, w in enumerate(SEPARATE)]
    copies = [replace(e, id=f"{e.id}-again") for e in apart]
    base = fit_thresholds(SCHEMA, apart).jaccard
    assert fit_thresholds(SCHEMA, [*apart, *copies]).jaccard == base == Thresholds.jaccard
    strangers = [replace(e, group=f"{e.group}-again") for e in copies]
    assert fit_thresholds(SCHEMA, [*apart, *strangers]).jaccard == 0.95


SEPARATE = tuple(f"{a} {b}" for a in ("lamp", "desk", "radio", "sofa", "rug") for b in "abcde")


def test_the_leak_bars_are_never_fitted_looser_than_a_group() -> None:
    rows = [
        example(
            i,
            f"Card payment number {i} to the shop at the corner of the old market",
            intent("order"),
        )
        for i in range(40)
    ]
    bars = fit_thresholds(SCHEMA, rows, (), row_vectors(WordVectors(), [e.texts for e in rows]))
    assert bars.jaccard > 0.8 and bars.leak_jaccard == 0.8 and bars.leak_cosine <= 0.99
    for wrong in ({"leak_jaccard": 0.9}, {"leak_cosine": 1.0}, {"leak_jaccard": 0.0}):
        with pytest.raises(InvalidValue, match="cannot be loosened"):
            replace(bars, **wrong)


def test_a_sure_judges_bar_parts_right_from_wrong_and_a_guessing_ones_refuses_nothing() -> None:
    good = Judges(FOLD, (ByWord(WORDS), ByWord(WORDS)))
    sure = fit_thresholds(SCHEMA, ROWS, judges=good).agreement

    def guess(rows: list[Inputs]) -> list[dict[str, dict[str, float]]]:
        names = ("order", "refund", "login")
        tops = [names[sum(map(ord, r.texts["text"])) % 3] for r in rows]
        return [{"intent": {n: 0.34 if n == top else 0.33 for n in names}} for top in tops]

    unsure = fit_thresholds(SCHEMA, ROWS, judges=Judges(FOLD, (guess, guess))).agreement
    assert 0.125 < sure < 1.0  # a wrong label's share is 0.1 of 0.8, a right one's 1
    assert unsure < 0.97  # each label's share of the likeliest one's: nothing is refused


def test_the_spans_bar_is_what_the_worst_tenth_of_people_reach() -> None:
    def all_but_three(rows: list[Inputs]) -> list[tuple[Span, ...]]:
        own = {e.texts["text"]: tuple(a for a in e.answers if isinstance(a, Span)) for e in ROWS}
        lost = {e.texts["text"] for e in ROWS[:3]}
        return [() if r.texts["text"] in lost else own[r.texts["text"]] for r in rows]

    judges = Judges(FOLD, (), (all_but_three, all_but_three))
    assert fit_thresholds(SCHEMA, ROWS, judges=judges).marked == 1.0
    none = Judges(FOLD, (), (lambda rows: [()] * len(rows),) * 2)
    assert fit_thresholds(SCHEMA, ROWS, judges=none).marked == 0.0


def test_a_likelihood_passed_in_sets_its_own_bar() -> None:
    bars = fit_thresholds(SCHEMA, ROWS, surprise=lambda texts: [float(len(t)) for t in texts])
    longest = max(len(e.texts["text"]) for e in ROWS)
    assert bars.surprise is not None and longest - 2 < bars.surprise <= longest


def test_nothing_is_fitted_on_the_holdout_or_on_children() -> None:
    made = child("Is the lamp here").as_example(ROWS[0], 0.5)
    for row in (replace(ROWS[0], side="holdout"), made):
        with pytest.raises(InvalidValue, match="fitted on human train rows; 1 are not"):
            fit_thresholds(SCHEMA, [row, *ROWS[1:]])


def test_thresholds_out_of_range_are_named() -> None:
    with pytest.raises(InvalidValue, match="threshold agreement is 1.5"):
        Thresholds(agreement=1.5)
    with pytest.raises(InvalidValue, match="threshold nearest is nan"):
        Thresholds(nearest=float("nan"))
