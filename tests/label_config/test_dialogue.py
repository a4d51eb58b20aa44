"""A dialogue is one text; its spans never begin or end in an author's name."""

from __future__ import annotations

import pytest

from label_config.dialogue import Dialogue, read_dialogue

TURNS = [
    {"author": "Ann", "text": "hi \U0001f600 you"},
    {"author": "Bo", "text": ""},
    {"text": "and bye"},
]


def dialogue(turns: object) -> Dialogue:
    read = read_dialogue(turns, "author", "text")
    assert isinstance(read, Dialogue)
    return read


def test_a_turn_is_a_line_with_its_author() -> None:
    assert dialogue(TURNS).text == "Ann: hi \U0001f600 you\nBo: \nand bye"
    assert dialogue(["one", "two"]).text == "one\ntwo"


def test_offsets_inside_a_turn_are_utf16_units() -> None:
    read = dialogue(TURNS)
    start = read.text.index("you")
    assert read.to_turns(start, start + 3) == (0, 0, 6, 9)
    assert read.from_turns(0, 0, 6, 9) == (start, start + 3)


@pytest.mark.parametrize(
    ("start", "end", "piece"),
    [
        (0, 7, "hi"),
        (5, 16, "hi \U0001f600 you"),
        (5, 18, "hi \U0001f600 you"),
        (8, 24, "\U0001f600 you\nBo: \nand b"),
    ],
)
def test_a_span_is_clipped_to_what_was_said(start: int, end: int, piece: str) -> None:
    read = dialogue(TURNS)
    clipped = read.clip(start, end)
    assert clipped is not None
    assert read.text[slice(*clipped)].strip() == piece.strip()


def test_a_span_of_the_author_alone_is_none() -> None:
    read = dialogue(TURNS)
    assert read.clip(0, 4) is None and read.to_turns(0, 4) is None
    bo = read.text.index("Bo")
    assert read.to_turns(bo, bo + 4) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "is absent, not a list of turns"),
        ("text", "is str, not a list"),
        ([], "is empty"),
        ([{"author": "Ann"}], "is empty"),
        ([{"text": ["a"]}], "has a turn 0 whose 'text' is a list"),
    ],
)
def test_what_is_no_dialogue_says_why(value: object, says: str) -> None:
    read = read_dialogue(value, "author", "text")
    assert isinstance(read, str) and says in read
