"""Regions survive the way to Label Studio and back, whatever the text; reading never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from label_config import Choice, Prediction, Region, Span, Task, read_schema
from label_config.wire import (
    read_result,
    read_task,
    task_texts,
    write_prediction,
    write_result,
)

XML = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="one" toName="t"><Choice value="a"/><Choice value="é😀"/></Choices>'
    '<Choices name="many" toName="t" choice="multiple"><Choice value="x"/><Choice value="y"/>'
    '</Choices><Labels name="ner" toName="t"><Label value="PER"/><Label value="ORG"/></Labels>'
    '<DateTime name="note" toName="t"/></View>'
)
SCHEMA = read_schema(XML)
PIECES = [
    "a",
    "Z",
    " ",
    "e\u0301",  # e and a combining acute
    "\u0e01\u0e33",  # Thai, with a vowel sign
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family, joined by zero-width joiners
    "\U0001f1e9\U0001f1ea",  # a flag of two letters
    "\ufeff",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\\n",
    "\u2028",
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=30).map("".join)
scores = st.none() | st.integers(0, 10**6).map(lambda n: n / 10**6)


@st.composite
def answered_texts(draw: st.DrawFn) -> tuple[str, tuple[Region, ...]]:
    """A text, and an answer to every control with up to four, also overlapping, spans."""
    text = draw(texts)
    regions: list[Region] = [
        Choice("one", "t", (draw(st.sampled_from(["a", "é😀"])),), draw(scores)),
        Choice("many", "t", draw(st.sampled_from([("x",), ("y",), ("x", "y")])), draw(scores)),
    ]
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        label = draw(st.sampled_from(["PER", "ORG"]))
        regions.append(Span("ner", "t", start, end, text[start:end], (label,), draw(scores)))
    return text, tuple(regions)


def span(start: object, end: object, text: object, label: object = "PER") -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {"from_name": "ner", "to_name": "t", "type": "labels", "value": value}


def choice(*labels: object, name: object = "one") -> dict[str, Any]:
    return {"from_name": name, "to_name": "t", "type": "choices", "value": {"choices": [*labels]}}


@given(answered_texts())
@settings(max_examples=150)
def test_regions_come_back_as_they_went(answered: tuple[str, tuple[Region, ...]]) -> None:
    text, regions = answered
    sent = json.loads(json.dumps(write_result(SCHEMA, 7, regions)))
    read = read_result(SCHEMA, {"text": text}, sent)
    assert (read.regions, read.dropped) == (regions, ())
    assert [text[r["value"]["start"] : r["value"]["end"]] for r in sent[2:]] == [
        r["value"]["text"] for r in sent[2:]
    ]


@given(answered_texts())
@settings(max_examples=25)
def test_the_sdk_finds_what_we_write_valid(answered: tuple[str, tuple[Region, ...]]) -> None:
    item = write_prediction(SCHEMA, Prediction(7, answered[1], 0.123456789, "v1-0a1b2c3d"))
    assert LabelInterface(XML).validate_prediction(item, return_errors=True) == []
    assert item["score"] == 0.123457


def test_region_ids_are_unique_in_a_task_and_stable_over_calls() -> None:
    twice = [Span("ner", "t", 0, 1, "a", ("PER",)), Span("ner", "t", 0, 1, "a", ("PER",))]
    first = [r["id"] for r in write_result(SCHEMA, 7, twice)]
    assert first == [r["id"] for r in write_result(SCHEMA, 7, twice)]
    assert len(set(first)) == 2
    assert not set(first) & {r["id"] for r in write_result(SCHEMA, 8, twice)}


def test_a_region_of_a_control_that_is_not_there_cannot_be_written() -> None:
    with pytest.raises(KeyError, match="gone"):
        write_result(SCHEMA, 7, [Choice("gone", "t", ("a",))])


# ---- spans as the editor counts and quotes them


@given(st.lists(st.sampled_from(["\r\n", "\n", " ", "."]), min_size=1, max_size=8), st.data())
@settings(max_examples=100)
def test_a_crlf_counted_as_one_is_mapped_back(ends: list[str], data: st.DataObject) -> None:
    """Each letter occurs once, so the right place is known."""
    text = "".join(f"{chr(65 + i)}{chr(97 + i)}{end}" for i, end in enumerate(ends))
    single = text.replace("\r\n", "\n")
    start = data.draw(st.sampled_from([i for i, c in enumerate(single) if c.isalpha()]))
    last = data.draw(
        st.sampled_from([i for i, c in enumerate(single) if c.isalpha() and i >= start])
    )
    said = single[start : last + 1]
    quoted = data.draw(st.sampled_from([said, said.replace("\n", "\\n")]))
    read = read_result(SCHEMA, {"text": text}, [span(start, last + 1, quoted)])
    (got,) = read.regions
    assert isinstance(got, Span)
    assert (got.start, got.end) == (text.index(single[start]), text.index(single[last]) + 1)
    assert got.text == text[got.start : got.end]


@pytest.mark.parametrize(
    ("text", "start", "end", "said"),
    [
        ("Ann\nLee came", 0, 7, "Ann\\nLee"),  # drawn over a line break in 1.23.2's editor
        ("Ann\r\nLee came", 0, 8, "Ann\\n\\nLee"),
        ("Ann\r\nLee came", 0, 8, "Ann\nLee"),
        ("Ann \u00a0 Lee", 0, 9, "Ann Lee"),  # the browser's selection runs spaces together
        ("a\\nb", 0, 4, "a\\nb"),  # the two characters are really there
        ("Ann Lee", 0, 3, None),  # saveTextResult="no"
    ],
)
def test_a_span_counts_though_its_text_is_quoted_differently(
    text: str, start: int, end: int, said: str | None
) -> None:
    read = read_result(SCHEMA, {"text": text}, [span(start, end, said)])
    assert read.dropped == ()
    assert read.regions == (Span("ner", "t", start, end, text[start:end], ("PER",)),)


@pytest.mark.parametrize(
    ("region", "says"),
    [
        (span(0, 3, "Bob"), "does not cover the text it names"),
        (span(0, 3, 5), "does not cover the text it names"),
        (span(4, 3, None), "outside a text of 8 code points"),
        (span(3, 3, ""), "outside a text of 8 code points"),
        (span(-3, -1, None), "outside a text"),
        (span(0, 99, "Ann came"), "outside a text"),
        (span("0", 3, "Ann"), "whole numbers are needed"),
        (span(0, 3.0, "Ann"), "whole numbers are needed"),
        (span(False, True, "A"), "whole numbers are needed"),
        (span(0, 3, "Ann", "LOC"), "not in the label config"),
        (span(0, 3, "Ann", {"PER": 1}), "not in the label config"),
        (choice("z"), "not in the label config"),
        (choice(["a"]), "not in the label config"),
        (choice("a", "é😀"), "single-choice but has 2 answers"),
        (choice("a", name="gone"), "'gone' is not in the label config"),
        (choice("a", name=["one"]), "is not in the label config"),
        ({"from_name": "one", "value": {"choices": "a"}}, "no list value.choices"),
        ({"from_name": "one", "value": None}, "no list value.choices"),
        ({"from_name": "one"}, "no list value.choices"),
        ({}, "None is not in the label config"),
        (5, "a region is a int"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_its_reason(region: object, says: str) -> None:
    read = read_result(SCHEMA, {"text": "Ann came"}, [region, choice("a")])
    assert read.regions == (Choice("one", "t", ("a",)),)
    (reason,) = read.dropped
    assert says in reason


def test_known_labels_stay_when_others_are_gone() -> None:
    read = read_result(SCHEMA, {"text": "Ann"}, [choice("x", "gone", "x", name="many")])
    assert read.regions == (Choice("many", "t", ("x",)),)


def test_a_second_answer_to_one_control_is_named() -> None:
    read = read_result(SCHEMA, {"text": "Ann"}, [choice("a"), choice("é😀")])
    assert read.regions == (Choice("one", "t", ("a",)),)
    assert read.dropped == ("control 'one' is answered twice; the first answer stays",)


def test_controls_we_do_not_predict_and_relations_pass_silently() -> None:
    foreign = [
        {"from_name": "note", "to_name": "t", "type": "datetime", "value": {"datetime": "1999"}},
        {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right"},
    ]
    assert read_result(SCHEMA, {"text": "Ann"}, foreign).dropped == ()


@pytest.mark.parametrize("score", [-0.1, 1.1, "0.5", None, float("nan"), float("inf")])
def test_a_score_that_is_no_probability_is_forgotten(score: object) -> None:
    read = read_result(SCHEMA, {"text": "Ann"}, [{**choice("a"), "score": score}])
    assert [r.score for r in read.regions] == [None]


@pytest.mark.parametrize("result", [None, "abc", {}, 3])
def test_a_result_that_is_no_list_is_named(result: object) -> None:
    read = read_result(SCHEMA, {"text": "Ann"}, result)
    assert read.regions == () and "not a list" in read.dropped[0]


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["one", "many", "ner", "note", "a", "PER", "labels", "choices", "relation", "Ann", "\ud800"]
    )
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["start", "end", "text", "labels", "choices"]), inner, max_size=5
        )
    ),
    max_leaves=6,
)
odd_regions = st.fixed_dictionaries(
    {}, optional={k: json_values for k in ("from_name", "to_name", "type", "value", "score")}
)


@given(st.lists(odd_regions | json_values, max_size=4), json_values)
@settings(max_examples=80)
def test_reading_never_raises_and_accounts_for_every_region(result: Any, data: object) -> None:
    read = read_result(SCHEMA, {"text": data}, result)
    assert len(read.regions) + len(read.dropped) <= len(result)


# ---- tasks and their texts


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "absent"),
        ("", "is empty"),
        (" \r\n\t", "is empty"),
        (["a"], "is list"),
        ({}, "is dict"),
        (True, "is bool"),
    ],
)
def test_a_text_that_is_none_is_named_missing(value: object, says: str) -> None:
    found = task_texts(SCHEMA, {"text": value, "other": "words"})
    assert found.by_key == {}
    (reason,) = found.missing
    assert says in reason and "'text'" in reason


def test_numbers_are_read_as_their_digits() -> None:
    assert task_texts(SCHEMA, {"text": 12}).by_key == {"text": "12"}


def test_a_long_text_is_cut_in_code_points_for_the_model_only() -> None:
    text = "\U0001f600" * 10
    assert task_texts(SCHEMA, {"text": text}, 4).by_key == {"text": "\U0001f600" * 4}


def test_a_task_is_read_from_its_wire_form() -> None:
    assert read_task({"id": 3, "data": {"text": "a"}, "more": 1}, "7") == Task(
        3, "7", {"text": "a"}
    )
    assert read_task({"id": "3", "data": {}}, "7") == Task(0, "7", {})


@pytest.mark.parametrize("raw", [{}, {"id": 3}, {"id": 3, "data": "text"}, {"data": None}])
def test_a_task_without_data_says_so(raw: dict[str, object]) -> None:
    assert "has no data object" in str(read_task(raw, "7"))
