"""Every kind reads back what it writes, allows it, and takes anything else in its stride."""

from __future__ import annotations

import random

import pytest

from label_config.controls import Control, Label
from label_config.values import Choice, Quantity, Region, Written
from lora.causal.kinds import kind_of
from tests.lora.causal.kinds.asked import allows, ask_of, labels

SCALE = tuple(str(i) for i in range(1, 6))
TREE = (Label("c", "c", None, ("Animals", "Cats")), Label("a", "a", None, ("Animals",)))
ONE = Control("one", "Choices", "t", "x", labels("Add To", "Get", "café 😀", 'say "no"', "none"))
MANY = Control("many", "Choices", "t", "x", labels("news", "sport", "none"), multiple=True)
PICKED = Control("picked", "Choices", "t", "x", options="labels")
TAXONOMY = Control("tree", "Taxonomy", "t", "x", TREE, multiple=True, nested=True)
STARS = Control("stars", "Rating", "t", "x", labels(*SCALE))
BETTER = Control("better", "Pairwise", "t", "x", labels("left", "right"), right_key="y")
PRICE = Control("price", "Number", "t", "x", low=-5, high=100, step=0.5)
TEXT = Control("text", "TextArea", "t", "x")

RIGHT: list[tuple[Control, Region, str]] = [
    (ONE, Choice("one", "t", ("café 😀",), 0.5), "café 😀"),
    (ONE, Choice("one", "t", ("none",), 0.5), "none"),
    (MANY, Choice("many", "t", ("news", "sport"), 0.5), "news\nsport"),
    (MANY, Choice("many", "t", ("none",), 0.5), "none"),
    (TAXONOMY, Choice("tree", "t", ("c", "a"), 0.5), "Animals / Cats\na"),
    (STARS, Choice("stars", "t", ("4",), 0.5), "4"),
    (BETTER, Choice("better", "t", ("right",), 0.5), "right"),
    (PRICE, Quantity("price", "t", -2.5, 0.5), "-2.5"),
    (PRICE, Quantity("price", "t", 100, 0.5), "100"),
    (TEXT, Written("text", "t", "two\n\nlines 👋🏽", 0.5), "two\n\nlines 👋🏽"),
]


@pytest.mark.parametrize(("control", "region", "answer"), RIGHT)
def test_an_answer_is_written_allowed_and_read(
    control: Control, region: Region, answer: str
) -> None:
    ask, kind = ask_of(control), kind_of(control)
    assert kind.write(ask, [region]) == answer
    assert kind.read(ask, answer, 0.5) == [region]
    assert kind.grammar(ask) is None or allows(ask, answer)
    assert len(answer.encode()) <= kind.most_tokens(ask)


@pytest.mark.parametrize("control", [ONE, MANY, TAXONOMY, STARS, BETTER, PRICE, TEXT])
def test_nobody_answered_and_other_controls_answers_are_nothing_to_learn(control: Control) -> None:
    other: list[Region] = [Choice("other", "t", ("news",)), Quantity("price2", "t", 1.0)]
    assert kind_of(control).write(ask_of(control), []) is None
    assert kind_of(control).write(ask_of(control), other) is None


def test_labels_the_config_lost_are_not_written() -> None:
    lost: list[Region] = [Choice("one", "t", ("gone",)), Choice("many", "t", ("gone", "sport"))]
    assert kind_of(ONE).write(ask_of(ONE), lost) is None
    assert kind_of(MANY).write(ask_of(MANY), lost) == "sport"


def test_labels_that_a_task_brings_are_its_options() -> None:
    ask = ask_of(PICKED, a=Label("1", "Red"), b=Label("2", "Blue"))
    assert [o.words for o in ask.options] == ["Red", "Blue"]
    assert kind_of(PICKED).write(ask, [Choice("picked", "t", ("2",))]) == "Blue"
    assert kind_of(PICKED).read(ask_of(PICKED), "Blue", 1.0) == []
    assert kind_of(PICKED).grammar(ask_of(PICKED)) is None


@pytest.mark.parametrize(
    ("answer", "value"),
    [("1e9", 1.0), ("99999999", 100), ("-7", -5), ("about 3.3 km", 3.5), ("٣", None), ("x", None)]
    + [("9" * 400, 100), ("-", None), ("nan", None)],
)
def test_a_number_is_put_within_what_the_config_allows(answer: str, value: float | None) -> None:
    got = kind_of(PRICE).read(ask_of(PRICE), answer, 1.0)
    assert [r.value for r in got if isinstance(r, Quantity)] == ([] if value is None else [value])


def test_the_grammar_of_a_number_knows_sign_and_step() -> None:
    whole = Control("n", "Number", "t", "x", low=0, high=9, step=1)
    assert allows(ask_of(whole), "7")
    assert not allows(ask_of(whole), "-7") and not allows(ask_of(whole), "7.5")
    assert allows(ask_of(PRICE), "-7.5") and not allows(ask_of(PRICE), "7.")


@pytest.mark.parametrize("value", [1e300, -1e300, 1e-300, 0.1 + 0.2, -0.0, 123456.75, 1e15])
def test_every_number_is_written_so_that_the_grammar_allows_it(value: float) -> None:
    free = Control("price", "Number", "t", "x")
    answer = kind_of(free).write(ask_of(free), [Quantity("price", "t", value)])
    assert answer is not None and allows(ask_of(free), answer)


def test_the_word_for_nothing_is_never_a_label() -> None:
    required = Control("r", "Choices", "t", "x", labels("a", "b"), multiple=True, required=True)
    assert allows(ask_of(MANY), "nothing") and allows(ask_of(MANY), "none")
    assert kind_of(MANY).read(ask_of(MANY), "nothing", 1.0) == []
    assert not allows(ask_of(required), "none")


def test_a_label_is_said_once_and_in_the_order_of_the_config() -> None:
    assert allows(ask_of(MANY), "news\nsport\nnone") and allows(ask_of(MANY), "sport")
    assert not allows(ask_of(MANY), "news\nnews") and not allows(ask_of(MANY), "sport\nnews")


def test_case_and_space_are_forgiven_where_no_grammar_held_the_model() -> None:
    assert kind_of(ONE).read(ask_of(ONE), " add  to \nand more", 0.5) == [
        Choice("one", "t", ("Add To",), 0.5)
    ]
    assert kind_of(ONE).read(ask_of(ONE), "something else", 0.5) == []


def test_a_space_at_the_end_of_a_text_is_not_learned_and_a_text_of_space_is_none() -> None:
    assert kind_of(TEXT).write(ask_of(TEXT), [Written("text", "t", " said \n")]) == "said"
    assert kind_of(TEXT).read(ask_of(TEXT), " \n\ufffd", 1.0) == []


@pytest.mark.parametrize("control", [ONE, MANY, TAXONOMY, STARS, BETTER, PRICE, TEXT, PICKED])
def test_no_answer_raises(control: Control) -> None:
    draw = random.Random(0)
    signs = [
        "\n",
        ":",
        " ",
        "none",
        "news",
        "-",
        "9" * 20,
        "👋🏽",
        "\ud800",
        "\x00",
        "left",
        "{",
        '"',
    ]
    for _ in range(500):
        answer = "".join(draw.choices(signs, k=draw.randrange(12)))
        for region in kind_of(control).read(ask_of(control), answer, 0.5):
            assert region.from_name == control.name
            assert not isinstance(region, Choice) or set(region.labels) <= set(control.values)


def test_150_labels_of_any_signs_make_a_grammar() -> None:
    names = [f'{i}: "x"\n\\{chr(0x1F300 + i)}\t/a|b/' for i in range(150)]
    for several in (False, True):
        control = Control("c", "Choices", "t", "x", labels(*names), multiple=several)
        ask = ask_of(control)
        answer = kind_of(control).write(ask, [Choice("c", "t", (names[149],))])
        assert answer is not None and allows(ask, answer) and not allows(ask, answer + "x")
