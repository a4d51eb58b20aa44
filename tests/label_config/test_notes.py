"""A TextArea that the admin marks takes data from experts: it is nothing to predict."""

from __future__ import annotations

import pytest

from label_config import Note, check, read_schema, report_lines
from label_config.wire import read_result

TEXT = '<Text name="t" value="$text"/>'
REST = f'{TEXT}<Choices name="c" toName="t"><Choice value="yes"/><Choice value="no"/></Choices>'


def area(role: str, name: str = "n", more: str = "") -> str:
    return f'<TextArea name="{name}" toName="t" annotune-role="{role}" {more}/>'


BOTH = f"<View>{REST}{area('variant', 'other')}{area(' Context ', 'why')}</View>"


def wire(name: str, value: object) -> dict[str, object]:
    return {"from_name": name, "to_name": "t", "type": "textarea", "value": value}


def test_it_is_no_control_and_changes_no_prediction() -> None:
    schema = read_schema(BOTH)
    assert schema.notes == (Note("other", "variant", "text"), Note("why", "context"))
    assert [c.name for c in schema.controls] == ["c"] and schema.unsupported == ()
    assert schema.digest == read_schema(f"<View>{REST}</View>").digest
    served = schema.served_by("encoder")
    assert served == schema, "no causal base is needed for it"


def test_beside_a_text_area_to_predict_it_stays_what_it_is() -> None:
    schema = read_schema(BOTH.replace("</View>", '<TextArea name="say" toName="t"/></View>'))
    assert [c.name for c in schema.controls] == ["c", "say"]
    served = schema.served_by("encoder")
    assert [u.name for u in served.unsupported] == ["say"] and served.notes == schema.notes


def test_the_check_says_what_becomes_of_it_and_counts_it_on_neither_side() -> None:
    report = check(BOTH)
    text = "\n".join(report_lines(report))
    assert "other <TextArea>: variant: each text typed here becomes an example" in text
    assert "why <TextArea>: context: what is typed here guides a generator, and no model" in text
    assert text.endswith("1 of 1 entries are predicted") and "warning" not in text
    assert [n["role"] for n in report.to_dict()["notes"]] == ["variant", "context"]


def test_a_variant_where_several_texts_are_read_is_warned_about() -> None:
    pair = '<Text name="u" value="$other"/><Pairwise name="p" toName="t,u"/>'
    (note,) = check(f"<View>{REST}{pair}{area('variant')}</View>").notes
    assert "$text and $other is read" in note.warnings[0]


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (area("variants"), "annotune-role='variants' cannot be read"),
        (area(""), "annotune-role='' cannot be read"),
        (area("variant").replace('name="n"', ""), "it has no name"),
        (area("variant").replace('"t"', '"c"'), 'toName="c" names no object'),
        (area("context", more='perRegion="true"'), "perRegion asks for an answer for each span"),
        (area("variant", more='visibleWhen="region-selected"'), "answer for each span"),
        ('<Paragraphs name="d" value="$d"/>' + area("variant").replace('"t"', '"d"'), "dialogue"),
        ('<Image name="i" value="$i"/>' + area("variant").replace('"t"', '"i"'), "<Image>"),
    ],
)
def test_one_that_is_of_no_use_is_named_and_never_predicted(tag: str, reason: str) -> None:
    schema = read_schema(f"<View>{REST}{tag}</View>")
    (refused,) = schema.unsupported
    assert reason in refused.reason and refused.remedy and refused.tag == "TextArea"
    assert schema.notes == () and [c.name for c in schema.controls] == ["c"]


@pytest.mark.parametrize("place", ["View", "Choices", "Choice"])
def test_the_attribute_anywhere_else_is_named(place: str) -> None:
    xml = f"<View >{REST}</View>".replace(f"<{place} ", f'<{place} annotune-role="variant" ', 1)
    (refused,) = read_schema(xml).unsupported
    assert (refused.name, refused.tag) == ("annotune-role", place)
    assert "on a <TextArea> only" in refused.reason and read_schema(xml).notes == ()


def test_what_is_typed_is_read_apart_and_nothing_of_it_is_dropped() -> None:
    choice = {"from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": ["yes"]}}
    other = wire("other", {"text": [" Sent $2,000 to Binance ", "", "two\nlines"]})
    more = wire("other", {"text": "one more"})
    why = wire("why", {"text": ["said a, meant b"]})
    read = read_result(read_schema(BOTH), {"text": "x"}, [choice, other, why, more])
    assert [r.from_name for r in read.regions] == ["c"]
    assert (read.dropped, read.vanished) == ((), ())
    assert read.typed == {
        "other": ("Sent $2,000 to Binance", "two\nlines", "one more"),
        "why": ("said a, meant b",),
    }


@pytest.mark.parametrize("value", [None, 7, {}, {"text": None}, {"text": [3, None, "  "]}])
def test_nothing_readable_typed_is_nothing(value: object) -> None:
    read = read_result(read_schema(BOTH), {"text": "x"}, [wire("why", value)])
    assert (read.regions, read.dropped, read.typed) == ((), (), {"why": ()})
