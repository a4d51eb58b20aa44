"""Pieces lie exactly where their text lies, whatever the text is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora.base import Base
from lora.windows import PER_PIECE, WINDOWS, cut, read_pieces
from tests.lora.kinds import kind_of

SIGNS = st.sampled_from(list("aZé ñ\u0301\u0302\r\n\t👍🏽👩\u200d🚀東\u200b\x00.'-\ud800ß"))


@given(text=st.text(SIGNS, max_size=40))
def test_places_follow_each_other_inside_the_text(text: str) -> None:
    pieces = read_pieces(BASE[0], text)
    behind = 0
    for start, end in pieces.places:
        assert 0 <= start <= end <= len(text)
        assert start >= behind or end == start
        behind = end


BASE: list[Base] = []


@pytest.fixture(autouse=True, scope="module")
def _base(tiny: Base) -> None:
    BASE[:] = [tiny]


def test_a_combining_mark_belongs_to_its_letter(tiny: Base) -> None:
    text = "the coate\u0301 now"
    covered = [text[a:b] for a, b in read_pieces(tiny, text).places]
    assert "e\u0301" in covered


def test_an_emoji_made_of_several_signs_is_one_piece(tiny: Base) -> None:
    text = "play 👩\u200d🚀 now"
    assert "👩\u200d🚀" in [text[a:b] for a, b in read_pieces(tiny, text).places]


def test_a_lone_surrogate_is_read_in_its_place(tiny: Base) -> None:
    text = "play \ud800 song"
    assert [text[a:b] for a, b in read_pieces(tiny, text).places][-1] == "song"


def test_a_short_text_is_one_window_with_its_special_pieces(tiny: Base) -> None:
    pieces = read_pieces(tiny, "play the song")
    (window,) = cut(tiny, pieces)
    assert (window.first, window.last, window.head) == (0, 3, 1)
    assert window.ids[1:-1] == pieces.ids


def test_no_text_at_all_is_still_a_window(tiny: Base) -> None:
    (window,) = cut(tiny, read_pieces(tiny, ""))
    assert window.first == window.last == 0


def test_windows_hold_every_piece_once_and_cut_between_words(tiny: Base) -> None:
    pieces = read_pieces(tiny, "play zzzzz " * 30)
    windows = cut(tiny, pieces)
    assert [w.first for w in windows[1:]] == [w.last for w in windows[:-1]]
    assert windows[0].first == 0 and windows[-1].last == len(pieces.ids)
    assert all(len(w.ids) <= tiny.max_tokens for w in windows)
    assert all(pieces.words[w.first] != pieces.words[w.first - 1] for w in windows[1:])


def test_one_word_longer_than_a_window_is_cut(tiny: Base) -> None:
    windows = cut(tiny, read_pieces(tiny, "q" * 80), size=12)
    assert windows[0].last == 10


def test_what_lies_behind_the_last_window_is_not_read(tiny: Base) -> None:
    pieces = read_pieces(tiny, "song " * 100_000)
    assert len(pieces.ids) <= WINDOWS * tiny.max_tokens
    assert len(cut(tiny, pieces)) == WINDOWS


def test_a_megabyte_without_a_break_is_read_in_bounded_time(tiny: Base) -> None:
    assert read_pieces(tiny, "x" * 1_000_000).places[-1][1] <= WINDOWS * tiny.max_tokens * PER_PIECE


@pytest.mark.parametrize("kind", ["deberta-v2", "roberta", "modernbert"])
def test_a_comma_and_a_cjk_sign_are_words_of_their_own(kind: str) -> None:
    text = "met in Paris, in \u6771\u4eac."
    pieces = read_pieces(kind_of(kind), text)
    words: dict[int, str] = {}
    for word, (a, b) in zip(pieces.words, pieces.places, strict=True):
        words[word] = words.get(word, "") + text[a:b]
    assert {"Paris", ","} <= set(words.values())
    assert not any("," in w and len(w) > 1 for w in words.values())
