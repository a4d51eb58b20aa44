from dataclasses import replace

import pytest

from augment.guard.shape import shape
from augment.guard.values import Thresholds
from augment.values import Made
from label_config.controls import Label
from label_config.schema import read_schema
from label_config.values import Choice, Example, Quantity, Region, Written
from tests.augment.guard.made import PARENT, child, context, example, intent, span

HERE = context()


def refused(made: Made) -> str | None:
    return shape(made, HERE, Thresholds())


@pytest.mark.parametrize(
    ("text", "transform"),
    [
        ("Could you tell me where my lamp is?", "rewrite"),
        ("wheres my lamp", "noise"),
        ("my lamp 👩‍👩‍👧 where?", "generate"),
        ("where\r\nis my lamp?\t", "noise"),
        ("\u202bאיפה lamp\u202c", "rewrite"),
    ],
)
def test_a_row_as_an_annotator_could_make_it_stays(text: str, transform: str) -> None:
    assert refused(child(text, transform)) is None


LAMP = "Where is that lamp?"
BAD: list[tuple[Made, str]] = [
    (replace(child(LAMP), parent="annotation-999"), "none of the 49 originals"),
    (replace(child(LAMP), texts={"body": LAMP}), "2 data key(s) are not its parent's or missing"),
    (replace(child(LAMP), texts={"text": " \n\u3000"}), "3 code points and all are blank"),
    (replace(child(LAMP), texts={"text": "la\ufffdmp\x00"}), "2 code point(s) that no text has"),
    (replace(child(LAMP), texts={"text": "lamp \ud83d"}), "1 code point(s) that no text has"),
    (child(LAMP, answers=()), "it has 0 answers"),
    (child(LAMP, answers=(Choice("mood", "text", ("x",)),)), "'mood' on 'text'"),
    (child(LAMP, answers=(Choice("intent", "body", ("order",)),)), "'intent' on 'body'"),
    (child(LAMP, answers=(intent("order"), intent("order"))), "is answered 2 times"),
    (child(LAMP, "generate", answers=(intent("praise"),)), "1 label(s) were not on offer"),
    (child(LAMP, "generate", answers=(Choice("intent", "text", ("order", "login")),)), "takes 1"),
    (
        child(LAMP, answers=(Choice("entity", "text", ("product",)),)),
        "1 answer of 'entity', a Labels, is a Choice",
    ),
    (
        child(LAMP, answers=(Quantity("intent", "text", 1.0),)),
        "1 answer of 'intent', a Choices, is a Quantity",
    ),
    (child(LAMP, answers=(Written("intent", "text", "order"),)), "a Choices, is a Written"),
]


@pytest.mark.parametrize(("made", "says"), BAD, ids=[says for _, says in BAD])
def test_what_is_no_row_of_the_config_is_refused_with_the_count(made: Made, says: str) -> None:
    assert says in str(refused(made))


def test_a_transform_that_restates_keeps_the_answers_and_one_that_generates_need_not() -> None:
    other = (intent("refund"), span(LAMP, "lamp"))
    assert "2 answer(s) differ" in str(refused(child(LAMP, "rewrite", answers=other)))
    assert "2 answer(s) differ" in str(refused(child(LAMP, "noise-typo", answers=other)))
    assert refused(child(LAMP, "generate", answers=other)) is None


NUMBERS = read_schema(
    '<View><Text name="t" value="$t"/><Number name="n" toName="t" min="0" max="10"/>'
    '<Choices name="a" toName="t"><Choice value="yes"/><Choice value="no"/></Choices>'
    '<Choices name="b" toName="t" visibleWhen="choice-selected" whenTagName="a" '
    'whenChoiceValue="yes"><Choice value="x"/></Choices>'
    '<Choices name="d" toName="t" value="$options"/></View>'
)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ((Quantity("n", "t", 10.0),), None),
        ((Quantity("n", "t", 10.5),), "is 10.5, outside 0.0 to 10.0"),
        ((Choice("a", "t", ("yes",)), Choice("b", "t", ("x",))), None),
        ((Choice("a", "t", ("no",)), Choice("b", "t", ("x",))), "1 hidden control(s)"),
        ((Choice("d", "t", ("its own",)),), None),
        ((Choice("d", "t", ("another's",)),), "1 label(s) were not on offer for 'd'"),
    ],
)
def test_bounds_conditions_and_a_tasks_own_options_hold(
    answers: tuple[Region, ...], says: str | None
) -> None:
    first = Quantity("n", "t", 1.0)
    row = Example("p", 1, "g", "train", {"t": "three of them"}, (first,))
    row = replace(row, options={"d": (Label("its own", "its own"),)})
    made = Made("p", {"t": "there are three"}, answers, "generate")
    why = shape(made, context((row,), schema=NUMBERS), Thresholds())
    assert why is None if says is None else says in str(why)


def test_a_label_that_the_parents_annotator_could_not_mark_is_refused() -> None:
    late = replace(example(1, LAMP, span(LAMP, "lamp")), unasked={"entity": ("day",)})
    made = child(LAMP + " Friday?", "generate", late, (span("a Friday", "Friday", "day"),))
    assert "not on offer for 'entity'" in str(shape(made, context((late,)), Thresholds()))
    assert PARENT.unasked == {}
