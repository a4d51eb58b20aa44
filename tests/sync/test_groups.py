"""Near-duplicates share a group; different sentences of one template do not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_config import read_schema
from label_config.controls import Control, Label, Schema, TextObject
from sync.groups import Groups, Place, group_text, is_blind, normalise, resemblance, sketch

LONG = " ".join(
    f"clause {i} says that party {i * 7} shall deliver item {i * 13}" for i in range(80)
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Book a table for two in Rome", "book a table for  two in rome!"),
        ("Transfer 100 pounds to Ann please", "transfer 2,500 pounds to Ann, please"),
        (
            "the quick brown fox jumps over the lazy dog in the old yard",
            "the quick brown fox jumped over the lazy dog in the old yard",
        ),
        (LONG, LONG.replace("clause 5 ", "section 5 ")),
        ("caf\u00e9 near me tonight", "cafe\u0301 near me tonight"),
    ],
)
def test_near_duplicates_share_the_earliest_ones_group(one: str, other: str) -> None:
    groups = Groups("1", 0.2)
    first = groups.place(1, one)
    assert groups.place(2, other) == first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("add the song Blue to my party playlist", "add the album Nine to my gym playlist"),
        ("what is the weather in Oslo", "what is the weather in Lima"),
        ("12.50", "99.10"),
        ("yes", "no"),
    ],
)
def test_sentences_of_one_template_stay_apart(one: str, other: str) -> None:
    groups = Groups("1", 0.2)
    assert groups.place(1, one).group != groups.place(2, other).group


def test_tasks_without_text_are_alone() -> None:
    groups = Groups("1", 0.2)
    assert groups.place(1, "  ").group != groups.place(2, "").group


def test_a_rebuilt_index_places_as_the_old_one_would() -> None:
    texts = [f"order {word} and bring it to the {place}" for word in "abc" for place in "xyz"]
    old = Groups("1", 0.5)
    places = [old.place(i, text) for i, text in enumerate(texts)]
    new = Groups("1", 0.01)  # a share changed later moves no group that was drawn
    for text, place in zip(texts, places, strict=True):
        new.remember(text, place)
    assert [new.place(99, text.upper()) for text in texts] == places


def test_a_group_keeps_its_side_whoever_joins() -> None:
    groups = Groups("1", 0.0)
    groups.remember("please play the second symphony of mahler", Place("g", True))
    assert groups.place(2, "Please play the second symphony of Mahler!") == Place("g", True)


def test_the_share_of_blind_groups_is_about_what_was_asked() -> None:
    blind = sum(is_blind("7", f"group-{i}", 0.2) for i in range(5000))
    assert 900 < blind < 1100


def test_imported_again_a_text_keeps_its_side() -> None:
    first, again = Groups("1", 0.5), Groups("1", 0.5)
    assert first.place(1, "turn the lights off") == again.place(77, "Turn the lights off.")


def test_only_the_controls_texts_are_compared() -> None:
    data = {"text": "hello", "row": 17, "meta": {"a": 1}}
    assert group_text(data, schema()) == "hello"
    assert group_text(data, Schema(())) == "17\nhello"


def schema(*objects: TextObject) -> Schema:
    return Schema((Control("c", "Choices", "t", "text", (Label("A", "A"),)),), objects=objects)


def test_a_dialogue_is_compared_by_what_is_said() -> None:
    said = [{"author": "Ann", "text": "my card is lost"}, {"author": "Bo", "text": "blocked"}]
    text = group_text({"text": said}, schema(TextObject("t", "Paragraphs", "text")))
    assert "my card is lost" in text and "blocked" in text
    assert Groups("1", 0.5).place(1, text) == Groups("1", 0.5).place(2, text.upper())


def test_addresses_that_differ_in_a_number_are_two_texts() -> None:
    shown = schema(TextObject("t", "Text", "text", url=True))
    groups = Groups("1", 0.5)
    places = [
        groups.place(n, group_text({"text": f"https://texts.example/page/{page}.txt"}, shown))
        for n, page in enumerate((1, 2, 1))
    ]
    assert places[0] == places[2] != places[1]


@given(st.text(max_size=60), st.text(max_size=60))
def test_resemblance_is_symmetric_and_a_share(one: str, other: str) -> None:
    a, b = sketch(normalise(one)), sketch(normalise(other))
    assert resemblance(a, b) == resemblance(b, a)
    assert 0.0 <= resemblance(a, b) <= 1.0 and resemblance(a, a) == 1.0


def test_hundreds_of_texts_take_a_moment() -> None:
    groups, start = Groups("1", 0.2), time.monotonic()
    for i in range(400):
        groups.place(
            i, f"sentence {i:b} about {i * 7919:x} and {i * 104729:x} for the {i % 7}th time"
        )
    assert time.monotonic() - start < 5


@given(st.lists(st.sampled_from("aab abb bba baa bab".split()), min_size=1, max_size=12))
def test_the_index_finds_what_a_full_comparison_finds(words: list[str]) -> None:
    """Every near-duplicate of the first text is found, however the index is kept."""
    text = " ".join(words)
    groups = Groups("1", 0.5)
    first = groups.place(1, text)
    for i in range(len(words)):
        other = " ".join(words[:i] + ["abab"] + words[i + 1 :])
        alone = Groups("1", 0.5)
        alone.remember(text, first)
        alike = resemblance(sketch(normalise(text)), sketch(normalise(other))) >= 0.8
        assert (alone.place(2, other) == first) == alike


def test_dialogues_behind_one_address_share_a_group() -> None:
    talk = read_schema(
        '<View><Paragraphs name="p" value="$u" valueType="url"/>'
        '<Choices name="c" toName="p"><Choice value="a"/></Choices></View>',
        urls=True,
    )
    one, two = (group_text({"u": f"https://host/{n}?a&b"}, talk) for n in (1, 2))
    assert one and one != two and one == group_text({"u": "https://host/1?a&b"}, talk)
