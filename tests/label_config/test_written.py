"""A TextArea's text goes to Label Studio and comes back; several submissions are its lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from label_config import InvalidValue, Prediction, Written, answer_key, read_schema
from label_config.wire import read_result, write_prediction, write_result

XML = '<View><Text name="t" value="$text"/><TextArea name="note" toName="t"/></View>'
SCHEMA = read_schema(XML)
LABELS = '<Labels name="ner" toName="t"><Label value="PER"/></Labels>'
DATA = {"text": "Ann came"}
texts = st.text(min_size=1, max_size=40).filter(str.strip)


def wire(text: object) -> dict[str, object]:
    return {"from_name": "note", "to_name": "t", "type": "textarea", "value": {"text": text}}


@given(texts, st.none() | st.integers(0, 10**6).map(lambda n: n / 10**6))
@settings(max_examples=100)
def test_a_text_comes_back_as_it_went(text: str, score: float | None) -> None:
    region = Written("note", "t", text, score)
    sent = json.loads(json.dumps(write_result(SCHEMA, 7, [region])))
    assert sent[0]["value"] == {"text": [text]} and sent[0]["type"] == "textarea"
    assert read_result(SCHEMA, DATA, sent).regions == (region,)


@given(texts)
@settings(max_examples=20)
def test_the_sdk_finds_it_valid(text: str) -> None:
    item = write_prediction(SCHEMA, Prediction(7, (Written("note", "t", text),), 0.5, "v1"))
    assert LabelInterface(XML).validate_prediction(item, return_errors=True) == []


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (["one"], "one"),
        ("one", "one"),
        (["one", "two\nlines", " "], "one\ntwo\nlines"),
        ([" kept as it is\r\n"], " kept as it is\r\n"),
    ],
)
def test_what_the_editor_stores_is_read(stored: object, text: str) -> None:
    assert read_result(SCHEMA, DATA, [wire(stored)]).regions == (Written("note", "t", text),)


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ([], "is empty"),
        ("", "is empty"),
        (["", " \n"], "is empty"),
        (None, "no text or texts"),
        (5, "no text or texts"),
        (["one", 5], "no text or texts"),
        ([["one"]], "no text or texts"),
        ({"a": "b"}, "no text or texts"),
    ],
)
def test_what_holds_no_text_is_no_answer(stored: object, says: str) -> None:
    read = read_result(SCHEMA, DATA, [wire(stored)])
    (reason,) = read.dropped
    assert read.regions == () and says in reason


def test_a_region_without_a_value_is_no_answer() -> None:
    assert read_result(SCHEMA, DATA, [{"from_name": "note"}]).regions == ()


def test_a_second_text_of_one_control_is_named() -> None:
    read = read_result(SCHEMA, DATA, [wire(["one"]), wire(["two"])])
    assert read.regions == (Written("note", "t", "one"),)
    assert "answered twice" in read.dropped[0]


def test_an_encoder_passes_over_it_in_silence() -> None:
    served = read_schema(XML.replace("</View>", f"{LABELS}</View>")).served_by("encoder")
    read = read_result(served, DATA, [wire(["one"])])
    assert (read.regions, read.dropped, read.vanished) == ((), (), ())


def test_of_a_control_that_is_gone_its_text_is_not_repeated() -> None:
    """What vanished goes into reports and the log; a text is no label."""
    other = read_schema(f'<View><Text name="t" value="$text"/>{LABELS}</View>')
    read = read_result(other, DATA, [wire(["a private remark"])])
    assert read.vanished == (("note", ""),) and "private" not in str(read.dropped)


@pytest.mark.parametrize("empty", ["", " ", "\n\t"])
def test_an_empty_text_cannot_be_made(empty: str) -> None:
    with pytest.raises(InvalidValue, match="'note' is empty"):
        Written("note", "t", empty)
    with pytest.raises(InvalidValue, match="score 2"):
        Written("note", "t", "one", 2)


def test_how_lines_end_makes_no_other_answer() -> None:
    one = answer_key(Written("note", "t", "a\nb", 0.5))
    assert one == answer_key(Written("note", "t", "a \r\nb\n"))
    assert one != answer_key(Written("note", "t", "a b"))
    assert one != answer_key(Written("other", "t", "a\nb"))
