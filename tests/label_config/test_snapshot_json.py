"""Equal training sets have equal bytes, and so one name; nothing is lost on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config import (
    Choice,
    Example,
    InvalidValue,
    Label,
    Origin,
    Quantity,
    Snapshot,
    Span,
    Written,
    snapshot_from_json,
    snapshot_to_json,
)

SYNTHETIC = Origin("synthetic", parent="1", transform="rephrase", generator="g", prompt="p", seed=3)
ROW = Example(
    id="1",
    task=1,
    group="g1",
    side="train",
    texts={"text": "e\u0301 \U0001f468\u200d\U0001f467\r\nend", "title": "T"},
    answers=(
        Choice("c", "t", ("é😀", "b"), 0.25),
        Span("n", "t", 0, 2, "e\u0301", ("PER",)),
        Quantity("q", "t", 2.5, 0.5),
        Written("w", "t", "two\nlines \ud800"),
    ),
    origin=Origin(annotation=9),
)
SNAPSHOT = Snapshot(
    "7",
    "<View/>",
    (
        ROW,
        replace(ROW, id="2", origin=SYNTHETIC, answers=()),
        replace(
            ROW,
            id="3",
            group="g2",
            side="holdout",
            options={"c": (Label("x / é", "X / É", "why", ("x", "é")), Label("b", "b"))},
        ),
    ),
    ({"text": "unlabelled"},),
)


def test_what_an_expert_said_is_kept_and_nothing_said_leaves_older_names_alone() -> None:
    assert "context" not in snapshot_to_json(SNAPSHOT)
    said = replace(SNAPSHOT, examples=(replace(ROW, context=("said A", "meant B")),))
    again = snapshot_from_json(snapshot_to_json(said))
    assert again == said and again.hash == said.hash != SNAPSHOT.hash


def test_a_snapshot_reads_back_equal_with_the_same_name() -> None:
    back = snapshot_from_json(snapshot_to_json(SNAPSHOT))
    assert back == SNAPSHOT and back.hash == SNAPSHOT.hash
    assert [e.id for e in back.train] == ["1", "2"] and [e.id for e in back.holdout] == ["3"]


def test_the_order_of_keys_does_not_matter_and_that_of_rows_does() -> None:
    shuffled = replace(ROW, texts=dict(reversed(list(ROW.texts.items()))))
    same = replace(SNAPSHOT, examples=(shuffled, *SNAPSHOT.examples[1:]))
    assert same.hash == SNAPSHOT.hash
    assert replace(SNAPSHOT, examples=SNAPSHOT.examples[::-1]).hash != SNAPSHOT.hash


def test_the_form_is_canonical() -> None:
    text = snapshot_to_json(SNAPSHOT)
    body = json.loads(text)
    again = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert text == again and "\U0001f468" in text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
@settings(max_examples=50)
def test_any_text_survives(text: str) -> None:
    snapshot = replace(SNAPSHOT, examples=(replace(ROW, texts={"text": text}),))
    assert snapshot_from_json(snapshot_to_json(snapshot)) == snapshot


@pytest.mark.parametrize(
    "change",
    [
        {"project": "8"},
        {"config": "<View></View>"},
        {"pool": ()},
        {"examples": SNAPSHOT.examples[:2]},
        {"examples": (replace(ROW, answers=ROW.answers[:1]),)},
    ],
)
def test_any_change_gives_another_name(change: dict[str, Any]) -> None:
    assert replace(SNAPSHOT, **change).hash != SNAPSHOT.hash


def test_rows_without_labels_of_their_own_have_the_bytes_they_always_had() -> None:
    text = snapshot_to_json(replace(SNAPSHOT, examples=(ROW,)))
    assert "options" not in text and "unasked" not in text


def test_labels_that_were_not_on_offer_are_kept() -> None:
    late = replace(SNAPSHOT, examples=(replace(ROW, unasked={"slots": ("X", "Y")}),))
    assert snapshot_from_json(snapshot_to_json(late)) == late
    assert late.hash != replace(SNAPSHOT, examples=(ROW,)).hash


def _without(key: str) -> str:
    body = json.loads(snapshot_to_json(SNAPSHOT))
    del body["examples"][0][key]
    return json.dumps(body)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "5",
        "{",
        "{}",
        _without("texts"),
        _without("origin"),
        snapshot_to_json(SNAPSHOT).replace('"kind":"span"', '"kind":"box"'),
        snapshot_to_json(SNAPSHOT).replace('"end":2', '"end":3'),
        snapshot_to_json(SNAPSHOT).replace('"value":2.5', '"value":NaN'),
        snapshot_to_json(SNAPSHOT).replace('"shown":"X / É",', ""),
        snapshot_to_json(SNAPSHOT).replace('"score":0.25', '"score":2.5'),
        snapshot_to_json(SNAPSHOT).replace('"group":"g2"', '"group":"g1"'),
    ],
)
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        snapshot_from_json(text)
