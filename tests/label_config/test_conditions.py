"""An answer counts only while the other answers show its control."""

from __future__ import annotations

import pytest

from label_config import (
    Choice,
    Condition,
    Quantity,
    Region,
    Schema,
    Written,
    drop_hidden,
    read_schema,
)

A = '<Choices name="a" toName="t"><Choice value="yes" alias="y"/><Choice value="no"/></Choices>'


def schema(*tags: str) -> Schema:
    return read_schema(f'<View><Text name="t" value="$text"/>{A}{"".join(tags)}</View>')


def shown(name: str, when: str) -> str:
    return (
        f'<Choices name="{name}" toName="t" {when}><Choice value="p"/><Choice value="q"/></Choices>'
    )


def answer(name: str, *labels: str) -> Choice:
    return Choice(name, "t", labels)


YES = 'visibleWhen="choice-selected" whenTagName="a" whenChoiceValue="yes"'
NOT_YES = 'visibleWhen="choice-unselected" whenTagName="a" whenChoiceValue="yes"'


def test_a_condition_is_read_from_the_control_and_every_view_around_it() -> None:
    made = schema(f"<View {NOT_YES}><View>{shown('b', YES)}</View></View>")
    assert made.controls[1].when == (Condition("a", ("y",)), Condition("a", ("y",), chosen=False))


@pytest.mark.parametrize(
    ("when", "given", "kept"),
    [
        (YES, "y", True),
        (YES, "no", False),
        (YES, None, False),
        (NOT_YES, "y", False),
        (NOT_YES, "no", True),
        (NOT_YES, None, True),
        ('visibleWhen="choice-selected" whenTagName="a"', "no", True),
        ('visibleWhen="choice-selected" whenTagName="a"', None, False),
        ('visibleWhen="no-region-selected"', None, True),
        ('whenTagName="a" whenChoiceValue="no,yes"', "y", True),
    ],
)
def test_an_answer_is_dropped_while_its_control_is_hidden(
    when: str, given: str | None, kept: bool
) -> None:
    others: tuple[Region, ...] = (answer("a", given),) if given else ()
    regions = (*others, answer("b", "p"))
    assert drop_hidden(schema(shown("b", when)), regions) == (regions if kept else others)


def test_the_answer_of_a_hidden_control_shows_nothing_either() -> None:
    made = schema(
        shown("b", YES),
        shown("c", 'visibleWhen="choice-selected" whenTagName="b" whenChoiceValue="p"'),
        shown("d", 'visibleWhen="choice-unselected" whenTagName="b" whenChoiceValue="p"'),
    )
    regions = (answer("a", "no"), answer("b", "p"), answer("c", "p"), answer("d", "p"))
    assert drop_hidden(made, regions) == (regions[0], regions[3])


def test_a_taxonomy_is_matched_by_the_last_part_of_a_path() -> None:
    made = read_schema(
        '<View><Text name="t" value="$text"/><Taxonomy name="tree" toName="t"><Choice value="x">'
        '<Choice value="y"/></Choice></Taxonomy><View visibleWhen="choice-selected" '
        'whenTagName="tree" whenChoiceValue="y"><Number name="n" toName="t"/></View></View>'
    )
    number = Quantity("n", "t", 3)
    assert drop_hidden(made, (answer("tree", "x / y"), number))[1:] == (number,)
    assert drop_hidden(made, (answer("tree", "x"), number))[1:] == ()


def test_what_depends_on_a_control_that_is_not_predicted_is_refused_with_its_own() -> None:
    made = schema(
        shown("b", 'visibleWhen="choice-selected" whenTagName="note"'),
        shown("c", 'visibleWhen="choice-selected" whenTagName="b"'),
        '<TextArea name="note" toName="t"/>',
    )
    assert [c.name for c in made.controls] == ["a", "note"]
    assert {u.name for u in made.unsupported} == {"b", "c"}
    assert all(u.remedy for u in made.unsupported)


def test_conditions_in_a_circle_come_to_an_end() -> None:
    made = schema(
        shown("b", 'visibleWhen="choice-selected" whenTagName="c"'),
        shown("c", 'visibleWhen="choice-selected" whenTagName="b"'),
    )
    both = (answer("b", "p"), answer("c", "p"))
    assert drop_hidden(made, both) == both
    assert drop_hidden(made, both[:1]) == ()


def test_the_editor_heeds_a_condition_on_choices_trees_texts_and_views_only() -> None:
    made = read_schema(
        '<View><Text name="t" value="$text"/>'
        '<Choices name="a" toName="t"><Choice value="p"/><Choice value="q"/></Choices>'
        '<Number name="n" toName="t" visibleWhen="choice-selected" whenTagName="a"/>'
        '<TextArea name="w" toName="t" visibleWhen="choice-selected" whenTagName="a"/></View>'
    )
    assert [c.when for c in made.controls] == [(), (), (Condition("a"),)]
    answers = (Choice("a", "t", ("p",)), Written("w", "t", "why"))
    assert drop_hidden(made, answers) == answers and drop_hidden(made, answers[1:]) == ()
