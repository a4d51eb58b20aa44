"""The config changes under way: what still fits is kept, the report says what went, and the next
round trains on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from label_config import Snapshot
from sync.connect import connect
from sync.loop import turn
from tests.sync.house import House

SPANS = '<Labels name="slots" toName="text"><Label value="X"/><Label value="Y"/></Labels>'


def config(choices: str, *more: str) -> str:
    return (
        '<View><Text name="text" value="$text"/>'
        f'<Choices name="intent" toName="text" choice="multiple">{choices}</Choices>'
        f"{''.join(more)}</View>"
    )


def choice(*labels: str) -> dict[str, Any]:
    value = {"choices": list(labels)}
    return {"from_name": "intent", "to_name": "text", "type": "choices", "value": value}


def span(text: str, label: str) -> dict[str, Any]:
    value = {"start": 0, "end": 3, "text": text[:3], "labels": [label]}
    return {"from_name": "slots", "to_name": "text", "type": "labels", "value": value}


A, B, C = ('<Choice value="A"/>', '<Choice value="B"/>', '<Choice value="C"/>')
ROWS = [[("A",), "X"], [("B",), "Y"], [("A", "B"), None], [("B",), None], [("A",), "Y"], [(), "X"]]


@pytest.fixture
def begun(house: House) -> House:
    """A project of labels A, B and spans X, Y with six answers, its first round over."""
    house.studio.change_config(config(A + B, SPANS))
    connect(house.world, "1")
    tasks = [t for t, s in house.studio.tasks.items() if not s.annotations][: len(ROWS)]
    for task, (labels, marked) in zip(tasks, ROWS, strict=True):
        text = str(house.studio.tasks[task].task.data["text"])
        result = [choice(*labels)] if labels else []
        result += [span(text, str(marked))] if marked else []
        house.studio.annotate(task, result)
    next_round(house)
    return house


def next_round(house: House, xml: str | None = None) -> tuple[Snapshot, Mapping[str, Any]]:
    """A training asked for under this config, and its verdict; its snapshot and report."""
    if xml:
        house.studio.change_config(xml)
    house.world.store.project("1").ask(by="the test")
    done = turn(house.world, "1")
    assert done.decision.train, done.decision.reason
    snapshot = house.world.store.project("1").snapshot(house.wanted())
    house.judge(house.wanted())
    house.jobs.all_are("ended")
    turn(house.world, "1")
    assert house.world.log.wanted("1") is None, "the round is over"
    return snapshot, house.world.log.rounds("1")[-1]["report"]


def labels_of(snapshot: Snapshot) -> list[list[str]]:
    return [
        sorted(label for a in e.answers for label in a.labels)  # type: ignore[union-attr]
        for e in snapshot.examples
    ]


def test_an_added_label_keeps_every_row(begun: House) -> None:
    snapshot, report = next_round(begun, config(A + B + C, SPANS))
    assert (len(snapshot.examples), report["dropped"], report["left_out"]) == (6, {}, {})


def test_a_removed_label_is_taken_out_of_the_answers_and_counted(begun: House) -> None:
    snapshot, report = next_round(begun, config(A + C, SPANS))
    assert labels_of(snapshot) == [["A", "X"], ["Y"], ["A"], ["A", "Y"], ["X"]]
    assert report["dropped"] == {"intent": {"B": 3}}
    assert report["left_out"] == {"the answer does not fit the label config": 1}


def test_a_label_shown_under_another_name_keeps_every_row(begun: House) -> None:
    renamed = '<Choice value="Money back" alias="A"/>'
    snapshot, report = next_round(begun, config(renamed + B, SPANS))
    assert labels_of(snapshot)[0] == ["A", "X"]
    assert (len(snapshot.examples), report["dropped"], report["left_out"]) == (6, {}, {})


def test_a_control_may_come_and_another_go(begun: House) -> None:
    rating = '<Rating name="stars" toName="text" maxRating="5"/>'
    snapshot, report = next_round(begun, config(A + B, rating))
    assert labels_of(snapshot) == [["A"], ["B"], ["A", "B"], ["B"], ["A"]]
    assert report["dropped"] == {"slots": {"X": 2, "Y": 2}}
    assert report["left_out"] == {"the answer does not fit the label config": 1}


def test_a_config_that_cannot_be_read_loses_nothing_and_the_mended_one_goes_on(
    begun: House,
) -> None:
    begun.studio.change_config("<View")
    with pytest.raises(ValueError, match="label config"):
        turn(begun.world, "1")
    assert begun.world.log.counts("1").answers == 6
    assert len(next_round(begun, config(A + B, SPANS))[0].examples) == 6


MORE = SPANS.replace("</Labels>", '<Label value="Z"/></Labels>')
OTHER = '<Labels name="names" toName="text"><Label value="N"/></Labels>'


def test_a_label_of_spans_that_came_later_says_nothing_on_older_answers(begun: House) -> None:
    snapshot, _ = next_round(begun, config(A + B, MORE, OTHER))
    assert {tuple(sorted(e.unasked.items())) for e in snapshot.examples} == {
        (("names", ("N",)), ("slots", ("Z",)))
    }


def test_an_answer_saved_again_or_that_marks_a_later_label_was_asked_for_it(begun: House) -> None:
    next_round(begun, config(A + B, MORE))
    answered = [t for t, s in begun.studio.tasks.items() if s.annotations]
    begun.studio.annotate(answered[0], [choice("B")])
    state = begun.studio.tasks[answered[1]].annotations[0]
    text = str(begun.studio.tasks[answered[1]].task.data["text"])
    begun.studio.edit(state, [choice("A"), span(text, "Z")])
    snapshot, _ = next_round(begun, config(A + B, MORE))
    asked = {e.task for e in snapshot.examples if not e.unasked}
    assert asked == set(answered[:2])


def test_the_first_config_of_a_project_was_always_there(begun: House) -> None:
    snapshot, _ = next_round(begun)
    assert all(e.unasked == {} for e in snapshot.examples)


def test_an_empty_answer_from_before_any_span_could_be_marked_is_left_out(house: House) -> None:
    house.studio.change_config(config(A + B))
    connect(house.world, "1")
    tasks = [t for t, s in house.studio.tasks.items() if not s.annotations][:12]
    for task in tasks[1:]:
        house.studio.annotate(task, [choice("A")])
    house.studio.annotate(tasks[0], [])
    next_round(house)
    snapshot, report = next_round(house, config(A + B, SPANS))
    assert tasks[0] not in {e.task for e in snapshot.examples}
    assert report["left_out"]["the answer is empty"] == 1
