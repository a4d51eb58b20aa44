import json
from dataclasses import replace

import pytest

from augment.profile import profile
from label_config.controls import Control, InvalidValue, Label, Schema
from label_config.values import Choice, Example, Origin, Span

SCHEMA = Schema(
    (
        Control("intent", "Choices", "text", "text", tuple(Label(v, v) for v in "abc")),
        Control("slots", "Labels", "text", "text", (Label("city", "city"), Label("day", "day"))),
    )
)
TEXTS = ["from Rome to Bonn", "go to Rome", "now"]
ROWS = [
    Example(
        f"e{i}",
        i,
        f"g{i}",
        "train",
        {"text": text, "secret": "WHY!"},
        (
            Choice("intent", "text", (label,)),
            *(
                Span("slots", "text", text.index(c), text.index(c) + 4, c, ("city",))
                for c in ("Rome", "Bonn")
                if c in text
            ),
        ),
    )
    for i, (text, label) in enumerate(zip(TEXTS, "aab", strict=True))
]
SAYS = {"e0": {"intent": {"a": 0.1, "b": 0.9}}, "e2": {"intent": {"b": 1.0}}}


def test_labels_forms_and_confusions_come_from_human_answers() -> None:
    found = profile(ROWS, SCHEMA, SAYS, pool=[{"text": "nobody said a label"}])
    assert found.labels == {"intent": {"a": 2, "b": 1, "c": 0}, "slots": {"city": 2, "day": 0}}
    assert found.forms == {"slots": {"city": ("Rome", "Bonn")}}
    assert [(c.true, c.taken) for c in found.confusions] == [("a", "b")]
    assert (found.right, found.predicted, found.accuracy) == (1, 2, 0.5)
    assert found.lower is not None and found.lower < 0.5


def test_the_pool_counts_for_style_and_a_key_that_no_control_reads_does_not() -> None:
    assert profile(ROWS, SCHEMA).style.texts == 3
    found = profile(ROWS, SCHEMA, pool=[{"text": "ok"}, {"other": "ok"}])
    assert found.style == found.styles["text"]
    assert (found.style.texts, found.style.exclamation) == (4, 0.0)


def test_a_holdout_row_is_refused_and_a_child_is_not_measured() -> None:
    with pytest.raises(InvalidValue, match="example e1 is on the holdout side"):
        profile([ROWS[0], replace(ROWS[1], side="holdout")], SCHEMA)
    child = replace(ROWS[2], id="child", origin=Origin("synthetic", parent="e2"))
    assert profile([*ROWS, child], SCHEMA) == profile(ROWS, SCHEMA)


def test_predictions_of_other_rows_are_refused() -> None:
    with pytest.raises(InvalidValue, match="1 rows that are no train rows here .e2."):
        profile(ROWS[:2], SCHEMA, SAYS)


def test_it_is_json_and_the_order_of_rows_does_not_matter() -> None:
    found = profile(ROWS, SCHEMA, SAYS)
    read = json.loads(json.dumps(found.to_dict()))
    assert read["labels"]["intent"] == {"a": 2, "b": 1, "c": 0}
    assert read["style"]["openings"] == []
    assert profile(ROWS[::-1], SCHEMA, SAYS).to_dict() == found.to_dict()


def test_without_predictions_nothing_is_known_of_accuracy() -> None:
    found = profile(ROWS, SCHEMA)
    assert (found.accuracy, found.lower, found.confusions) == (None, None, ())
