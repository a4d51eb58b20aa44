"""What counts as a correction, and against which prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from label_config import read_schema
from label_config.values import Choice, Quantity, Region, Span, Task, Written
from sync.corrections import compare, shown_to, was_blind
from sync.groups import Place
from sync.log import Log
from sync.log_shown import Shown, VersionSince
from sync.readings import Rate, correction_rate
from sync.studio_values import SeenAnnotation, SeenPrediction, TaskState

T0 = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
TEXT = "play jazz by Miles Davis"


def choice(*labels: str, score: float | None = None) -> Choice:
    return Choice("intent", "text", labels, score)


def span(start: int, end: int, *labels: str) -> Span:
    return Span("slots", "text", start, end, TEXT[start:end], labels)


def minute(m: float) -> datetime:
    return T0 + timedelta(minutes=m)


def test_what_was_accepted_is_kept_whatever_its_score() -> None:
    got = compare([choice("A", score=0.9), span(5, 9, "genre")], [span(5, 9, "genre"), choice("A")])
    assert got.accepted and len(got.kept) == 2


@pytest.mark.parametrize(
    ("shown", "kept", "field"),
    [
        (choice("A"), choice("B"), "changed"),
        (choice("A", "B"), choice("A"), "changed"),
        (span(5, 9, "genre"), span(5, 9, "artist"), "changed"),
        (span(5, 9, "genre"), span(0, 9, "genre"), "changed"),
        (None, choice("A"), "added"),
        (None, span(13, 24, "artist"), "added"),
        (choice("A"), None, "removed"),
        (span(5, 9, "genre"), None, "removed"),
        (Quantity("stars", "text", 3.0), Quantity("stars", "text", 4.0), "changed"),
        (Quantity("stars", "text", 3.0), None, "removed"),
        (Written("why", "text", "because"), Written("why", "text", "therefore"), "changed"),
        (None, Written("why", "text", "because"), "added"),
    ],
)
def test_each_difference_has_its_name(
    shown: Region | None, kept: Region | None, field: str
) -> None:
    got = compare([shown] if shown else [], [kept] if kept else [])
    assert not got.accepted and len(getattr(got, field)) == 1
    assert sum(len(getattr(got, f)) for f in ("changed", "added", "removed", "kept")) == 1


def test_spans_that_do_not_touch_are_two_decisions() -> None:
    got = compare([span(0, 4, "genre")], [span(13, 24, "artist")])
    assert (len(got.removed), len(got.added), len(got.changed)) == (1, 1, 0)


def test_a_span_is_paired_with_what_it_overlaps_most() -> None:
    got = compare([span(13, 24, "artist")], [span(10, 15, "x"), span(16, 24, "artist")])
    assert got.changed == ((span(13, 24, "artist"), span(16, 24, "artist")),)
    assert got.added == (span(10, 15, "x"),)


def test_a_span_is_paired_with_its_own_label_where_two_labels_overlap() -> None:
    shown = [span(0, 24, "song"), span(5, 9, "genre")]
    kept = [span(0, 9, "song"), span(5, 24, "genre")]
    assert compare(shown, kept).changed == tuple(zip(shown, kept, strict=True))


def test_answers_of_different_controls_have_nothing_in_common() -> None:
    got = compare([Quantity("stars", "text", 3.0)], [Quantity("price", "text", 3.0)])
    assert (len(got.removed), len(got.added)) == (1, 1)
    got = compare([choice("A")], [replace(choice("A"), from_name="topic")])
    assert (len(got.removed), len(got.added)) == (1, 1)


@pytest.mark.parametrize(
    ("name", "shown", "kept"),
    [
        ("place", ("Europe / France",), ("Europe / Spain",)),  # Taxonomy
        ("stars", ("3",), ("4",)),  # Rating
        ("better", ("left",), ("right",)),  # Pairwise
        ("topics", ("a", "b"), ("b", "c")),  # multiple Choices
    ],
)
def test_another_answer_of_the_same_control_is_a_change(
    name: str, shown: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    before, after = Choice(name, "text", shown), Choice(name, "text", kept)
    assert compare([before], [after]).changed == ((before, after),)
    assert compare([before], [Choice(name, "text", shown[::-1], 0.2)]).accepted


def annotation(submit: float, lead_s: float | None = 60, **more: Any) -> SeenAnnotation:
    made = SeenAnnotation(7, 1, [], 1, minute(submit), minute(submit), lead_time=lead_s)
    return replace(made, **more)


def row(version: str, since: float, prediction: int | None = None, **more: Any) -> Shown:
    made = Shown(1, version, prediction, [{}], False, 0.5, True, minute(since))
    return replace(made, **more)


ROWS = [row("v1", 0, 11), row("v2", 10, 12), row("v3", 20, 13)]
VERSIONS = [VersionSince("v1", minute(1)), VersionSince("v2", minute(11))]


@pytest.mark.parametrize(
    ("seen", "version"),
    [
        (annotation(30, parent_prediction=11), "v1"),
        (annotation(9), "v1"),
        (annotation(11.5), "v2"),  # opened at 10.5: v2 was there, and the backend was live with it
        (annotation(12.5), "v2"),
        (annotation(12.5, lead_s=300), "v1"),
        (annotation(30), "v3"),  # not switched to yet, but what the live backend shows
        (annotation(0.5), None),
        (annotation(30, parent_prediction=99), "v3"),
    ],
)
def test_the_prediction_that_was_shown(seen: SeenAnnotation, version: str | None) -> None:
    got = shown_to(seen, ROWS, VERSIONS)
    assert (got.version if got else None) == version


def test_after_a_rollback_the_older_version_is_the_one_shown() -> None:
    versions = [*VERSIONS, VersionSince("v1", minute(15))]
    got = shown_to(annotation(18), ROWS[:2], versions)
    assert got and got.version == "v1"


def test_a_removed_prediction_is_not_shown() -> None:
    gone = [replace(ROWS[0], removed_at=minute(5))]
    assert shown_to(annotation(9), gone, VERSIONS) is None


@pytest.mark.parametrize(
    ("rows", "blind"),
    [
        ([], True),
        ([row("v1", 0, empty=True)], True),
        ([row("v1", 0)], False),
        ([row("v1", 0, confirmed=False)], False),
        ([row("v1", 20)], True),
        ([row("v1", 0, removed_at=minute(5))], True),
        ([row("v1", 0, removed_at=minute(9.5))], False),  # gone while the task was open
    ],
)
def test_blind_means_no_answer_could_be_seen(rows: list[Shown], blind: bool) -> None:
    assert was_blind(annotation(10), rows) is blind


CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)


def wire(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    return [{"from_name": "intent", "to_name": "text", "type": "choices", "value": value}]


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    made = Log(log_url)
    made.connect("1", "any")
    made.see_config("1", CONFIG)
    yield made
    made.close()


def test_the_rate_leaves_blind_and_unknown_out(log: Log) -> None:
    places = {task: Place(f"g{task}", task == 4) for task in (1, 2, 3, 4)}
    states = []
    for task, label in ((1, "A"), (2, "B"), (3, "A"), (4, "B")):
        at = minute(task)
        predictions = (SeenPrediction(50 + task, task, "v1", at, 0.5, wire("A")),)
        parent = 50 + task if task < 3 else None
        made = SeenAnnotation(task, task, wire(label), 1, at, at, parent_prediction=parent)
        states.append(TaskState(Task(task, "1", {"text": "t"}), at, (made,), predictions))
    log.append("1", states, places)
    assert correction_rate(log, "1", read_schema(CONFIG)) == Rate(
        shown=2, changed=1, unknown=1, blind=1
    )
    assert correction_rate(log, "1", read_schema(CONFIG)).value == 0.5
    assert correction_rate(log, "1", read_schema(CONFIG), minute(1)) == Rate(1, 1, 1, 1)


def test_nothing_shown_has_no_rate(log: Log) -> None:
    assert correction_rate(log, "1", read_schema(CONFIG)).value is None


def test_a_text_is_a_correction_only_where_the_base_writes_texts(log: Log) -> None:
    schema = read_schema(CONFIG.replace("</View>", '<TextArea name="why" toName="text"/></View>'))
    why = {"from_name": "why", "to_name": "text", "type": "textarea", "value": {"text": ["so"]}}
    shown = (SeenPrediction(51, 1, "v1", minute(1), 0.5, wire("A")),)
    made = SeenAnnotation(1, 1, [*wire("A"), why], 1, minute(2), minute(2), parent_prediction=51)
    state = TaskState(Task(1, "1", {"text": "t"}), minute(2), (made,), shown)
    log.append("1", [state], {1: Place("g1", False)})
    assert correction_rate(log, "1", schema.served_by("encoder")).value == 0.0
    assert correction_rate(log, "1", schema.served_by("causal")).value == 1.0
