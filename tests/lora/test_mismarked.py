"""Words that are marked otherwise elsewhere are doubted, a missing mark and one too many too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from label_config import Example, read_schema
from label_config.values import Span
from lora.mismarked import LEAST, of_spans

CONFIG = (
    '<View><Text name="t" value="$text"/><Labels name="parts" toName="t">'
    '<Label value="Person"/><Label value="Place"/></Labels></View>'
)
(CONTROL,) = read_schema(CONFIG).controls


def row(number: int, text: str, *marks: tuple[str, str], group: str = "") -> Example:
    answers = tuple(
        Span("parts", "t", text.index(w), text.index(w) + len(w), w, (label,)) for w, label in marks
    )
    name = f"e{number:02}"
    return Example(name, number, group or name, "train", {"text": text}, answers)


def good(count: int = 6) -> list[Example]:
    return [row(n, f"{n}: Ann Lee is in Bonn", ("Ann Lee", "Person"), ("Bonn", "Place"))
            for n in range(count)]  # fmt: skip


def test_consistent_marks_are_not_doubted() -> None:
    assert of_spans(CONTROL, good()) == []
    assert of_spans(CONTROL, []) == []


@pytest.mark.parametrize(
    ("odd", "given", "said"),
    [
        (row(9, "so Ann Lee said", ("Ann Lee", "Place")), ("Place",), ("Person",)),
        (row(9, "nobody met Ann Lee"), (), ("Person",)),
    ],
)
def test_another_label_and_a_missing_mark_are_doubted(
    odd: Example, given: tuple[str, ...], said: tuple[str, ...]
) -> None:
    (found,) = of_spans(CONTROL, [*good(), odd])
    assert (found.row, found.given, found.said, found.control) == (odd.id, given, said, "parts")
    assert found.margin < -0.5 and found.sure


def test_a_mark_too_many_is_doubted() -> None:
    plain = [row(n, f"{n}: he may leave in May") for n in range(6)]
    odd = row(9, "it may rain", ("may", "Person"))
    (found,) = of_spans(CONTROL, [*plain, odd])
    assert (found.row, found.given, found.said) == (odd.id, ("Person",), ())


def test_the_worst_of_a_row_is_told_and_rows_by_how_clear_they_are() -> None:
    odd = row(9, "Ann Lee saw Bonn", ("Ann Lee", "Place"))
    others = [*good(), row(10, "Bonn! Ann Lee", ("Ann Lee", "Person"))]
    found = {d.row: d for d in of_spans(CONTROL, [*others, odd])}
    assert set(found) == {"e09", "e10"}
    assert (found["e09"].given, found["e09"].said) == (("Place",), ("Person",))
    assert (found["e10"].given, found["e10"].said) == ((), ("Place",))
    assert found["e09"].margin < found["e10"].margin < 0


def test_a_group_has_one_voice_and_none_on_its_own_rows() -> None:
    odd = row(9, "nobody met Ann Lee")
    assert of_spans(CONTROL, [*good(LEAST - 1), odd]) == []
    twins = [replace(e, group="twins") for e in good(8)]
    doubted = {d.row: d.margin for d in of_spans(CONTROL, [*twins, odd])}
    assert doubted[odd.id] == -0.5  # as after one row, not eight
    assert doubted[odd.id] > of_spans(CONTROL, [*good(8), odd])[0].margin
    assert of_spans(CONTROL, [*twins, replace(odd, group="twins")]) == []


def test_labels_nobody_was_asked_for_and_parts_of_longer_marks_are_left_alone() -> None:
    odd = replace(row(9, "nobody met Ann Lee"), unasked={"parts": ("Person",)})
    assert of_spans(CONTROL, [*good(), odd]) == []
    longer = row(9, "Ann Lee Street is long", ("Ann Lee Street", "Place"))
    assert of_spans(CONTROL, [*good(), longer]) == []
    assert of_spans(CONTROL, [*good(), row(9, "nobody met Ann Leeds or ann lee")]) == []
