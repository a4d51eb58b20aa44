"""An XML says what can be predicted; for the rest the schema says why not and what would do."""

from __future__ import annotations

import pytest

from label_config import Control, InvalidConfig, Label, Schema, read_schema

TEXT = '<Text name="t" value="$text"/>'
AB = '<Choice value="a"/><Choice value="b"/>'


def view(*tags: str) -> Schema:
    return read_schema(f"<View>{''.join(tags)}</View>")


def test_choices_and_labels_on_one_text_are_read_in_order() -> None:
    schema = view(
        TEXT,
        '<Choices name="c" toName="t" required="true"><Choice value="A" hint="first"/></Choices>',
        '<Labels name="l" toName="t"><Label value="PER"/><Label value="ORG"/></Labels>',
        '<Choices name="m" toName="t" choice="multiple"><Choice value="x"/></Choices>',
    )
    assert schema.controls == (
        Control("c", "Choices", "t", "text", (Label("A", "A", "first"),), required=True),
        Control("l", "Labels", "t", "text", (Label("PER", "PER"), Label("ORG", "ORG"))),
        Control("m", "Choices", "t", "text", (Label("x", "x"),), multiple=True),
    )
    assert schema.unsupported == () and schema.keys == ("text",)


def test_two_texts_give_two_data_keys() -> None:
    schema = view(
        '<Text name="q" value="$question"/><Text name="a" value="$answer"/>',
        f'<Choices name="x" toName="a">{AB}</Choices><Choices name="y" toName="q">{AB}</Choices>',
    )
    assert schema.keys == ("answer", "question")


def test_an_alias_is_stored_and_the_value_is_shown() -> None:
    schema = view(TEXT, '<Labels name="l" toName="t"><Label value="Person" alias="PER"/></Labels>')
    assert schema.controls[0].labels == (Label("PER", "Person"),)


def test_single_is_the_default_and_radio_is_single_too() -> None:
    for choice in ("", 'choice="single"', 'choice="single-radio"'):
        (control,) = view(TEXT, f'<Choices name="c" toName="t" {choice}>{AB}</Choices>').controls
        assert not control.multiple


REFUSED = [
    (TEXT, '<Rating name="c" toName="t"/>', "<Rating> is not predicted"),
    (TEXT, '<TextArea name="c" toName="t"/>', "<TextArea> is not predicted"),
    (TEXT, '<Number name="c" toName="t"/>', "<Number> is not predicted"),
    (
        TEXT,
        f'<Taxonomy name="c" toName="t">{AB}</Taxonomy>',
        "<Taxonomy> is not predicted",
    ),
    (
        '<HyperText name="t" value="$html"/>',
        '<HyperTextLabels name="c" toName="t"><Label value="a"/></HyperTextLabels>',
        "<HyperTextLabels> is not predicted",
    ),
    (
        f'{TEXT}<Text name="u" value="$other"/>',
        f'<Choices name="c" toName="t,u">{AB}</Choices>',
        "it points at several objects",
    ),
    (TEXT, f'<Choices name="c" toName="z">{AB}</Choices>', 'toName="z" names no object'),
    (
        '<Image name="t" value="$image"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
        "it labels a <Image>",
    ),
    (
        '<Text name="t" value="$url" valueType="url"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
        "its text is fetched from a URL",
    ),
    (
        '<Text name="t" value="Read this"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
        "its <Text> shows a fixed text",
    ),
    (
        TEXT,
        '<Choices name="c" toName="t" value="$options"/>',
        "its labels come from each task",
    ),
    (
        TEXT,
        '<Labels name="c" toName="t" value="$options"><Label value="x"/></Labels>',
        "its labels come from each task",
    ),
    (
        TEXT,
        f'<Choices name="c" toName="t" perRegion="true">{AB}</Choices>',
        "perRegion asks for an answer for each span",
    ),
    (
        TEXT,
        f'<Choices name="c" toName="t" visibleWhen="region-selected">{AB}</Choices>',
        "visibleWhen hides it under a condition",
    ),
    (
        TEXT,
        '<Choices name="c" toName="t"><Choice value="a"><Choice value="b"/></Choice></Choices>',
        "its choices are nested",
    ),
    (TEXT, '<Choices name="c" toName="t"></Choices>', "it lists no labels"),
]


@pytest.mark.parametrize(("objects", "control", "reason"), REFUSED)
def test_a_control_that_is_not_predicted_says_why_and_what_would_do(
    objects: str, control: str, reason: str
) -> None:
    good = (
        '<Text name="g" value="$good"/><Labels name="fine" toName="g"><Label value="x"/></Labels>'
    )
    schema = view(objects, control, good)
    assert [c.name for c in schema.controls] == ["fine"]  # one odd control costs only itself
    (refused,) = schema.unsupported
    assert (refused.name, refused.reason) == ("c", reason)
    assert refused.remedy and control.startswith(f"<{refused.tag}")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("", "empty"),
        ("not xml", "Start tag expected"),
        ("<View>", "Premature end"),
        ("<View></Vieww>", "mismatch"),
        ('<!DOCTYPE v [<!ENTITY e SYSTEM "file:///etc/passwd">]><View>&e;</View>', "DOCTYPE"),
        ("<View>" * 3000 + "</View>" * 3000, "depth"),
        ("<View>\ud800</View>", "cannot be read"),
        (" " * 1_000_001, "at most 1000000"),
    ],
)
def test_a_config_that_cannot_be_read_is_refused_by_name(config: str, says: str) -> None:
    with pytest.raises(InvalidConfig, match=says):
        read_schema(config)


@pytest.mark.parametrize("config", ["<View/>", "<a/>", f"<View>{TEXT}</View>"])
def test_a_config_without_controls_is_a_valid_empty_schema(config: str) -> None:
    assert read_schema(config) == Schema(())


def test_the_digest_follows_what_is_predicted_and_nothing_else() -> None:
    plain = view(TEXT, f'<Choices name="c" toName="t">{AB}</Choices>')
    styled = read_schema(
        f'<View style="x">\n  <Header value="Read"/>{TEXT}'
        f'<Choices name="c" toName="t" showInline="true">{AB}</Choices></View>'
    )
    assert styled.digest == plain.digest and len(plain.short) == 8
    changes = [
        f'<Choices name="c" toName="t">{AB}<Choice value="é"/></Choices>',
        f'<Choices name="d" toName="t">{AB}</Choices>',
        f'<Choices name="c" toName="t" choice="multiple">{AB}</Choices>',
        '<Choices name="c" toName="t"><Choice value="b"/><Choice value="a"/></Choices>',
        '<Labels name="c" toName="t"><Label value="a"/><Label value="b"/></Labels>',
    ]
    assert len({plain.digest, *(view(TEXT, change).digest for change in changes)}) == 6


@pytest.mark.parametrize(
    ("choices", "view", "words"),
    [
        ('<Choice value="a"/><Choice value="a"/>', "<View>", "two of its labels are the same"),
        ('<Choice value="a"/><Choice value=""/>', "<View>", "or one is empty"),
        ('<Choice value="a"/>', '<View visibleWhen="region-selected">', "visibleWhen"),
    ],
)
def test_a_control_that_would_be_misread_is_refused_alone(
    choices: str, view: str, words: str
) -> None:
    schema = read_schema(
        '<View><Text name="t" value="$text"/>'
        '<Labels name="ok" toName="t"><Label value="x"/></Labels>'
        f'{view}<Choices name="c" toName="t">{choices}</Choices></View></View>'
    )
    assert [c.name for c in schema.controls] == ["ok"]
    assert words in schema.unsupported[0].reason


@pytest.mark.parametrize("value", ["$a $b", "$a.b", "Hello $name"])
def test_a_text_of_more_than_one_key_is_refused(value: str) -> None:
    schema = read_schema(
        f'<View><Text name="t" value="{value}"/>'
        '<Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    )
    assert schema.controls == ()
    assert "<Text>" in schema.unsupported[0].reason
