"""What becomes of each label: counts by label, and which one is taken for which."""

from __future__ import annotations

from label_config.controls import Schema
from label_config.schema import read_schema
from label_config.values import Choice, Region, Span
from lora.labelled import MOST_CONFUSED, by_label

CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/><Choice value="d"/></Choices>
<Labels name="s" toName="t"><Label value="x"/><Label value="y"/></Labels>
<Rating name="r" toName="t"/></View>"""


def schema() -> Schema:
    return read_schema(CONFIG)


def said(label: str, *spans: tuple[int, int, str]) -> tuple[Region, ...]:
    marked = (Span("s", "t", a, b, "w" * (b - a), (name,)) for a, b, name in spans)
    return (Choice("c", "t", (label,)), *marked)


def test_each_label_has_its_support_and_what_became_of_it() -> None:
    gold = [said("a"), said("a"), said("b"), said("b")]
    got = [said("a"), said("b"), said("b"), said("a")]
    found = by_label(schema(), gold, got, [{}] * 4)
    # rows that people gave it in, right, false, missed
    assert found["c"]["labels"] == {"a": [2, 1, 1, 1], "b": [2, 1, 1, 1]}
    assert found["c"]["confused"] == [["a", "b", 1], ["b", "a", 1]]
    assert set(found) <= {"c", "s"}, "a rating has no labels that are confused"


def test_a_span_at_the_same_place_with_another_label_is_taken_for_it() -> None:
    gold = [said("a", (0, 3, "x"), (5, 8, "x")), said("a", (0, 3, "y"))]
    got = [said("a", (0, 3, "y"), (5, 7, "x")), said("a")]
    found = by_label(schema(), gold, got, [{}, {}])
    assert found["s"]["confused"] == [["x", "y", 1]]
    assert found["s"]["labels"] == {"x": [1, 0, 1, 2], "y": [1, 0, 1, 1]}


def test_a_label_that_nobody_gave_and_the_model_says_has_no_support() -> None:
    found = by_label(schema(), [said("a")], [said("d")], [{}])
    assert found["c"]["labels"] == {"a": [1, 0, 0, 1], "d": [0, 0, 1, 0]}


def test_labels_that_were_not_on_offer_do_not_count() -> None:
    got = [said("a", (0, 3, "y"))]
    assert "s" not in by_label(schema(), [said("a")], got, [{"s": ["y"]}])


def test_the_most_confused_pairs_come_first_and_are_no_more_than_so_many() -> None:
    names = [f"l{i:02}" for i in range(MOST_CONFUSED + 5)]
    choices = "".join(f'<Choice value="{n}"/>' for n in names)
    text = '<Text name="t" value="$text"/>'
    own = read_schema(f'<View>{text}<Choices name="c" toName="t">{choices}</Choices></View>')
    gold = [said(n) for n in names[1:]] + [said(names[7])]
    found = by_label(own, gold, [said(names[0])] * len(gold), [{}] * len(gold))
    assert found["c"]["confused"][0] == [names[7], names[0], 2]
    assert len(found["c"]["confused"]) == MOST_CONFUSED
