"""The review project's config: same names and labels, plain texts, the parent beside."""

from __future__ import annotations

import pytest

from label_config.schema import read_schema
from label_config.values import Choice, Span
from label_config.wire import read_result, task_texts, write_result
from sync.review_config import PARENT, review_config

SPANS = """<View annotune-regulated="true" annotune-base="smollm" style="color:red">
  <Style>.lsf { color: red }</Style>
  <Image name="scan" value="$scan"/>
  <HyperText name="page" value="$html" valueType="url" inline="true" granularity="word"/>
  <Paragraphs name="talk" value="$talk" nameKey="who" textKey="said" layout="dialogue"/>
  <HyperTextLabels name="who" toName="page"><Label value="PER"/></HyperTextLabels>
  <ParagraphLabels name="act" toName="talk"><Label value="ask"/></ParagraphLabels>
  <RectangleLabels name="box" toName="scan"><Label value="stamp"/></RectangleLabels>
  <Choices name="topic" toName="page" choice="multiple">
    <Choice value="x"/><Choice value="y"/>
  </Choices>
</View>"""


def test_answers_of_a_review_are_answers_under_the_source() -> None:
    source = read_schema(SPANS, urls=True)
    review = read_schema(review_config(SPANS, source))
    assert [(c.name, c.to_name, c.values) for c in review.controls] == [
        (c.name, c.to_name, c.values) for c in source.controls
    ]
    assert review.keys == source.keys and {o.kind for o in review.objects} == {"Text"}
    assert not any(o.url for o in review.objects) and review.admin == source.admin
    data = {"html": "Bob & <b>Ann</b> at Acme", "talk": "Bob: why?", f"{PARENT}html": "Eve"}
    assert task_texts(review, data).by_key == {"html": data["html"], "talk": data["talk"]}
    regions = (
        Span("who", "page", 0, 3, "Bob", ("PER",)),
        Span("act", "talk", 5, 9, "why?", ("ask",)),
        Choice("topic", "page", ("x", "y")),
    )
    read = read_result(review, data, write_result(review, 1, regions, data))
    assert read.regions == regions and not read.dropped


def test_the_parent_is_shown_and_asks_for_nothing() -> None:
    made = review_config(SPANS, read_schema(SPANS, urls=True))
    for key in ("html", "talk"):
        assert f'<Text name="{PARENT}{key}" value="${PARENT}{key}"' in made
        assert f'toName="{PARENT}{key}"' not in made
    assert '<Image name="scan" value="$scan"' in made and 'style="color:red"' in made
    assert made.count("annotune-regulated") == 1


@pytest.mark.parametrize("value", ["a &lt; b", "&quot;ü&quot;"])
def test_labels_keep_their_characters(value: str) -> None:
    config = (
        f'<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="{value}"/>'
        '<Choice value="b"/></Choices></View>'
    )
    source = read_schema(config)
    assert read_schema(review_config(config, source)).controls == source.controls
