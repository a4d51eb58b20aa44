"""maxUsages: read from the config, and answers cut to it."""

from __future__ import annotations

import pytest

from label_config import read_schema
from label_config.usages import read_most, within_usages
from label_config.values import Choice, Region, Span

TEXT = '<Text name="t" value="$text"/>'
LABELS = """<Labels name="ner" toName="t" maxUsages="2">
<Label value="Person"/><Label value="City" maxUsages="1"/></Labels>"""
SPANS = f"<View>{TEXT}{LABELS}</View>"


def span(start: int, label: str, score: float | None, *more: str) -> Span:
    return Span("ner", "t", start, start + 1, "x", (label, *more), score)


def starts(regions: tuple[Region, ...]) -> list[int]:
    return [r.start for r in regions if isinstance(r, Span)]


def test_a_label_keeps_its_surest_spans_and_its_own_cap_goes_first() -> None:
    schema = read_schema(SPANS)
    given = [
        span(0, "Person", 0.5), span(2, "Person", 0.9), span(4, "Person", 0.7),
        span(6, "City", 0.4), span(8, "City", 0.6),
    ]  # fmt: skip
    assert starts(within_usages(schema, given)) == [2, 4, 8]


def test_equally_sure_spans_stay_in_their_order_and_one_without_a_score_goes_last() -> None:
    schema = read_schema(SPANS)
    given = [span(0, "City", None), span(2, "City", 0.3), span(4, "City", 0.3)]
    assert starts(within_usages(schema, given)) == [2]


def test_a_span_of_two_labels_loses_the_one_that_is_used_up() -> None:
    schema = read_schema(SPANS.replace("<Labels ", '<Labels choice="multiple" '))
    given = [span(0, "City", 0.9), span(2, "City", 0.5, "Person")]
    kept = within_usages(schema, given)
    assert [r.labels for r in kept if isinstance(r, Span)] == [("City",), ("Person",)]


def test_a_taxonomy_keeps_so_many_paths() -> None:
    tree = "".join(f'<Choice value="{v}"/>' for v in "abc")
    taxonomy = f'<Taxonomy name="c" toName="t" maxUsages="2">{tree}</Taxonomy>'
    schema = read_schema(f"<View>{TEXT}{taxonomy}</View>")
    assert schema.controls[0].multiple and schema.controls[0].most == 2
    (kept,) = within_usages(schema, [Choice("c", "t", ("a", "b", "c"), 0.9)])
    assert isinstance(kept, Choice) and kept.labels == ("a", "b")


@pytest.mark.parametrize("written", ["", "0", "-1", "two", "1.5", "9" * 20])
def test_what_is_no_cap_caps_nothing(written: str) -> None:
    assert read_most({"maxusages": written}) is None


def test_a_config_without_caps_keeps_its_digest_and_one_with_them_has_another() -> None:
    plain = SPANS.replace(' maxUsages="2"', "").replace(' maxUsages="1"', "")
    known = "c5eff327879694c12dd313b50e6360c41add56734bd267ec9fe9823abc94e5e3"
    assert read_schema(plain).digest == known
    assert len({read_schema(x).digest for x in (plain, SPANS)}) == 2
