"""What people approved under a label config that changed meanwhile: what fits stays, the rest is
named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from label_config.values import Choice, Example, Origin, Snapshot, Span
from settings import Settings
from sync.refit import (
    GONE,
    LOST,
    OTHER_ANSWER,
    OTHER_KEYS,
    OTHER_TEXT,
    PARENT_LOST,
    Fitted,
    refit,
)


def config(labels: str = "AB", spans: str = "XY", key: str = "text", more: str = "") -> str:
    choices = "".join(f'<Choice value="{v}"/>' for v in labels)
    marks = "".join(f'<Label value="{v}"/>' for v in spans)
    return (
        f'<View><Text name="t" value="${key}"/>'
        f'<Choices name="c" toName="t" choice="multiple">{choices}</Choices>'
        f'<Labels name="s" toName="t">{marks}</Labels>{more}</View>'
    )


TEXT = "the first lamp is broken"
ANSWERS = (Choice("c", "t", ("A", "B")), Span("s", "t", 4, 9, "first", ("X",)))
PARENT = Example("p", 7, "g7", "train", {"text": TEXT}, ANSWERS, Origin(annotation=1))
BLIND = Example("b", 9, "g9", "holdout", {"text": "is anybody there"}, ANSWERS[:1])
OWN = Snapshot("1", config(), (PARENT, BLIND))


def child(*answers: Choice | Span, text: str = "it is the first lamp that broke") -> Example:
    origin = Origin("synthetic", 1, "p", "rewrite", "smollm", weight=0.3, approved_by=2)
    return Example("synthetic-1", 7, "g7", "train", {"text": text}, answers, origin)


CHILD = child(Choice("c", "t", ("A", "B")), Span("s", "t", 10, 15, "first", ("X",)))


def beside(
    xml: str | None = None, parent: Example | None = PARENT, *rows: Example, made: Example = CHILD
) -> Fitted:
    own = [parent] if parent else []
    newest = Snapshot("1", xml or config(), (*own, *(rows or (BLIND,))))
    return refit([made], OWN, newest, Settings(), {7: {"text": TEXT, "note": "n"}})


def test_under_the_same_config_a_child_stays_as_it_was_approved() -> None:
    assert beside() == Fitted((CHILD,))


def test_a_child_moves_to_its_parents_group_of_today() -> None:
    (row,) = beside(config(more="<Header/>"), replace(PARENT, group="g2")).rows
    assert row == replace(CHILD, group="g2")


def test_a_label_that_went_leaves_the_rest_of_the_answer_and_is_counted() -> None:
    after = replace(PARENT, answers=(Choice("c", "t", ("B",)), ANSWERS[1]))
    found = beside(config("BC"), after)
    (row,) = found.rows
    assert row.answers == (Choice("c", "t", ("B",)), CHILD.answers[1])
    assert found.lost == {"c": {"A": 1}} and not found.dropped
    assert row.origin.approved_by == 2


def test_a_child_of_which_nothing_is_left_is_dropped_and_what_went_is_named() -> None:
    made = child(Choice("c", "t", ("A",)))
    before = replace(PARENT, answers=(Choice("c", "t", ("A",)), ANSWERS[1]))
    own = replace(OWN, examples=(before, BLIND))
    after = replace(PARENT, answers=(ANSWERS[1],))
    newest = Snapshot("1", config("BC"), (after, BLIND))
    found = refit([made], own, newest, Settings(), {})
    assert not found.rows and found.dropped == {made.id: f"{LOST}: c A"} and not found.lost


def test_a_child_goes_where_its_parent_goes_whose_label_went() -> None:
    found = beside(config("CD", "Z"), None, made=child(Choice("c", "t", ("C",))))
    assert found == Fitted((), {CHILD.id: PARENT_LOST})
    assert beside(config("BC"), None).dropped == {CHILD.id: GONE}, "B would be left"


def test_a_whole_control_that_went_takes_its_answers_along() -> None:
    marks = '<Labels name="s" toName="t"><Label value="X"/></Labels>'
    xml = f'<View><Text name="t" value="$text"/>{marks}</View>'
    found = beside(xml, replace(PARENT, answers=ANSWERS[1:]))
    (row,) = found.rows
    assert row.answers == CHILD.answers[1:] and found.lost == {"c": {"A": 1, "B": 1}}


def test_a_label_of_spans_that_came_later_was_not_asked_of_the_child() -> None:
    after = replace(PARENT, unasked={"s": ("Z",)})
    (row,) = beside(config(spans="XYZ"), after).rows
    assert row == replace(CHILD, unasked={"s": ("Z",)})
    (row,) = beside(
        config(spans="XYZ")
    ).rows  # the parent was answered again since, with Z on offer
    assert row.unasked == {"s": ("Z",)}
    new = '<Labels name="u" toName="t"><Label value="U"/></Labels>'
    (row,) = beside(config(more=new)).rows
    assert row.unasked == {"u": ("U",)}


def test_an_answer_to_a_new_control_does_not_part_a_parent_from_its_child() -> None:
    more = '<Choices name="n" toName="t"><Choice value="N"/><Choice value="M"/></Choices>'
    after = replace(PARENT, answers=(*ANSWERS, Choice("n", "t", ("N",))))
    assert beside(config(more=more), after).rows == (CHILD,)


@pytest.mark.parametrize("xml", [config(), config("ABC")])
@pytest.mark.parametrize(
    ("after", "why"),
    [
        (None, GONE),
        (replace(PARENT, texts={"text": "another lamp is broken"}), OTHER_TEXT),
        (replace(PARENT, answers=ANSWERS[:1]), OTHER_ANSWER),
        (replace(PARENT, answers=(Choice("c", "t", ("B",)), ANSWERS[1])), OTHER_ANSWER),
    ],
)
def test_a_child_whose_parent_is_another_by_now_is_dropped(
    xml: str, after: Example | None, why: str
) -> None:
    assert beside(xml, after) == Fitted((), {CHILD.id: why})


def test_a_config_that_reads_other_texts_drops_it() -> None:
    found = beside(config(key="body"), replace(PARENT, texts={"body": TEXT}))
    assert found.dropped == {CHILD.id: OTHER_KEYS}


def test_a_newer_blind_text_that_it_gives_away_drops_it_and_is_not_told() -> None:
    blind = replace(BLIND, texts=dict(CHILD.texts))
    (why,) = beside(config("ABC"), PARENT, blind).dropped.values()
    assert "holdout" in why and "lamp" not in why


def test_html_is_read_as_the_plain_text_that_people_were_shown() -> None:
    def html(labels: str) -> str:
        return config(labels).replace('<Text name="t"', '<HyperText name="t"')

    parent = replace(PARENT, texts={"text": TEXT})
    data: Mapping[int, Mapping[str, object]] = {7: {"text": f"<p>{TEXT}</p>"}}
    after = replace(parent, answers=(Choice("c", "t", ("A",)), ANSWERS[1]))
    own = Snapshot("1", html("AB"), (parent, BLIND))
    newest = Snapshot("1", html("AC"), (after, BLIND))
    (row,) = refit([CHILD], own, newest, Settings(), data).rows
    assert row.answers == (Choice("c", "t", ("A",)), CHILD.answers[1])
