"""Attributes on the root <View> say what the admin wants; what cannot be read is named."""

from __future__ import annotations

import pytest

from label_config import Admin, read_schema

REST = (
    '<Text name="t" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/></Choices></View>'
)


def test_all_attributes_are_read_and_change_no_prediction() -> None:
    schema = read_schema(
        '<View annotune-base="minilm" annotune-target="90%" annotune-regulated="True" '
        f'annotune-blind-share="0.25">{REST}'
    )
    assert schema.admin == Admin("minilm", 0.9, True, 0.25)
    assert schema.unsupported == () and schema.digest == read_schema(f"<View>{REST}").digest


def test_a_config_without_them_says_nothing() -> None:
    assert read_schema(f"<View>{REST}").admin == Admin()


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ('annotune-base=" "', "' ' cannot be read"),
        ('annotune-target="1.5"', "'1.5' cannot be read"),
        ('annotune-target="high"', "'high' cannot be read"),
        ('annotune-target="nan"', "'nan' cannot be read"),
        ('annotune-target="-1"', "'-1' cannot be read"),
        ('annotune-regulated="maybe"', "'maybe' cannot be read"),
        ('annotune-blind-share="0.6"', "'0.6' cannot be read"),
        ('annotune-blind-share="4%"', "'4%' cannot be read"),
        ('annotune-colour="red"', "annotune-colour is no attribute of ours"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_and_costs_nothing_else(
    attribute: str, reason: str
) -> None:
    schema = read_schema(f"<View {attribute}>{REST}")
    (refused,) = schema.unsupported
    assert refused.name == attribute.split("=")[0] and refused.tag == "View"
    assert refused.reason == reason and refused.remedy
    assert schema.admin == Admin() and [c.name for c in schema.controls] == ["c"]


def test_an_attribute_below_the_root_is_named() -> None:
    schema = read_schema(f'<View><View annotune-target="0.9"/>{REST}')
    assert schema.admin == Admin()
    assert "root <View> only" in schema.unsupported[0].reason
