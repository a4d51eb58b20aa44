"""Every kind of control survives the way to Label Studio and back, in the form it stores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from label_config import Choice, Prediction, Quantity, Region, Span, read_schema
from label_config.hypertext import INSERTED, read_page
from label_config.wire import read_result, task_texts, write_prediction, write_result

XML = (
    '<View><Text name="a" value="$left"/><Text name="b" value="$right"/>'
    '<HyperText name="h" value="$html"/><Paragraphs name="p" value="$talk"/>'
    '<Taxonomy name="tree" toName="a"><Choice value="Animals" alias="fauna">'
    '<Choice value="Dog"/></Choice><Choice value="Plants"/></Taxonomy>'
    '<Rating name="stars" toName="a" maxRating="4"/><Number name="count" toName="b"/>'
    '<Pairwise name="better" toName="a,b"/>'
    '<HyperTextLabels name="html" toName="h"><Label value="X"/><Label value="Y"/></HyperTextLabels>'
    '<Labels name="plain" toName="h"><Label value="X"/></Labels>'
    '<ParagraphLabels name="talk" toName="p"><Label value="X"/><Label value="Y"/>'
    "</ParagraphLabels>"
    '<Choices name="offer" toName="a" value="$options" choice="multiple"/></View>'
)
SCHEMA = read_schema(XML)
OPTIONS = [{"value": "One", "alias": "1"}, {"value": "Two", "hint": "second"}, "no", {"x": 1}]
DATA: dict[str, Any] = {
    "left": "one",
    "right": "two",
    "html": "<p>a \U0001f600 b</p><p>c<br>d &amp; e</p>",
    "talk": [{"author": "Ann", "text": "hi \U0001f600 you"}, {"author": "Bo", "text": "bye"}],
    "options": OPTIONS,
}
WHOLE: tuple[Region, ...] = (
    Choice("tree", "a", ("fauna / Dog", "Plants"), 0.5),
    Choice("stars", "a", ("3",)),
    Quantity("count", "b", 2.5),
    Choice("better", "a", ("right",)),
    Choice("offer", "a", ("1", "Two")),
)


def sent(regions: tuple[Region, ...], data: Mapping[str, object] = DATA) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps(write_result(SCHEMA, 7, regions, data)))
    return found


def test_answers_to_a_whole_text_are_written_as_label_studio_stores_them() -> None:
    assert [(r["type"], r["to_name"], r["value"]) for r in sent(WHOLE)] == [
        ("taxonomy", "a", {"taxonomy": [["fauna", "Dog"], ["Plants"]]}),
        ("rating", "a", {"rating": 3}),
        ("number", "b", {"number": 2.5}),
        ("pairwise", "a", {"selected": "right"}),
        ("choices", "a", {"choices": ["1", "Two"]}),
    ]
    read = read_result(SCHEMA, DATA, sent(WHOLE))
    assert (read.regions, read.dropped, read.vanished) == (WHOLE, (), ())


def test_spans_of_html_and_dialogues_are_written_as_the_editor_writes_them() -> None:
    texts = task_texts(SCHEMA, DATA).by_key
    assert texts["html"] == "a \U0001f600 b\nc\nd & e"
    assert texts["talk"] == "Ann: hi \U0001f600 you\nBo: bye"
    spans = (Span("html", "h", 4, 7, "b\nc", ("X",)), piece("talk", "p", texts, 10, 21))
    html, talk = (r["value"] for r in sent(spans))
    assert html == {
        "start": "/p[1]/text()[1]",
        "startOffset": 5,  # UTF-16 units
        "end": "/p[2]/text()[1]",
        "endOffset": 1,
        "globalOffsets": {"start": 4, "end": 6},  # code points, nothing between the blocks
        "text": "b\nc",
        "hypertextlabels": ["X"],
    }
    assert talk == {
        "start": "0",
        "startOffset": 6,
        "end": "1",
        "endOffset": 3,
        "text": "you\nbye",
        "paragraphlabels": ["X"],
    }


def piece(name: str, to: str, texts: Mapping[str, str], start: int, end: int) -> Span:
    key = {"h": "html", "p": "talk"}[to]
    text = texts[key][start:end]
    return Span(name, to, start, start + len(text), text, ("X",))


TURN_TEXT = st.text(st.sampled_from("ab \U0001f600\u0301\u200d\r\n."), max_size=12)
TALKS = st.lists(
    st.fixed_dictionaries(
        {"author": st.sampled_from(["Ann", "", "\U0001f600"]), "text": TURN_TEXT}
    ),
    min_size=1,
    max_size=4,
).filter(lambda talk: any(t["text"].strip() for t in talk))
HTML = st.lists(
    st.sampled_from(
        ["a", "é\U0001f600", "e\u0301", " ", "\r\n", "&lt;", "<br>", "<b>c</b>", "<p>d</p>"]
        + ["<div><p>e</p>f</div>", "<script>x</script>", "<style>y</style>", "<table><td>g</table>"]
    ),
    min_size=1,
    max_size=10,
).map("".join)


@given(TALKS, HTML, st.data())
@settings(max_examples=150)
def test_spans_come_back_as_they_went(
    talk: list[dict[str, str]], html: str, draw: st.DataObject
) -> None:
    data = {**DATA, "talk": talk, "html": html}
    texts = task_texts(SCHEMA, data).by_key
    spans: list[Region] = []
    page = read_page(html)
    real = [i for i, p in enumerate(page.places) if p != INSERTED]
    if "html" in texts and real:
        start = draw.draw(st.sampled_from(real))
        end = draw.draw(st.sampled_from([i for i in real if i >= start])) + 1
        spans.append(Span("html", "h", start, end, texts["html"][start:end], ("X", "Y"), 0.25))
    starts = _said(talk)
    start = draw.draw(st.sampled_from(starts))
    end = draw.draw(st.sampled_from([i for i in starts if i >= start])) + 1
    spans.append(Span("talk", "p", start, end, texts["talk"][start:end], ("Y",)))
    written = sent(tuple(spans), data)
    read = read_result(SCHEMA, data, written)
    assert (read.regions, read.dropped) == (tuple(spans), ())
    item = write_prediction(SCHEMA, Prediction(7, tuple(spans), 0.5, "v1"), data)
    assert LabelInterface(XML).validate_prediction(item, return_errors=True) == []


def _said(talk: list[dict[str, str]]) -> list[int]:
    """The offsets of the characters that somebody said."""
    found: list[int] = []
    at = 0
    for i, turn in enumerate(talk):
        at += (1 if i else 0) + (len(turn["author"]) + 2 if turn["author"] else 0)
        found += range(at, at + len(turn["text"]))
        at += len(turn["text"])
    return found


def test_the_sdk_finds_every_kind_valid() -> None:
    item = write_prediction(SCHEMA, Prediction(7, WHOLE, 0.5, "v1"), DATA)
    assert LabelInterface(XML).validate_prediction(item, return_errors=True) == []


# ---- what the editor itself writes


def region(name: str, **value: object) -> dict[str, Any]:
    return {"from_name": name, "to_name": "h", "type": "any", "value": value}


@pytest.mark.parametrize(
    "value",
    [
        {"start": "/p[2]/text()[1]", "end": "/p[2]/text()[1]", "startOffset": 0, "endOffset": 1},
        {"start": "", "end": "", "globalOffsets": {"start": 5, "end": 6}},
        {
            **{"start": "/p[9]/text()[1]", "end": "/p[9]/text()[1]"},
            **{"startOffset": 0, "endOffset": 1, "globalOffsets": {"start": 5, "end": 6}},
        },
    ],
)
def test_html_spans_are_found_by_offsets_or_by_paths(value: dict[str, Any]) -> None:
    stored = region("html", **value, text="c", hypertextlabels=["X"])
    read = read_result(SCHEMA, DATA, [stored])
    assert read.regions == (Span("html", "h", 6, 7, "c", ("X",)),)


def test_the_text_of_the_browser_may_break_lines_where_ours_does_not() -> None:
    value = {"globalOffsets": {"start": 4, "end": 6}, "text": "b\\n\\nc", "hypertextlabels": ["X"]}
    (got,) = read_result(SCHEMA, DATA, [region("html", **value)]).regions
    assert isinstance(got, Span) and got.text == "b\nc"


def test_a_rating_or_pair_of_the_editor_is_read_whatever_it_points_at() -> None:
    pair = {**region("better", selected="left"), "to_name": "better"}  # as 1.23.2 stores it
    read = read_result(SCHEMA, DATA, [pair, region("stars", rating=4)])
    assert read.regions == (Choice("better", "a", ("left",)), Choice("stars", "a", ("4",)))


BAD = [
    (region("stars", rating=9), "label(s) ['9'] of 'stars' are not in the label config"),
    (region("stars", rating=0), "is 0, which is no answer"),
    (region("stars", rating="3"), "no whole number value.rating"),
    (region("stars", rating=True), "no whole number value.rating"),
    (region("count", number="3"), "no number value.number"),
    (region("count", number=10**400), "no number value.number"),
    (region("better", selected=["left"]), "no text value.selected"),
    (region("tree", taxonomy=["Plants"]), "are not in the label config"),
    (region("tree", taxonomy=[[["Plants"]]]), "are not in the label config"),
    (region("html", hypertextlabels=["X"]), "neither offsets nor paths"),
    (
        region("html", globalOffsets={"start": 0, "end": 1}, text="z", hypertextlabels=["X"]),
        "does not cover the text it names",
    ),
    (region("talk", start="0", end="0", paragraphlabels=["X"]), "no whole numbers"),
    (
        region("talk", start="0", end="5", startOffset=0, endOffset=1, paragraphlabels=["X"]),
        "outside the dialogue",
    ),
    (
        region(
            **{"name": "talk", "start": "0", "end": "0", "startOffset": 0, "endOffset": 2},
            text="no",
            paragraphlabels=["X"],
        ),
        "does not cover the text it names",
    ),
]


@pytest.mark.parametrize(("stored", "says"), BAD)
def test_what_cannot_be_read_says_why(stored: dict[str, Any], says: str) -> None:
    read = read_result(SCHEMA, DATA, [stored])
    assert read.regions == ()
    assert says in read.dropped[0]


def test_a_span_of_html_cannot_be_written_without_its_text() -> None:
    span = Span("html", "h", 0, 1, "a", ("X",))
    with pytest.raises(ValueError, match="holds no text it could stand in"):
        write_result(SCHEMA, 7, [span])


def test_a_span_of_an_author_alone_is_left_out_and_an_edge_is_clipped() -> None:
    texts = task_texts(SCHEMA, DATA).by_key
    assert sent((piece("talk", "p", texts, 0, 4),)) == []
    (item,) = sent((piece("talk", "p", texts, 2, 7),))
    assert item["value"]["text"] == "hi" and item["value"]["startOffset"] == 0


# ---- configs that change under way


def test_what_still_fits_stays_and_what_vanished_is_named() -> None:
    old = [
        region("tree", taxonomy=[["Plants"], ["fauna", "Cat"]]),
        region("talk", start="0", end="0", startOffset=0, endOffset=2, paragraphlabels=["Z"]),
        region("gone", choices=["a", "b"]),
        region("bygone", brush=1),
    ]
    read = read_result(SCHEMA, DATA, old)
    assert read.regions == (Choice("tree", "a", ("Plants",)),)
    assert read.vanished == (
        ("tree", "fauna / Cat"),
        ("talk", "Z"),
        ("gone", "a"),
        ("gone", "b"),
        ("bygone", ""),
    )
    assert len(read.dropped) == 3


def test_a_label_that_was_given_an_alias_is_still_known_by_its_old_name() -> None:
    read = read_result(SCHEMA, DATA, [region("tree", taxonomy=[["Animals", "Dog"]])])
    assert read.regions == (Choice("tree", "a", ("fauna / Dog",)),)


# ---- labels that a task brings


def test_the_labels_of_a_task_are_read_with_its_texts() -> None:
    texts = task_texts(SCHEMA, DATA)
    assert [(x.value, x.shown, x.hint) for x in texts.inputs.options["offer"]] == [
        ("1", "One", None),
        ("Two", "Two", "second"),
    ]


@pytest.mark.parametrize("value", [None, "a", [], ["a"], [{"value": 3}]])
def test_a_task_without_labels_says_so(value: object) -> None:
    texts = task_texts(SCHEMA, {**DATA, "options": value})
    assert "offer" not in texts.options and "'options'" in texts.missing[0]
    read = read_result(SCHEMA, {**DATA, "options": value}, [region("offer", choices=["1"])])
    assert read.regions == () and "'options'" in read.dropped[0]


def test_nested_labels_of_a_task_have_paths() -> None:
    schema = read_schema(
        '<View><Text name="t" value="$text"/>'
        '<Choices name="c" toName="t" value="$o" allowNested="true"/></View>'
    )
    data = {"text": "x", "o": [{"value": "a", "children": [{"value": "b", "children": []}]}]}
    assert [x.path for x in task_texts(schema, data).options["c"]] == [("a", "b")]
    written = write_result(schema, 1, [Choice("c", "t", ("a / b",))], data)
    assert written[0]["value"] == {"choices": [["a", "b"]]}
    assert read_result(schema, data, written).regions == (Choice("c", "t", ("a / b",)),)


def test_ticking_the_only_leaf_of_a_nested_choice_is_one_answer() -> None:
    """The editor ticks a node, and stores its path, when all below it are ticked."""
    schema = read_schema(
        '<View><Text name="t" value="$text"/><Choices name="c" toName="t" allowNested="true">'
        '<Choice value="A"><Choice value="A1"/><Choice value="A2"/></Choice>'
        '<Choice value="B"><Choice value="B1"/></Choice></Choices></View>'
    )
    assert schema.controls[0].values == ("A / A1", "A / A2", "B / B1")
    value = {"choices": [["B"], ["B", "B1"]]}
    raw = {"from_name": "c", "to_name": "t", "type": "choices", "value": value}
    read = read_result(schema, {"text": "x"}, [raw])
    assert [r.labels for r in read.regions] == [("B / B1",)] and not read.dropped  # type: ignore[union-attr]
