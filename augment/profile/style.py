"""How texts are written: length, casing, punctuation, spelling, register, openings.

Lengths, casing and typos hold for any script that has words; contractions, shortenings, politeness
and function words are English, and are zero elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from augment.profile.habits import (
    ARTICLES,
    BARE,
    CONTRACTED,
    FACES,
    FIRST_PERSON,
    FULL,
    FUNCTION,
    POLITE,
    SHORT,
    STRETCHED,
)
from augment.profile.spelling import abbreviations, acronyms, slips, texts_with, words

SHOWN = 8
"""How many words or openings of a kind are kept for people and prompts."""
_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟")
_CLOSING = " \t\r\n\"'”’)]"
_Item = TypeVar("_Item")
_COMMAS = re.compile(r"[,，、،;]")

Three = tuple[int, int, int]
"""The tenth, the fiftieth and the ninetieth of a hundred, in order of size."""


@dataclass(frozen=True)
class Style:
    """How texts are written. All but lengths and lists of words are shares in [0, 1], of the texts
    where nothing else is said."""

    texts: int = 0
    words: Three = (0, 0, 0)
    characters: Three = (0, 0, 0)
    lower: float = 0.0
    """Not one capital, though letters have a case."""
    upper: float = 0.0
    small_start: float = 0.0
    """Of those with a capital: begins with a small letter."""
    unended: float = 0.0
    """Ends in no full stop, question or exclamation mark."""
    no_commas: float = 0.0
    """Of those with twelve words or more."""
    question: float = 0.0
    exclamation: float = 0.0
    contracted: float = 0.0
    """Of the places where one could contract."""
    expanded: float = 0.0
    """Of the places where one could contract: written out."""
    bare: float = 0.0
    """Of the contractions: without the apostrophe."""
    abbreviated: float = 0.0
    """Of the words that chats shorten ("you", "please"): shortened."""
    terse: float = 0.0
    """Of those with five words or more: without an article."""
    clipped: float = 0.0
    """Three words or more, and no article, pronoun, preposition or auxiliary among them."""
    polite: float = 0.0
    first_person: float = 0.0
    loose: float = 0.0
    """With a chat's shortening, a stretched word, a face, or a contraction without apostrophe."""
    typos: float = 0.0
    """Of the words."""
    abbreviations: float = 0.0
    """Of the words, whatever is shortened: "hrs" and "ltd" too."""
    acronyms: float = 0.0
    """Of the words."""
    typo_words: tuple[str, ...] = ()
    abbreviation_words: tuple[str, ...] = ()
    acronym_words: tuple[str, ...] = ()
    jargon: tuple[str, ...] = ()
    """Content words in the most texts."""
    openings: tuple[tuple[str, float], ...] = ()
    """First two words that several texts share, with the share of texts."""


def style_of(texts: Iterable[str]) -> Style:
    """The style of texts; blank ones do not count."""
    told = [t for t in texts if t.strip()]
    split = [words(t) for t in told]
    if not told:
        return Style()
    spread, total = texts_with(split), sum(map(len, split))
    wrong = slips(spread)
    slipped = Counter(w for row in split for w in row if w in wrong)
    short = Counter(a for t in told for a in abbreviations(t))
    small = {w for t in told if t.upper() != t for w in re.findall(r"\b[a-z]+\b", t)}
    capital = Counter(a for t in told for a in acronyms(t) if a.lower() not in small)
    low = [t.lower().replace("’", "'") for t in told]
    bare_n, full_n = _found(BARE, low), _found(FULL, low)
    contracted_n = bare_n + _found(CONTRACTED, low)
    heads = [t.strip()[0] for t in told if t.lower() != t != t.upper()]
    five = [r for r in split if len(r) >= 5]
    twelve = [t for t, r in zip(told, split, strict=True) if len(r) >= 12]
    chatty = Counter(w for row in split for w in row)
    short_n = sum(chatty[s] for ways in SHORT.values() for s in ways)
    return Style(
        texts=len(told),
        words=_three(map(len, split)),
        characters=_three(map(len, told)),
        lower=_of(told, lambda t: t.lower() == t and t.upper() != t),
        upper=_of(told, lambda t: t.upper() == t and t.lower() != t),
        small_start=_of(heads, str.islower),
        unended=_of(told, lambda t: not t.rstrip(_CLOSING).endswith(_ENDS)),
        no_commas=_of(twelve, lambda t: _COMMAS.search(t) is None),
        question=_of(told, lambda t: "?" in t or "？" in t or "؟" in t),
        exclamation=_of(told, lambda t: "!" in t or "！" in t),
        contracted=_share(contracted_n, contracted_n + full_n),
        expanded=_share(full_n, contracted_n + full_n),
        bare=_share(bare_n, contracted_n),
        abbreviated=_share(short_n, short_n + sum(chatty[w] for w in SHORT)),
        terse=_of(five, ARTICLES.isdisjoint) if spread.keys() & ARTICLES else 0.0,
        clipped=_share(sum(len(r) > 2 and FUNCTION.isdisjoint(r) for r in split), len(told)),
        polite=_of(low, lambda t: POLITE.search(t) is not None),
        first_person=_of(low, lambda t: FIRST_PERSON.search(t) is not None),
        loose=_share(sum(map(_is_loose, low, split)), len(told)),
        typos=_share(slipped.total(), total),
        abbreviations=_share(short.total(), total),
        acronyms=_share(capital.total(), total),
        typo_words=_most(slipped),
        abbreviation_words=_most(short),
        acronym_words=_most(capital),
        jargon=_jargon(spread, wrong),
        openings=_openings(split),
    )


RATES = (
    *("typos", "lower", "upper", "small_start", "contracted", "expanded", "bare", "abbreviated"),
    *("terse", "no_commas", "unended"),
)


def rates(style: Style) -> dict[str, float]:
    """How often the texts show each habit that noise can add: the most it may do."""
    return {name: getattr(style, name) for name in RATES}


_SHORTENED = frozenset(s for ways in SHORT.values() for s in ways)


def _is_loose(low: str, row: Sequence[str]) -> bool:
    signs = (STRETCHED, FACES, BARE)
    return not _SHORTENED.isdisjoint(row) or any(s.search(low) for s in signs)


def _jargon(spread: Counter[str], wrong: dict[str, str]) -> tuple[str, ...]:
    several = ((w, n) for w, n in spread.items() if n > 1 and len(w) > 3)
    return _most(Counter({w: n for w, n in several if w not in FUNCTION and w not in wrong}))


def _openings(split: Sequence[Sequence[str]]) -> tuple[tuple[str, float], ...]:
    firsts = Counter(" ".join(row[:2]) for row in split if len(row) > 2)
    several = Counter({opening: n for opening, n in firsts.items() if n > 1})
    return tuple((opening, _share(several[opening], len(split))) for opening in _most(several))


def _most(counts: Counter[str]) -> tuple[str, ...]:
    """The most frequent, ties in alphabetical order, so that equal data give equal prompts."""
    return tuple(sorted(counts, key=lambda w: (-counts[w], w))[:SHOWN])


def _found(pattern: re.Pattern[str], texts: Iterable[str]) -> int:
    return sum(len(pattern.findall(t)) for t in texts)


def _of(items: Sequence[_Item], holds: Callable[[_Item], bool]) -> float:
    return _share(sum(map(holds, items)), len(items))


def _share(some: int, of: int) -> float:
    return round(some / of, 4) if of else 0.0


def _three(sizes: Iterable[int]) -> Three:
    ranked = sorted(sizes)
    tenth, half, ninetieth = (ranked[round(q * (len(ranked) - 1))] for q in (0.1, 0.5, 0.9))
    return tenth, half, ninetieth
