"""A snapshot holds what people answered, each row on its side; the same log, the same snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from label_config.fetch import NotFetched
from label_config.values import Choice, Task, Written
from settings import Settings, Train
from sync.freeze import freeze
from sync.groups import Place
from sync.log import Log
from sync.studio_values import NewPrediction, SeenAnnotation, SeenPrediction, TaskState
from sync.terms import Terms, read_terms

T0 = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
CHOICES = '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices>'
LABELS = '<Labels name="slots" toName="text"><Label value="X"/></Labels>'


def config(*controls: str) -> str:
    return f'<View><Text name="text" value="$text"/>{"".join(controls)}</View>'


def terms(*controls: str, pool: int = 1500) -> Terms:
    return read_terms(Settings(train=Train(pool=pool)), config(*controls))


def wire(label: str, name: str = "intent") -> dict[str, Any]:
    value = {"choices": [label]}
    return {"from_name": name, "to_name": "text", "type": "choices", "value": value}


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    made = Log(log_url)
    made.connect("1", "any")
    yield made
    made.close()


def answer(number: int, task: int, result: object, minute: int = 5, **more: Any) -> SeenAnnotation:
    at = T0 + timedelta(minutes=minute)
    return replace(SeenAnnotation(number, task, result, 1, at, at), **more)


def tell(
    log: Log,
    task: int,
    *answers: SeenAnnotation,
    text: object = None,
    blind: bool = False,
    predictions: tuple[SeenPrediction, ...] = (),
) -> None:
    data = {"text": f"text of task {task}" if text is None else text}
    state = TaskState(Task(task, "1", data), T0, answers, predictions)
    log.append("1", [state], {task: Place(f"g{task}", blind)})


def test_answers_go_to_the_side_of_their_group(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A")]))
    tell(log, 2, answer(12, 2, [wire("B")]), blind=True)
    tell(log, 3)
    tell(log, 4, blind=True)
    snapshot, report = freeze(log, "1", terms(CHOICES))
    assert [(e.task, e.id) for e in snapshot.train] == [(1, "annotation-11")]
    assert [(e.task, e.answers) for e in snapshot.holdout] == [
        (2, (Choice("intent", "text", ("B",)),))
    ]
    assert snapshot.pool == ({"text": "text of task 3"},)
    assert (report.train, report.holdout, report.pool, report.left_out) == (1, 1, 1, {})


def test_the_same_log_gives_the_same_snapshot(log: Log) -> None:
    for task in range(1, 9):
        tell(log, task, *([answer(task, task, [wire("A")])] if task < 4 else []))
    once, again = (freeze(log, "1", terms(CHOICES, pool=3))[0] for _ in range(2))
    assert once.hash == again.hash and len(once.pool) == 3


def test_the_ground_truth_speaks_first_then_the_latest(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A")], 5), answer(12, 1, [wire("B")], 9))
    truth = answer(21, 2, [wire("A")], 5, ground_truth=True)
    tell(log, 2, truth, answer(22, 2, [wire("B")], 9))
    snapshot, _ = freeze(log, "1", terms(CHOICES))
    assert [e.origin.annotation for e in snapshot.train] == [12, 21]


def test_a_skip_and_a_deleted_answer_are_in_no_snapshot(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A")], cancelled=True))
    tell(log, 2, answer(12, 2, [wire("A")]))
    tell(log, 2)
    assert freeze(log, "1", terms(CHOICES))[0].examples == ()


def seen(task: int, result: object, minute: int = 0) -> tuple[SeenPrediction, ...]:
    at = T0 + timedelta(minutes=minute)
    return (SeenPrediction(task, task, "v1-aaaaaaaa", at, 0.5, result),)


def test_a_blind_task_that_showed_an_answer_is_on_neither_side(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A")]), blind=True, predictions=seen(1, [wire("A")]))
    tell(log, 2, answer(12, 2, [wire("A")]), blind=True, predictions=seen(2, []))
    tell(log, 3, answer(13, 3, [wire("A")]), blind=True, predictions=seen(3, [wire("A")], 30))
    snapshot, report = freeze(log, "1", terms(CHOICES))
    assert [e.task for e in snapshot.examples] == [2, 3]
    assert report.left_out == {"a prediction was visible on a blind task": 1}


def test_a_train_row_says_whether_a_prediction_was_in_view(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A")]), predictions=seen(1, [wire("B")]))
    tell(log, 2, answer(12, 2, [wire("A")]), predictions=seen(2, []))
    tell(log, 3, answer(13, 3, [wire("A")]))
    snapshot, _ = freeze(log, "1", terms(CHOICES))
    assert [e.origin.shown for e in snapshot.train] == [True, None, None]


def test_our_own_empty_prediction_keeps_a_task_blind(log: Log) -> None:
    tell(log, 1, blind=True)
    log.plan("1", [NewPrediction(1, (), 0.3, "v1-aaaaaaaa")])
    later = datetime.now(timezone.utc) + timedelta(minutes=1)
    tell(log, 1, replace(answer(11, 1, [wire("A")]), created_at=later, updated_at=later))
    assert len(freeze(log, "1", terms(CHOICES))[0].holdout) == 1


@pytest.mark.parametrize(
    ("result", "text", "reason"),
    [
        ([wire("Gone")], None, "the answer does not fit the label config"),
        ("abc", None, "the answer does not fit the label config"),
        ([], None, "the answer is empty"),
        ([wire("A")], "   ", "the task has no text"),
        ([wire("A")], ["no text"], "the task has no text"),
    ],
)
def test_what_does_not_fit_is_left_out_with_the_reason(
    log: Log, result: object, text: object, reason: str
) -> None:
    tell(log, 1, answer(11, 1, result), text=text)
    snapshot, report = freeze(log, "1", terms(CHOICES))
    assert snapshot.examples == () and report.left_out == {reason: 1}


def test_no_span_at_all_is_an_answer(log: Log) -> None:
    tell(log, 1, answer(11, 1, []))
    (example,) = freeze(log, "1", terms(LABELS))[0].train
    assert example.answers == ()


def test_answers_of_a_control_that_is_gone_do_not_cost_the_others(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A"), wire("Z", name="old")]))
    snapshot, report = freeze(log, "1", terms(CHOICES))
    assert len(snapshot.train) == 1 and report.dropped == {"old": {"Z": 1}}


def test_a_row_with_a_span_that_its_text_does_not_hold_is_left_out(log: Log) -> None:
    value = {"start": 90, "end": 99, "text": "elsewhere", "labels": ["X"]}
    span = {"from_name": "slots", "to_name": "text", "type": "labels", "value": value}
    tell(log, 1, answer(11, 1, [wire("A"), span]))
    snapshot, report = freeze(log, "1", terms(CHOICES, LABELS))
    assert report.left_out == {"a span of the answer is not in the text": 1}
    value["labels"] = ["Gone"]
    tell(log, 1, answer(11, 1, [wire("A"), span], minute=6))
    snapshot, report = freeze(log, "1", terms(CHOICES, LABELS))
    assert len(snapshot.train) == 1 and report.dropped == {"slots": {"Gone": 1}}


def test_a_rating_taken_back_costs_nothing_else(log: Log) -> None:
    stars = '<Rating name="stars" toName="text"/>'
    none = {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 0}}
    tell(log, 1, answer(11, 1, [wire("A"), none]))
    (example,) = freeze(log, "1", terms(CHOICES, stars))[0].train
    assert example.answers == (Choice("intent", "text", ("A",)),)


def test_labels_that_a_task_brings_go_with_its_row(log: Log) -> None:
    dynamic = '<Choices name="intent" toName="text" value="$options"/>'
    data = {"text": "hello", "options": [{"value": "yes"}, {"value": "no"}]}
    state = TaskState(Task(1, "1", data), T0, (answer(11, 1, [wire("no")]),))
    log.append("1", [state], {1: Place("g1", False)})
    (example,) = freeze(log, "1", terms(dynamic))[0].train
    assert [label.value for label in example.options["intent"]] == ["yes", "no"]
    assert example.answers == (Choice("intent", "text", ("no",)),)


def test_a_text_that_cannot_be_fetched_costs_its_row_and_is_said(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(self: Terms, data: dict[str, str]) -> dict[str, str]:
        if "2" in data["text"]:
            raise NotFetched("the host does not answer")
        return {"text": "what lies there"}

    monkeypatch.setattr(Terms, "fetched", fetched)
    tell(log, 1, answer(11, 1, [wire("A")]))
    tell(log, 2, answer(12, 2, [wire("A")]))
    snapshot, report = freeze(log, "1", terms(CHOICES))
    assert [e.texts for e in snapshot.train] == [{"text": "what lies there"}]
    assert report.left_out == {"the host does not answer": 1}


def test_more_answers_than_a_snapshot_takes_lose_the_oldest(log: Log) -> None:
    for task in (1, 2, 3):
        tell(log, task, answer(task, task, [wire("A")], minute=task))
    snapshot, report = freeze(log, "1", terms(CHOICES), most=2)
    assert [e.task for e in snapshot.examples] == [2, 3]
    assert report.left_out == {"older than the latest 2 answers": 1}


def test_the_report_says_the_admins_terms(log: Log) -> None:
    xml = config(CHOICES).replace("<View>", '<View annotune-regulated="true">')
    report = freeze(log, "1", read_terms(Settings(), xml))[1].to_dict()
    assert (report["regulated"], report["base"]) == (True, "minilm")


def test_a_text_goes_into_a_snapshot_only_where_the_base_writes_texts(log: Log) -> None:
    why = {"from_name": "why", "to_name": "text", "type": "textarea", "value": {"text": ["a", "b"]}}
    tell(log, 1, answer(11, 1, [wire("A"), why]))
    tell(log, 2, answer(12, 2, [why]))
    xml = config(CHOICES, '<TextArea name="why" toName="text"/>')
    snapshot, report = freeze(log, "1", read_terms(Settings(), xml))
    assert [e.answers for e in snapshot.examples] == [(Choice("intent", "text", ("A",)),)]
    assert report.left_out == {"the answer holds nothing that is predicted": 1}
    smol = read_terms(Settings(train=Train(base="smollm")), xml)
    snapshot, report = freeze(log, "1", smol)
    assert report.left_out == {}
    assert [e.answers[-1] for e in snapshot.examples] == [Written("why", "text", "a\nb")] * 2
    gone, report = freeze(log, "1", read_terms(Settings(), config(CHOICES)))
    assert report.dropped == {"why": {"(an answer without a label)": 2}}
