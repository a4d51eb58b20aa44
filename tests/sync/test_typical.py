"""Typical tasks first, then the least sure of each cluster; by turns where no vectors are known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from label_config import read_schema
from sync.order import Guess, shown_places
from sync.typical import (
    BLOCK,
    FRONT,
    LEAST,
    Floats,
    Line,
    Taught,
    is_early,
    labels_of,
    places,
    ranked,
)

SIZES = (60, 35, 34)
CLUSTER = np.repeat(range(3), SIZES)
VECTORS: Floats = 10 * np.eye(6)[CLUSTER] + np.random.default_rng(0).normal(0, 0.5, (129, 6))
CENTRES: Floats = 10 * np.eye(6)[:3]
COLD, TAUGHT = Taught(0, (), False), Taught(20, (), True)
ALL = Line(0, len(VECTORS))


def raw(vector: Floats) -> bytes:
    return vector.astype("<f2").tobytes()


def guesses(sure: Sequence[float] | None = None, said: Sequence[str] | None = None) -> list[Guess]:
    return [
        Guess(i, (said[i] if said else "a",), sure[i] if sure else 0.5, raw(v))
        for i, v in enumerate(VECTORS)
    ]


def first(taught: Taught, some: list[Guess] | None = None) -> list[int]:
    order = ranked(some or guesses(), taught, 3)
    assert order is not None and sorted(order) == list(range(len(VECTORS)))
    return order


def test_while_cold_typical_texts_of_every_cluster_come_first() -> None:
    order = first(COLD)[:BLOCK]
    assert set(CLUSTER[order]) == {0, 1, 2}
    far = np.linalg.norm(VECTORS - CENTRES[CLUSTER], axis=1)
    assert np.mean(far[order]) < np.mean(far)


def test_clusters_with_answers_wait_for_the_others() -> None:
    answers = [raw(v) for v in VECTORS[CLUSTER == 0]]
    order = first(Taught(len(answers), answers, False))
    of_others = np.count_nonzero(CLUSTER[order[:BLOCK]])
    assert of_others > np.count_nonzero(CLUSTER[first(COLD)[:BLOCK]])


@pytest.mark.parametrize(
    ("answers", "learned", "early"), [(5, True, True), (6, True, False), (500, False, True)]
)
def test_it_is_early_until_two_answers_a_label_and_an_adapter(
    answers: int, learned: bool, early: bool
) -> None:
    assert is_early(3, answers, learned) is early


def test_a_long_list_of_labels_does_not_keep_it_early_for_ever() -> None:
    assert is_early(5000, 499, True) and not is_early(5000, 500, True)


def test_it_turns_from_typical_to_unsure_within_one_queue() -> None:
    sure = [0.9] * len(VECTORS)
    for task in (3, 70, 100):
        sure[task] = 0.1
    order = first(Taught(0, (), True), guesses(sure))  # 3 labels: early for the first block alone
    assert {3, 70, 100} - set(order[:BLOCK]) <= set(order[BLOCK : 2 * BLOCK])


def test_later_the_least_sure_of_each_cluster_come_first() -> None:
    sure = [0.9] * len(VECTORS)
    for task in range(40):  # the least sure are all of one cluster
        sure[task] = 0.1 + task / 1000
    for task in (70, 100):
        sure[task] = 0.2
    assert {0, 70, 100} <= set(first(TAUGHT, guesses(sure))[:BLOCK])


def test_within_a_block_each_predicted_answer_has_its_turn() -> None:
    said = ["a"] * len(VECTORS)
    sure = [0.9] * len(VECTORS)
    said[70], sure[70] = "b", 0.5
    assert 70 in first(TAUGHT, guesses(sure, said))[:2]


def test_the_front_comes_before_what_is_behind_it_and_parts_of_each_interleave() -> None:
    half, total = len(VECTORS) // 2, 4 * FRONT
    some = guesses()
    front, way = places("1", some[:half], COLD, 3, Line(0, total))
    more, _ = places("1", some[half:], COLD, 3, Line(half, total))
    assert way == "typical"
    assert 0 < min(front.values()) < max(more.values()) < 0.25
    assert min(more.values()) < max(front.values())
    behind, way = places("1", some, COLD, 3, Line(FRONT, total))
    assert way == "turns" and min(behind.values()) > 0.25 and max(behind.values()) <= 1
    assert len({*front.values(), *more.values(), *behind.values()}) == 2 * len(VECTORS)


def test_a_front_with_hardly_any_room_takes_nobody() -> None:
    assert Line(FRONT - LEAST, 9999).room == LEAST and Line(FRONT - LEAST + 1, 9999).room == 0
    assert Line(0, 10).front == 1 and Line(0, 0).front == 1


@pytest.mark.parametrize("odd", [None, b"", b"123", b"1234", raw(np.full(6, np.nan))])
def test_a_text_without_a_vector_comes_behind_the_others_of_its_part(odd: bytes | None) -> None:
    some = guesses()
    some[0] = Guess(0, ("a",), 0.5, odd)
    found, way = places("1", some, COLD, 3, ALL)
    assert way == "typical" and max(found, key=lambda task: found[task]) == 0


def test_without_vectors_the_order_is_what_it_was() -> None:
    some = [Guess(g.task, g.answer, g.confidence) for g in guesses()]
    found = places("1", some, TAUGHT, 3, ALL)
    assert found == (shown_places("1", some, by_confidence=True), "turns")


def test_answers_of_another_base_are_left_out_and_equal_texts_do() -> None:
    odd = Taught(2, (raw(np.ones(9)), raw(np.full(6, np.inf))), False)
    assert first(odd) == first(COLD)
    same = [Guess(i, (), 0.5, raw(np.ones(6))) for i in range(60)]
    for taught in (COLD, TAUGHT):
        order = ranked(same, taught, 3)
        assert order is not None and sorted(order) == list(range(60))
    assert ranked(same[: LEAST - 1], COLD, 3) is None and ranked([], COLD, 3) is None


def test_labels_are_those_of_the_control_with_the_most() -> None:
    inside = (
        '<Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/><Choice value="c"/>'
        '</Choices><Number name="n" toName="t"/>'
    )
    config = '<View><Text name="t" value="$t"/>{}</View>'
    assert labels_of(read_schema(config.format(inside))) == 3
    assert labels_of(read_schema(config.format('<Number name="n" toName="t"/>'))) == 2


def test_it_takes_no_torch() -> None:
    """scikit-learn would bring it along; sync does without."""
    code = (
        "import sys, numpy as np; from sync.typical import clusters; "
        "clusters(np.eye(60), 2 - 2 * np.eye(60), 5); "
        "assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
