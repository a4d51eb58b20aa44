"""What experts type beside an answer becomes human rows of the same group, or says why not."""

from __future__ import annotations

from typing import Any

import pytest

from label_config.values import Choice, Example, Span
from settings import Settings
from sync import variants
from sync.freeze import FreezeReport, freeze
from sync.log import Log
from sync.terms import Terms, read_terms
from tests.sync.test_freeze import CHOICES, LABELS, answer, config, log, tell, wire

__all__ = ["log"]  # the fixture

NOTES = (
    '<TextArea name="other" toName="text" annotune-role="variant"/>'
    '<TextArea name="why" toName="text" annotune-role="context"/>'
)


def terms(*controls: str) -> Terms:
    return read_terms(Settings(), config(*controls, NOTES))


def typed(*texts: str, name: str = "other") -> dict[str, Any]:
    value = {"text": list(texts)}
    return {"from_name": name, "to_name": "text", "type": "textarea", "value": value}


def span(start: int, text: str, label: str = "X") -> dict[str, Any]:
    value = {"start": start, "end": start + len(text), "text": text, "labels": [label]}
    return {"from_name": "slots", "to_name": "text", "type": "labels", "value": value}


def made(log: Log, *controls: str) -> tuple[list[Example], FreezeReport]:
    """The variants in a snapshot frozen now, and its report."""
    snapshot, report = freeze(log, "1", terms(*controls))
    found = [e for e in snapshot.examples if "-variant-" in e.id]
    assert report.variants == len(found) and report.train == len(snapshot.train)
    return found, report


def test_each_text_is_a_human_row_of_its_parents_group_with_its_answer(log: Log) -> None:
    said = typed("Sent $2,000 to Binance", "  ", "all my savings into bitcoin")
    tell(log, 1, answer(11, 1, [wire("A"), said]), text="Transfer to crypto wallet")
    tell(log, 2, answer(12, 2, [wire("B")]))
    rows, report = made(log, CHOICES)
    assert [(e.id, e.texts["text"]) for e in rows] == [
        ("annotation-11-variant-1", "Sent $2,000 to Binance"),
        ("annotation-11-variant-2", "all my savings into bitcoin"),
    ]
    for e in rows:
        assert (e.task, e.group, e.side) == (1, "g1", "train")
        assert (e.origin.kind, e.origin.annotation) == ("human", 11)
        assert e.answers == (Choice("intent", "text", ("A",)),)
    assert (report.train, report.left_out) == (4, {})
    assert report.to_dict()["variants"] == 2


def test_the_order_in_a_snapshot_is_fixed(log: Log) -> None:
    many = [f"{word} was taken from the account" for word in "abcdefghijkl"]
    tell(log, 2, answer(12, 2, [wire("A")]))
    tell(log, 1, answer(11, 1, [wire("A"), typed(*(w.split()[0] * 9 + w for w in many))]))
    snapshot, _ = freeze(log, "1", terms(CHOICES))
    numbers = [f"annotation-11-variant-{n}" for n in range(1, 13)]
    assert [e.id for e in snapshot.examples] == ["annotation-11", *numbers, "annotation-12"]


def test_the_parents_text_again_and_a_text_typed_twice_are_left_out(log: Log) -> None:
    said = typed("TRANSFER to crypto wallet!", "Sent 2 to Binance", "sent 3 to Binance.")
    tell(log, 1, answer(11, 1, [wire("A"), said]), text="Transfer to crypto wallet")
    rows, report = made(log, CHOICES)
    assert [e.texts["text"] for e in rows] == ["Sent 2 to Binance"]
    assert report.left_out == {variants.AGAIN: 2}


def test_what_is_typed_on_a_blind_task_neither_teaches_nor_judges(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A"), typed("another text")]), blind=True)
    snapshot, report = freeze(log, "1", terms(CHOICES))
    assert [e.id for e in snapshot.examples] == ["annotation-11"]
    assert report.left_out == {variants.BLIND: 1} and report.variants == 0


@pytest.mark.parametrize("answered", [True, False])
def test_the_text_of_a_blind_task_is_not_learned_from_a_variant(log: Log, answered: bool) -> None:
    tell(log, 1, answer(11, 1, [wire("A"), typed("Where is my parcel??", "no such text")]))
    judge = [answer(12, 2, [wire("B")])] if answered else []
    tell(log, 2, *judge, text="where is my parcel", blind=True)
    rows, report = made(log, CHOICES)
    assert [e.texts["text"] for e in rows] == ["no such text"]
    assert report.left_out == {variants.JUDGES: 1}


def test_marks_stand_on_the_same_words_or_the_text_is_left_out(log: Log) -> None:
    good = "her chest pain is back"
    cut, twice = "of chest painter fame", "chest pain, still chest pain"
    result = [span(4, "chest pain"), typed(good, cut, twice, "no such words")]
    tell(log, 1, answer(11, 1, result), text="has chest pain today")
    rows, report = made(log, LABELS)
    assert [e.answers for e in rows] == [(Span("slots", "text", 4, 14, "chest pain", ("X",)),)]
    assert rows[0].texts["text"][4:14] == "chest pain"
    assert report.left_out == {variants.UNMARKED: 3}


def test_marks_that_lay_apart_may_not_run_into_each_other(log: Log) -> None:
    result = [span(0, "chest"), span(10, "chest pain"), typed("a chest pain now")]
    tell(log, 1, answer(11, 1, result), text="chest and chest pain today")
    assert made(log, LABELS)[1].left_out == {variants.UNMARKED: 1}


def test_nobody_marked_a_variant_so_a_missing_mark_says_nothing(log: Log) -> None:
    two = LABELS.replace("</Labels>", '<Label value="Y"/></Labels>')
    result = [wire("A"), span(0, "text"), typed("a text by another name")]
    tell(log, 1, answer(11, 1, result))
    tell(log, 2, answer(12, 2, [wire("B"), typed("wholly other words")]))
    rows, _ = made(log, CHOICES, two)
    assert [e.unasked for e in rows] == [{"slots": ("Y",)}, {"slots": ("X", "Y")}]
    tell(log, 3, answer(13, 3, [typed("nothing is marked, nothing chosen")]))
    snapshot, report = freeze(log, "1", terms(two))
    assert report.left_out[variants.NOTHING] == 1
    assert {e.id: e.answers for e in snapshot.examples}["annotation-13"] == (), "an answer still"


def test_where_several_texts_are_read_a_variant_is_left_out(log: Log) -> None:
    pair = '<Text name="u" value="$second"/><Pairwise name="p" toName="text,u"/>'
    tell(log, 1, answer(11, 1, [wire("A"), typed("another text")]))
    assert made(log, CHOICES, pair)[1].left_out == {variants.SEVERAL: 1}


def test_a_text_without_an_answer_is_no_example(log: Log) -> None:
    tell(log, 1, answer(11, 1, [typed("another text")]))
    rows, report = made(log, CHOICES)
    assert rows == [] and report.left_out == {"the answer is empty": 1}


def test_what_was_said_stays_with_the_row_and_goes_to_no_variant(log: Log) -> None:
    said = typed("meant heartburn", "meant heartburn", "", name="why")
    tell(log, 1, answer(11, 1, [wire("A"), said, typed("it burns")]))
    snapshot, _ = freeze(log, "1", terms(CHOICES))
    assert [e.context for e in snapshot.examples] == [("meant heartburn",), ()]


def test_a_deleted_or_changed_answer_takes_its_variants_along(log: Log) -> None:
    tell(log, 1, answer(11, 1, [wire("A"), typed("the first words")]))
    assert [e.texts["text"] for e in made(log, CHOICES)[0]] == ["the first words"]
    tell(log, 1, answer(11, 1, [wire("B"), typed("quite other ones")], minute=9))
    (changed,) = made(log, CHOICES)[0]
    assert changed.texts["text"] == "quite other ones"
    assert changed.answers == (Choice("intent", "text", ("B",)),)
    tell(log, 1)
    assert freeze(log, "1", terms(CHOICES))[0].examples == ()


def test_variants_count_towards_what_a_snapshot_takes(log: Log) -> None:
    for task in (1, 2, 3):
        said = typed(f"{task} said in another way")
        tell(log, task, answer(task, task, [wire("A"), said], minute=task))
    snapshot, report = freeze(log, "1", terms(CHOICES), most=3)
    assert {e.task for e in snapshot.examples} == {2, 3}
    assert report.left_out == {"older than the latest 3 answers": 1}
