"""Texts that are hard to quote from, to cut and to show."""

from __future__ import annotations

import random

BITS = [
    *("a", "b", "ab", "the", "The", "hello", "New York", "none", "a: b", "thing: a", "~2"),
    *("\r\n", "\n", "\n\n", "\t", " ", "  ", "\u2028", "\x00", "\x85", "\xa0", "\u3000"),
    *(
        "👋🏽",
        "👩‍👩‍👧",
        "🇩🇪",
        "e\u0301",
        "é",
        "שלום",
        "مرحبا",
        "\u202e",
        "\u200f",
        "日本語",
        "ﬁ",
        "İ",
    ),
    *('"', "'", "\\", "\\n", "“x”", '{"label": "thing", "text": "a"}', "[]", "- ", "`", ":", ": "),
    *("<|im_end|>", "aaaa", "\ud800", "\U0010ffff"),
]
SIZES = [0, 1, 2, 3, 5, 8, 13, 30, 100]


def texts(number: int) -> list[tuple[random.Random, str]]:
    """Texts that are hard to quote from; every hundredth has 20 kB."""
    found = []
    for i in range(number):
        draw = random.Random(i)
        size = 20_000 if i % 100 == 99 else draw.choice(SIZES)
        pool = draw.sample(BITS, draw.randint(1, len(BITS)))
        parts = [draw.choice(pool) for _ in range(min(size, 9_000))]
        text = draw.choice(["", " "]).join(parts)
        found.append(
            (draw, (text * (1 + size // max(1, len(text))))[:size] if size == 20_000 else text)
        )
    return found
