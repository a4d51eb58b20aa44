"""An XML says what can be predicted; for the rest the schema says why not and what would do."""

from __future__ import annotations

import pytest

from label_config import Control, InvalidConfig, Label, Schema, TextObject, read_schema

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


def test_every_kind_of_control_is_read_with_its_form() -> None:
    schema = view(
        '<Text name="t" value="$text"/><Text name="u" value="$other"/>',
        '<HyperText name="h" value="$html" inline="true"/>',
        '<Paragraphs name="p" value="$talk" nameKey="who" textKey="said"/>',
        '<Rating name="stars" toName="t" maxRating="3"/>',
        '<Number name="count" toName="t" min="0" max="9.5" step="0.5"/>',
        '<Pairwise name="better" toName="t,u"/>',
        '<HyperTextLabels name="html" toName="h"><Label value="a"/></HyperTextLabels>',
        '<ParagraphLabels name="talk" toName="p"><Label value="a"/></ParagraphLabels>',
        '<Choices name="offer" toName="t" value="$options"/>',
        '<Choices name="about" toName="p"><Choice value="a" description="first"/></Choices>',
    )
    assert schema.unsupported == ()
    assert [(c.name, c.form, c.keys) for c in schema.controls] == [
        ("stars", "ordinal", ("text",)),
        ("count", "number", ("text",)),
        ("better", "pair", ("text", "other")),
        ("html", "spans", ("html",)),
        ("talk", "spans", ("talk",)),
        ("offer", "one", ("text",)),
        ("about", "one", ("talk",)),
    ]
    stars, count, better, *_, offer, about = schema.controls
    assert stars.values == ("1", "2", "3") and better.values == ("left", "right")
    assert (count.low, count.high, count.step) == (0, 9.5, 0.5)
    assert (offer.options, offer.labels) == ("options", ())
    assert about.labels == (Label("a", "a", "first"),)
    assert schema.text_object("talk") == TextObject("p", "Paragraphs", "talk", "who", "said")
    assert schema.text_object("html").inline


TREE = (
    '<Choice value="Animals" alias="fauna"><Choice value="Dog" hint="barks"/>'
    '<Choice value="Cat"/></Choice><Choice value="Plants"/>'
)


def test_a_taxonomy_has_a_label_for_each_node_with_its_path() -> None:
    (control,) = view(TEXT, f'<Taxonomy name="c" toName="t">{TREE}</Taxonomy>').controls
    assert control.multiple and control.labels == (
        Label("fauna", "Animals", None, ("fauna",)),
        Label("fauna / Dog", "Animals / Dog", "barks", ("fauna", "Dog")),
        Label("fauna / Cat", "Animals / Cat", None, ("fauna", "Cat")),
        Label("Plants", "Plants", None, ("Plants",)),
    )


def test_leaves_only_and_a_single_use_narrow_a_taxonomy() -> None:
    xml = f'<Taxonomy name="c" toName="t" leafsOnly="true" maxUsages="1">{TREE}</Taxonomy>'
    (control,) = view(TEXT, xml).controls
    assert not control.multiple
    assert control.values == ("fauna / Dog", "fauna / Cat", "Plants")


def test_nested_choices_are_paths_only_where_label_studio_stores_paths() -> None:
    (flat,) = view(TEXT, f'<Choices name="c" toName="t">{TREE}</Choices>').controls
    assert flat.values == ("fauna", "Plants") and not flat.nested
    xml = f'<Choices name="c" toName="t" allowNested="true">{TREE}</Choices>'
    (nested,) = view(TEXT, xml).controls
    assert nested.nested and "fauna / Dog" in nested.values


def test_labels_may_stand_inside_layout_tags() -> None:
    xml = '<Choices name="c" toName="t"><View><View><Choice value="a"/></View></View></Choices>'
    assert view(TEXT, xml).controls[0].values == ("a",)


def test_addresses_are_read_only_where_the_server_allows_them() -> None:
    xml = (
        '<View><Text name="t" value="$url" valueType="url"/>'
        f'<Choices name="c" toName="t">{AB}</Choices></View>'
    )
    assert read_schema(xml).unsupported[0].reason == "its text is fetched from a URL"
    assert read_schema(xml, urls=True).text_object("url").url


def test_objects_without_a_control_are_left_alone() -> None:
    schema = view(
        TEXT,
        '<Text name="note" value="Read this"/><Image name="i" value="$image"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
    )
    assert schema.unsupported == () and [o.name for o in schema.objects] == ["t"]


def test_two_kinds_of_objects_on_one_key_are_refused() -> None:
    schema = view(
        TEXT,
        '<HyperText name="h" value="$text"/>',
        f'<Choices name="c" toName="t">{AB}</Choices><Choices name="d" toName="h">{AB}</Choices>',
    )
    assert schema.controls == ()
    assert {u.reason for u in schema.unsupported} == {
        "two kinds of objects show the data key 'text'"
    }


def test_what_is_no_control_but_asks_for_answers_is_named() -> None:
    schema = view(
        TEXT,
        '<Relations><Relation value="a"/></Relations><Chat name="chat" value="$chat"/>',
        '<Rating name="lost"/>',
    )
    assert [(u.name, u.reason) for u in schema.unsupported] == [
        ("Relations", "relations between spans are not predicted"),
        ("chat", "it writes or rates the messages of a chat"),
        ("lost", "it names no object"),
    ]


NO_TEXT = "it labels <Image>, and only text is read"
REFUSED = [
    (
        TEXT,
        '<TextArea name="c" toName="t" perRegion="true"/>',
        "perRegion asks for an answer for each span",
    ),
    (TEXT, '<DateTime name="c" toName="t"/>', "dates are not predicted"),
    (TEXT, '<Ranker name="c" toName="t"/>', "an order of items is not predicted"),
    (TEXT, '<Wholly name="c" toName="t"/>', "<Wholly> is not predicted"),
    (TEXT, '<BrushLabels name="c" toName="t"/>', "it marks an image, and only text is read"),
    (
        TEXT,
        '<TimeSeriesLabels name="c" toName="t"/>',
        "it marks a time series, and only text is read",
    ),
    (TEXT, '<VideoRectangle name="c" toName="t"/>', "it marks a video, and only text is read"),
    ('<Image name="t" value="$i"/>', '<TextArea name="c" toName="t"/>', NO_TEXT),
    (
        f'{TEXT}<Text name="u" value="$other"/>',
        f'<Choices name="c" toName="t,u">{AB}</Choices>',
        "it points at several objects",
    ),
    (TEXT, '<Pairwise name="c" toName="t"/>', "it compares 1 objects"),
    (TEXT, f'<Choices name="c" toName="z">{AB}</Choices>', 'toName="z" names no object'),
    ('<Image name="t" value="$i"/>', f'<Choices name="c" toName="t">{AB}</Choices>', NO_TEXT),
    (
        '<Text name="t" value="$url" valueType="url"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
        "its text is fetched from a URL",
    ),
    (
        '<Text name="t" value="$text" encoding="base64"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
        "its text is encoded (base64)",
    ),
    (
        '<Text name="t" value="Read this"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
        "its <Text> shows a fixed text",
    ),
    (
        TEXT,
        f'<Choices name="c" toName="t" value="$options">{AB}</Choices>',
        "its labels come from the config and from each task",
    ),
    (TEXT, '<Labels name="c" toName="t" value="$o"/>', "its labels come from each task"),
    (
        TEXT,
        '<Taxonomy name="c" toName="t" apiUrl="http://labels"/>',
        "its labels are fetched from an address",
    ),
    (
        TEXT,
        f'<Taxonomy name="c" toName="t" labeling="true">{AB}</Taxonomy>',
        'labeling="true" makes it mark spans',
    ),
    (
        TEXT,
        f'<Choices name="c" toName="t" perRegion="true">{AB}</Choices>',
        "perRegion asks for an answer for each span",
    ),
    (
        TEXT,
        f'<Choices name="c" toName="t" perItem="true">{AB}</Choices>',
        "perItem asks for an answer for each item",
    ),
    (
        TEXT,
        f'<Choices name="c" toName="t" visibleWhen="region-selected">{AB}</Choices>',
        "visibleWhen shows it for a selected region, an answer for each span",
    ),
    (
        TEXT,
        f'<Choices name="c" toName="t" visibleWhen="choice-selected">{AB}</Choices>',
        "its visibleWhen names no control",
    ),
    (
        TEXT,
        '<ParagraphLabels name="c" toName="t"><Label value="a"/></ParagraphLabels>',
        "<ParagraphLabels> cannot mark a <Text>",
    ),
    (
        '<Paragraphs name="t" value="$talk"/>',
        '<Labels name="c" toName="t"><Label value="a"/></Labels>',
        "<Labels> cannot mark a <Paragraphs>",
    ),
    (
        TEXT,
        '<Rating name="c" toName="t" maxRating="x"/>',
        "maxRating='x' is no whole number from 1 to 100",
    ),
    (
        TEXT,
        '<Rating name="c" toName="t" maxRating="999999999"/>',
        "maxRating='999999999' is no whole number from 1 to 100",
    ),
    (TEXT, '<Number name="c" toName="t" min="a"/>', "min='a' is no number"),
    (TEXT, '<Number name="c" toName="t" min="2" max="1"/>', "min=2 is not below max=1"),
    (
        TEXT,
        '<Choices name="c" toName="t"><Choice value="$a"/></Choices>',
        "the name of its label '$a' comes from each task",
    ),
    (
        TEXT,
        '<Choices name="c" toName="t"><Choice name="n" value="a"/><Choice value="b"/></Choices>',
        "its label 'a' has a name, so Label Studio takes it for no label",
    ),
    (
        TEXT,
        '<Taxonomy name="c" toName="t"><Choice value="a / b"/><Choice value="a"><Choice value="b"/>'
        "</Choice></Taxonomy>",
        "two of its labels are the same, or one is empty",
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
        (
            f'<View>{TEXT}<Choices name="c" toName="t">{AB}</Choices>'
            '<Rating name="c" toName="t"/></View>',
            "two controls alike",
        ),
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
