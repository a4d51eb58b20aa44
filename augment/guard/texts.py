"""Texts as the filters compare them: folded (case and signs gone) and levelled (numbers too)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

READ = 20_000  # code points read of a text
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SIGNS = re.compile(r"[\W_]+")


@lru_cache(maxsize=65_536)
def _kept(char: str) -> str:
    return char if unicodedata.category(char)[0] in "LMNS" else " "


def fold(text: str) -> str:
    """Case, punctuation, white space and the spelling of accents levelled; symbols and emoji stay,
    as they may be all that a text says."""
    plain = unicodedata.normalize("NFKC", text[:READ]).casefold()
    return " ".join("".join(map(_kept, plain)).split()) or plain.strip()


def level(text: str) -> str:
    """As sync/groups.py levels what it puts into one group: symbols gone too, each number 0 where
    the text has a letter. This room may not import that one."""
    plain = unicodedata.normalize("NFKC", text[:READ]).casefold()
    if any(c.isalpha() for c in plain):
        plain = _NUMBER.sub("0", plain)
    return _SIGNS.sub(" ", plain).strip() or plain.strip()


def row_text(texts: Mapping[str, str]) -> str:
    """All that a row says, in the order of its keys."""
    return "\n".join(text for _, text in sorted(texts.items()))


def has_wide(text: str) -> bool:
    """Whether it has letters of a script that puts no space between words (CJK)."""
    return any(unicodedata.east_asian_width(c) in "WF" for c in text)


def weight(text: str) -> int:
    """How much a text says, in Latin letters: a wide letter (CJK) counts as three, a space not."""
    return sum(3 if unicodedata.east_asian_width(c) in "WF" else c != " " for c in text)
