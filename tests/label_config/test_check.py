"""The report says of every control what is predicted, or why not and what would do."""

from __future__ import annotations

import json

from label_config import check, read_schema, report_lines

XML = (
    '<View annotune-target="90%" annotune-color="x"><Text name="t" value="$text"/>'
    '<Text name="u" value="$other"/><HyperText name="h" value="$html"/>'
    '<Choices name="one" toName="t"><Choice value="a one"/><Choice value="L2"/></Choices>'
    '<Choices name="many" toName="t" choice="multiple"><Choice value="only"/></Choices>'
    '<Rating name="stars" toName="t"/><Number name="n" toName="t" min="0" max="5"/>'
    '<Pairwise name="pair" toName="t,u"/>'
    '<HyperTextLabels name="spans" toName="h"><Label value="Person"/></HyperTextLabels>'
    '<Choices name="offer" toName="t" value="$options" visibleWhen="choice-selected" '
    'whenTagName="one" whenChoiceValue="L2"/>'
    '<TextArea name="note" toName="t"/></View>'
)


def test_each_control_has_its_form_in_words() -> None:
    report = check(XML)
    assert report.verdicts[7].trained.startswith("from written texts")
    assert {v.name: v.form for v in report.verdicts if v.predicted} == {
        "one": "one of 2 labels",
        "many": "any of 1 label",
        "stars": "a rating from 1 to 5",
        "n": "a number from 0 to 5",
        "pair": "the left or the right text",
        "spans": "spans of 1 label",
        "offer": "one of the labels that each task brings in $options",
        "note": "a text, written by a causal base",
    }
    assert check(read_schema(XML)) == report


def test_what_is_not_predicted_says_why_and_what_would_do() -> None:
    assert [v.name for v in check(XML).verdicts if not v.predicted] == ["annotune-color"]
    encoder = read_schema(XML).served_by("encoder")
    refused = {v.name: v for v in check(encoder).verdicts if not v.predicted}
    assert set(refused) == {"note", "annotune-color"}
    assert refused["note"].reason == "needs a causal base"
    assert all(v.remedy for v in refused.values())


def test_doubtful_labels_are_warned_about() -> None:
    by_name = {v.name: v.warnings for v in check(XML).verdicts}
    assert "'L2'" in by_name["one"][0] and "'a one'" not in by_name["one"][0]
    assert "fewer than 2 labels" in by_name["many"][0]
    assert by_name["stars"] == by_name["spans"] == ()
    labels = "".join(f'<Choice value="name {"ab"[i % 2]} {i}"/>' for i in range(201))
    (wide,) = check(
        f'<View><Text name="t" value="$t"/><Choices name="c" toName="t">{labels}</Choices></View>'
    ).verdicts
    assert "more than 200 labels" in wide.warnings[0]


def test_a_hint_or_a_word_in_any_script_is_no_code() -> None:
    labels = '<Choice value="L1" hint="late"/><Choice value="人"/><Choice value="да"/>'
    (verdict,) = check(
        f'<View><Text name="t" value="$t"/><Choices name="c" toName="t">{labels}</Choices></View>'
    ).verdicts
    assert verdict.warnings == ()


def test_the_lines_name_every_control_its_keys_and_the_attributes() -> None:
    text = "\n".join(report_lines(check(read_schema(XML).served_by("encoder"))))
    assert (
        "pair <Pairwise>: predicts the left or the right text, read from $text and $other" in text
    )
    assert "note <TextArea>: not predicted: needs a causal base" in text
    assert "only shown while one has 'L2'" in text
    assert "annotune-target: 0.9" in text
    assert text.endswith("7 of 9 entries are predicted")
    assert report_lines(check("<View/>")) == ["no control found"]


def test_the_dict_is_plain_json() -> None:
    body = json.loads(json.dumps(check(XML).to_dict()))
    assert body["admin"] == {"annotune-target": 0.9}
    assert body["controls"][0]["keys"] == ["text"] and body["controls"][0]["predicted"] is True
    assert len(body["controls"]) == 9 and body["notes"] == []
