"""Labels become words on one line, no two alike."""

from __future__ import annotations

import pytest

from label_config.controls import Label
from lora.causal.kinds.words import as_options, listed, nothing


def words(*shown: str) -> list[str]:
    return [o.words for o in as_options(tuple(Label(f"v{i}", s) for i, s in enumerate(shown)))]


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("AddToPlaylist", "Add To Playlist"),
        ("best_rating", "best rating"),
        ("Data protection", "Data protection"),
        ("IBM", "IBM"),
        ("_", "_"),
        ("C++/C#", "C++/C#"),
        ("two\r\nlines \x00", "two lines"),
        ("a: b", "a - b"),
        ("Name:", "Name"),
        ("take ~2", "take 2"),
        ("a~2", "a 2"),
        ("日本語", "日本語"),
        ("\ud800", "\ufffd"),
    ],
)
def test_a_name_is_shown_as_it_is_but_for_what_an_answer_could_not_hold(
    shown: str, read: str
) -> None:
    assert words(shown) == [read]


def test_labels_that_read_alike_are_told_apart() -> None:
    assert words("New York", "new york", "NewYork", "new  york") == [
        *("New York", "new york (2)", "New York (3)", "new york (4)")
    ]
    assert words(":", "", "label 1")[:2] == ["label 1", "v1"]
    assert len({w.casefold() for w in words(*["x"] * 50)}) == 50


def test_hints_stand_beside_labels_where_there_is_room_for_them() -> None:
    some = (Label("a", "a", "the first"), Label("b", "b"))
    assert listed(some, "hints") == ":\n- a (the first)\n- b"
    assert listed(some, "names") == ": a; b"
    assert listed(some, "count") == " 2 labels"
    assert listed((Label("a", "a; b"), Label("c", "c")), "names") == ":\n- a; b\n- c"


def test_the_word_for_nothing_is_another_one_where_a_label_has_it() -> None:
    assert nothing(as_options((Label("a", "None"),))) == "nothing"
    assert nothing(as_options((Label("a", "NONE"), Label("b", "nothing")))) == "no answer"
