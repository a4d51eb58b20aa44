"""Texts are shortened and cut into windows without losing their places."""

from __future__ import annotations

import random

from lora.causal.texts import MOST_WINDOWS, quotable, readable, shortened, windows
from tests.lora.causal.hard import texts


def test_what_is_quoted_has_a_sign_for_each_sign_and_is_one_line() -> None:
    for _, text in texts(300):
        shown = quotable(text)
        assert len(shown) == len(text) and len(shown.splitlines()) <= 1
        assert shown.encode().decode() == shown


def test_a_text_keeps_its_lines_where_it_is_read() -> None:
    assert readable(" a\r\nb\rc\x00d\u2028e ") == "a\nb\nc d\ne"


def test_long_texts_lose_their_middle_and_short_ones_nothing() -> None:
    got = shortened({"a": "short", "b": "x" * 500 + "y" * 500, "c": "z" * 400}, 305)
    assert got["a"] == "short"
    assert got["b"].startswith("xxx") and got["b"].endswith("yyy") and " ... " in got["b"]
    assert sum(map(len, got.values())) <= 305 and abs(len(got["b"]) - len(got["c"])) <= 1
    assert shortened({"a": "x" * 50, "b": "y" * 50}, 100) == {"a": "x" * 50, "b": "y" * 50}


def test_windows_cover_a_text_and_overlap() -> None:
    for draw, text in texts(300):
        size = draw.choice([16, 100, 1600])
        found = windows(text, size, size // 10)
        assert all(0 <= a < b <= len(text) and b - a <= size for a, b in found)
        assert all(a < c and b < d for (a, b), (c, d) in zip(found, found[1:], strict=False))
        held = {i for a, b in found for i in range(a, b)}
        if len(found) < MOST_WINDOWS:
            assert all(i in held or text[i].isspace() for i in range(len(text)))


def test_a_short_span_that_a_cut_would_part_is_whole_in_one_window() -> None:
    draw = random.Random(0)
    text = " ".join("w" * draw.randint(1, 9) for _ in range(2000))
    found = windows(text, 400, 40)
    for start in range(0, found[-1][1] - 20, 7):
        assert any(a <= start and start + 20 <= b for a, b in found)


def test_a_window_ends_at_a_line_break_and_does_not_part_a_sign_from_its_marks() -> None:
    assert windows("aaa bbb\nccc ddd", 10, 2)[0] == (0, 8)
    text = "👋🏽" * 40 + "e\u0301" * 40
    assert all(text[a] not in "\u0301" for a, _ in windows(text, 15, 3))
