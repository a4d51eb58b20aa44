"""Slips of the finger: a letter left out, two swapped, the key beside it, one typed twice."""

from __future__ import annotations

import random
from collections.abc import Collection

from augment.sources.tokens import words_of
from augment.sources.words import KEPT
from augment.spans import Edit

SHORTEST = 4  # letters; in shorter words a slip soon makes another word
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_KINDS = ("drop", "swap", "beside", "double")
_WEIGHTS = (35, 25, 25, 15)


def _beside() -> dict[str, str]:
    keys: dict[str, str] = {}
    for r, row in enumerate(_ROWS):
        for c, key in enumerate(row):
            near = row[max(c - 1, 0) : c] + row[c + 1 : c + 2]
            for other in _ROWS[max(r - 1, 0) : r] + _ROWS[r + 1 : r + 2]:
                near += other[c : c + 1]
            keys[key] = near
    return keys


BESIDE = _beside()
"""The keys of a QWERTY keyboard that touch each key."""


def typos(text: str, rate: float, vocabulary: Collection[str], rng: random.Random) -> list[Edit]:
    """One slip in a word, for a share of the words: those of an alphabet with capitals, in small
    letters, of four and more, that carry no number, negation or date."""
    edits = []
    for word in words_of(text):
        known = word.text in KEPT or "'" in word.text or "’" in word.text
        if rng.random() >= rate or len(word.text) < SHORTEST or known:
            continue
        if all(c.islower() and c.upper() != c for c in word.text):
            wrong = misspell(word.text, vocabulary, rng)
            if wrong is not None:
                edits.append(Edit(word.start, word.end, wrong))
    return edits


def misspell(word: str, vocabulary: Collection[str], rng: random.Random) -> str | None:
    """The word with one slip behind its first letter, which people seldom get wrong; None where a
    few draws make nothing but the word itself, another known one, or one that carries a label."""
    for _ in range(4):
        (kind,) = rng.choices(_KINDS, _WEIGHTS)
        at = rng.randrange(1, len(word) - 1)
        before, letter, after = word[:at], word[at], word[at + 1 :]
        if kind == "drop":
            wrong = before + after
        elif kind == "swap":
            wrong = before + after[0] + letter + after[1:]
        elif kind == "double":
            wrong = before + letter + letter + after
        else:
            wrong = before + rng.choice(BESIDE.get(letter, letter)) + after
        if wrong != word and wrong not in vocabulary and wrong not in KEPT:
            return wrong
    return None
