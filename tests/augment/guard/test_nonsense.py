import math
from dataclasses import replace
from itertools import product

import pytest

from augment.guard.fit import fit_thresholds
from augment.guard.letters import Letters, repeats
from augment.guard.nonsense import nonsense
from augment.guard.values import Thresholds
from label_config.controls import InvalidValue
from tests.augment.guard.made import POOL, ROWS, SCHEMA, child, context

HERE = context()
BARS = fit_thresholds(SCHEMA, ROWS, POOL)


def refused(text: str) -> str | None:
    return nonsense([child(text, "generate", answers=())], HERE, BARS)[0]


@pytest.mark.parametrize(
    "text",
    [
        "lskdjf wqpoeiru zmxncbv qpwo lamp",
        "Where is my lamp xkqvzjw qzxkvwjq",
        "\u200b\u2060\u2061\u2062 ⟦⟧⟦⟧ ⌁⌂⌃⌄⌅⌆⌇⌈⌉⌊⌋",
        "the lamp the lamp the lamp the lamp the lamp",
        "ha" * 30,
    ],
)
def test_letters_in_no_order_and_loops_are_refused_with_their_measure(text: str) -> None:
    why = refused(text)
    assert why is not None and any(c.isdigit() for c in why)


@pytest.mark.parametrize(
    "text",
    [
        "I still wait for the kettle.",
        "WHERE IS MY RADIO",
        "wheer is my lamp",
        "please pay back the desk I ordered",
    ],
)
def test_what_sounds_like_the_projects_people_stays(text: str) -> None:
    assert refused(text) is None


def test_a_project_of_another_script_knows_its_own_words() -> None:
    words = ("карта", "платёж", "счёт", "перевод", "вклад")
    texts = [f"где {a} и мой {b}" for a in words for b in words]
    model = Letters(texts)
    right, wrong = model(["где мой платёж", "where is the payment"])
    assert wrong > 2 * right


def test_a_likelihood_passed_in_is_asked_instead() -> None:
    asked: list[str] = []

    def likely(texts: list[str]) -> list[float]:
        asked.extend(texts)
        return [9.0 if "lamp" in t else 1.0 for t in texts]

    here = replace(HERE, surprise=likely)
    bars = Thresholds(surprise=2.0)
    made = [child("a lamp", "generate", answers=()), child("a desk", "generate", answers=())]
    first, second = nonsense(made, here, bars)
    assert first == "its surprise is 9.00 nats; 2.00 is the most" and second is None
    assert asked == ["a lamp", "a desk"]


@pytest.mark.parametrize("nats", [[math.nan], [math.inf]])
def test_a_likelihood_that_is_no_number_lets_nothing_through(nats: list[float]) -> None:
    here = replace(HERE, surprise=lambda texts: nats)
    assert nonsense([child("a lamp")], here, Thresholds(surprise=2.0))[0] is not None


def test_a_likelihood_that_lost_a_text_is_named() -> None:
    here = replace(HERE, surprise=lambda texts: [])
    with pytest.raises(InvalidValue, match="1 texts came as 0 numbers"):
        nonsense([child("a lamp")], here, Thresholds(surprise=2.0))


def test_letters_are_foretold_as_probabilities() -> None:
    model = Letters(["ab", "ba", "a", "ab"])
    every = ["".join(letters) for n in range(9) for letters in product("ab", repeat=n)]
    chances = [math.exp(-nats * (len(t) + 1)) for t, nats in zip(every, model(every), strict=True)]
    assert 0.9 < sum(chances) < 1.0  # what is left is for longer texts and unknown letters
    assert chances[every.index("ab")] == max(chances)
    assert model([]) == [] and Letters([])(["x"])[0] >= 0


def test_repeats_counts_pieces_that_were_there_before() -> None:
    assert repeats("abcdefghij") == 0.0
    assert repeats("ab" * 20) > 0.8
