"""The share of blind tasks served, under Label Studio's ascending order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_config import Choice, Quantity, Region, Span, read_schema
from settings import Blind
from sync.order import Guess, answer_of, blind_places, confidence_place, shown_places

RULE = Blind(first_in=3, enough=30, then_in=6)


def serve(shown: dict[int, float], blind: dict[int, float]) -> list[bool]:
    """Which of the tasks served one after the other are blind."""
    queue = [(s, False) for s in shown.values()] + [(s, True) for s in blind.values()]
    assert len({score for score, _ in queue}) == len(queue), "ties are served in any order"
    return [is_blind for _, is_blind in sorted(queue)]


def places(
    confidences: list[float], blind: int, served: int = 0, labelled: int = 0
) -> tuple[dict[int, float], dict[int, float]]:
    shown = {i: confidence_place("1", i, c) for i, c in enumerate(confidences)}
    new = list(range(10_000, 10_000 + blind))
    return shown, blind_places(shown, {}, new, served=served, labelled=labelled, rule=RULE)


@given(st.lists(st.floats(0, 1), max_size=120), st.integers(0, 60), st.integers(0, 40))
def test_every_block_holds_one_blind_task(c: list[float], blind: int, labelled: int) -> None:
    shown, mine = places(c, blind, labelled=labelled)
    assert all(0.0 <= score <= 1.0 for score in mine.values())
    assert list(mine) == sorted(mine, key=lambda task: mine[task])  # the hash's order is kept
    stream, had, at = serve(shown, mine), labelled, 0
    plain = len(c)
    while plain and any(stream[at:]):
        every = RULE.first_in if had < RULE.enough else RULE.then_in
        due = at % every == every - 1
        assert stream[at] == due
        had, plain, at = had + stream[at], plain - (not stream[at]), at + 1


def test_equal_confidences_leave_room() -> None:
    shown, mine = places([0.5] * 100, 40)
    assert serve(shown, mine)[:90] == [False, False, True] * 30
    assert serve(shown, mine)[90:108] == [False] * 5 + [True] + [False] * 5 + [True] + (
        [False] * 5 + [True]
    )


def test_the_pattern_goes_on_where_the_last_push_stopped() -> None:
    shown, mine = places([0.1, 0.2, 0.3, 0.4, 0.5], 3, served=1)
    assert serve(shown, mine) == [False, True, False, False, True, False, False, True]


def test_later_blind_tasks_fill_in_around_those_waiting() -> None:
    shown = {i: confidence_place("1", i, i / 20) for i in range(12)}
    waiting = blind_places(shown, {}, [100, 101], served=0, labelled=0, rule=RULE)
    later = blind_places(shown, waiting, [200, 201], served=0, labelled=0, rule=RULE)
    assert serve(shown, waiting | later)[:12] == [False, False, True] * 4


def test_without_shown_tasks_the_blind_ones_still_get_scores() -> None:
    assert list(places([], 2)[1]) == [10_000, 10_001]


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 99), st.integers(0, 99))
def test_a_confidence_stays_what_it_is_to_its_last_digit(
    a: float, b: float, i: int, j: int
) -> None:
    here, there = confidence_place("1", i, a), confidence_place("1", j, b)
    assert 0.0 < here < 1.0 and abs(here - a) <= 1e-6
    if a - b >= 2e-6:
        assert here > there


def order(guesses: list[Guess], by_confidence: bool = True) -> list[int]:
    scores = shown_places("1", guesses, by_confidence=by_confidence)
    assert all(0.0 <= s <= 1.0 for s in scores.values())
    assert len(set(scores.values())) == len(guesses)
    return sorted(scores, key=lambda task: scores[task])


def test_with_one_answer_the_least_sure_comes_first() -> None:
    guesses = [Guess(n, ("a",), c) for n, c in enumerate((0.9, 0.2, 0.5, 0.4))]
    assert order(guesses) == [1, 3, 2, 0]


def test_predicted_answers_take_turns_however_unsure_one_of_them_is() -> None:
    unsure = [Guess(n, ("a",), 0.1 + n / 100) for n in range(6)]
    sure = [Guess(100 + n, ("b",), 0.9 + n / 100) for n in range(3)]
    assert order([*sure, *unsure]) == [0, 100, 1, 101, 2, 102, 3, 4, 5]


def test_the_cold_start_takes_turns_too_but_its_confidence_orders_nothing() -> None:
    def guesses(confidence: float) -> list[Guess]:
        return [Guess(n, ("ab"[n % 2],), (n * confidence) % 1) for n in range(40)]

    assert order(guesses(0.37), by_confidence=False) == order(guesses(0.91), by_confidence=False)
    first = order(guesses(0.37), by_confidence=False)
    assert all({first[i] % 2, first[i + 1] % 2} == {0, 1} for i in range(0, 40, 2))


def test_two_samples_of_the_tasks_interleave() -> None:
    guesses = [Guess(n, ("ab"[n % 2],), (n * 7 % 40) / 40) for n in range(40)]
    whole = shown_places("1", guesses, by_confidence=True)
    parts = {}
    for part in (guesses[:20], guesses[20:]):
        parts |= shown_places("1", part, by_confidence=True)
    far = [abs(whole[n] - parts[n]) for n in range(40)]
    assert max(far) < 0.15, "a task's place should not depend on the part it was sent in"


CONTROLS = {
    "spans": '<Labels name="s" toName="t"><Label value="X"/><Label value="Y"/></Labels>',
    "number": '<Number name="n" toName="t"/>',
    "many": '<Choices name="c" toName="t" choice="multiple"><Choice value="B"/><Choice value="A"/>'
    "</Choices>",
    "stars": '<Rating name="r" toName="t"/>',
}
SAID: list[Region] = [
    Quantity("n", "t", 3.0),
    Span("s", "t", 4, 5, "b", ("Y",)),
    Span("s", "t", 0, 1, "a", ("X",)),
    Span("s", "t", 2, 3, "c", ("Y",)),
    Choice("c", "t", ("B", "A")),
    Choice("r", "t", ("4",)),
]


@pytest.mark.parametrize(
    ("controls", "answer"),
    [
        (["spans", "number"], ("X", "Y")),
        (["number"], ()),
        (["number", "spans", "many"], ("A", "B")),
        (["stars", "many"], ("4",)),
    ],
)
def test_what_tasks_take_turns_over(controls: list[str], answer: tuple[str, ...]) -> None:
    inside = "".join(CONTROLS[c] for c in controls)
    schema = read_schema(f'<View><Text name="t" value="$t"/>{inside}</View>')
    names = {c.name for c in schema.controls}
    assert answer_of(schema, [r for r in SAID if r.from_name in names]) == answer
    assert answer_of(schema, []) == ()


def test_tasks_without_any_answer_are_served_by_confidence() -> None:
    guesses = [Guess(task, (), c) for task, c in ((1, 0.9), (2, 0.1), (3, 0.5))]
    places = shown_places("1", guesses, by_confidence=True)
    assert sorted(places, key=lambda task: places[task]) == [2, 3, 1]
    assert all(0 <= place <= 1 for place in places.values())
