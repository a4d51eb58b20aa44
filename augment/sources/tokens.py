"""A text as its words, each with what is needed to know whether it may be touched."""

from __future__ import annotations

import re
from dataclasses import dataclass

from augment.sources.words import NEGATIONS

_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"""[("'“‘\[]*([^\W\d_]+(?:['’][^\W\d_]+)*)([.,!?;:…)"'”’\]]*)""")
_NUMBER = re.compile(r"\d+")
_NEGATION = re.compile(r"[^\W\d_]+(?:'t)?")


@dataclass(frozen=True)
class Word:
    """A word between spaces, without the signs around it. `first`: it begins a sentence;
    `sentence`: which one of the text it stands in. "" is a token that is no plain word."""

    start: int
    text: str
    first: bool
    sentence: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def plain(self) -> str:
        """In small letters, with a straight apostrophe."""
        return self.text.lower().replace("’", "'")


def words_of(text: str) -> list[Word]:
    """The words of a text in order."""
    found: list[Word] = []
    first, sentence, before = True, 0, 0
    for token in _TOKEN.finditer(text):
        if "\n" in text[before : token.start()] and not first:
            first, sentence = True, sentence + 1
        before = token.end()
        m = _WORD.fullmatch(token.group())
        core, signs = (m.group(1), m.group(2)) if m else ("", token.group()[-1])
        at = token.start() + (m.start(1) if m else 0)
        found.append(Word(at, core, first, sentence))
        first = any(c in ".!?…" for c in signs)
        sentence += first
    return found


def carried(text: str) -> tuple[list[str], int]:
    """What no habit may change: the numbers in order, and how many negations there are."""
    said = _NEGATION.findall(text.lower().replace("’", "'"))
    return _NUMBER.findall(text), sum(w in NEGATIONS or w.endswith("n't") for w in said)
