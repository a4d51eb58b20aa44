"""What of a schema a kind of base predicts; either way it is the same config, under one name."""

from __future__ import annotations

from label_config import Control, Schema, read_schema

TEXT = '<Text name="t" value="$text"/>'
AB = '<Choice value="a"/><Choice value="b"/>'


def view(*tags: str) -> Schema:
    return read_schema(f"<View>{''.join(tags)}</View>")


def test_a_text_area_is_read_and_an_encoder_leaves_it_to_people() -> None:
    schema = view(
        TEXT,
        '<Paragraphs name="p" value="$talk" valueType="text"/>',
        f'<Choices name="c" toName="t">{AB}</Choices>',
        '<TextArea name="w" toName="p" value="a start" rows="4" maxSubmissions="1"/>',
    )
    assert schema.controls[1] == Control("w", "TextArea", "p", "talk")
    assert schema.controls[1].form == "text"
    served = schema.served_by("encoder")
    assert [c.name for c in served.controls] == ["c"]
    assert (served.keys, [o.key for o in served.objects]) == (("text",), ["text"])
    ((name, reason),) = [(u.name, u.reason) for u in served.unsupported]
    assert (name, reason) == ("w", "needs a causal base")
    assert "smollm" in served.unsupported[0].remedy
    assert schema.served_by("causal") is schema


def test_a_part_of_a_schema_is_named_as_the_whole() -> None:
    schema = view(TEXT, f'<Choices name="c" toName="t">{AB}</Choices>')
    both = view(
        TEXT, f'<Choices name="c" toName="t">{AB}</Choices>', '<TextArea name="w" toName="t"/>'
    )
    served = both.served_by("encoder")
    assert served.controls == schema.controls
    assert served.digest == both.digest != schema.digest
    assert served.served_by("encoder") is served and served.short == both.short


def test_without_texts_a_schema_keeps_the_name_it_always_had() -> None:
    """Versions and adapters of projects that exist are named by it."""
    schema = view(
        TEXT,
        f'<Choices name="c" toName="t">{AB}</Choices>',
        '<Number name="n" toName="t" min="0"/>',
        '<Labels name="l" toName="t"><Label value="Person" alias="PER"/></Labels>',
    )
    assert schema.served_by("encoder") is schema
    assert schema.short == "29b265c3"


def test_a_text_area_that_shows_a_key_otherwise_is_the_one_that_yields() -> None:
    schema = view(
        '<HyperText name="h" value="$text"/><TextArea name="w" toName="h"/>',
        f'{TEXT}<Choices name="c" toName="t">{AB}</Choices><TextArea name="v" toName="t"/>',
    )
    assert [c.name for c in schema.controls] == ["c", "v"]
    ((name, reason),) = [(u.name, u.reason) for u in schema.unsupported]
    assert (name, reason) == ("w", "two kinds of objects show the data key 'text'")
