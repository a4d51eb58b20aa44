"""Misspellings and abbreviations without a dictionary: a word is judged by its letters and by the
other words of the same project, so jargon and names that recur are no errors.

Made to find too little rather than too much: noise must never exceed what the project shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from augment.profile.habits import BARE, FUNCTION

LEAST_TEXTS = 3
"""In how many texts a word stands before another can be a slip of it."""
TIMES = 5
"""How much more often it must stand there than its slip."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TOKEN = re.compile(r"(?<![\w'’.@/&(-])[A-Za-z]+\d?[a-z]*(?![\w'’@/&):-]|\.\w)")
"""Not a piece of an address, of a name like "R&B", or of a list: "(b)", "c)"."""
_VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
_ALONE = frozenset("aio")  # English words of one letter


def words(text: str) -> list[str]:
    """The words of a text, in lower case, apostrophes kept: letters of any script, no digits."""
    return [w.lower() for w in _WORD.findall(text)]


def texts_with(texts: Iterable[Sequence[str]]) -> Counter[str]:
    """In how many texts each word stands."""
    return Counter(chain.from_iterable(dict.fromkeys(text) for text in texts))


def slips(spread: Mapping[str, int]) -> dict[str, str]:
    """Words that look like slips of another, by it: one letter lost, doubled, swapped or changed
    inside a word that stands in at least five times as many texts.

    It also has a run of three letters that no other recurring word has. First and last letter
    agree, else "card" and "cards", "bill" and "till" would be slips of each other; a changed letter
    needs six letters ("place" and "plane" are words both). Of 1,500 train rows each of six data
    sets it calls .0002 to .0019 of the words slips, mostly rightly ("resevation", "chek"; wrongly
    "back"), and of slips planted in .01 to .015 of the words it sees a fifth to a half.
    """
    near: dict[str, list[str]] = {}
    for word, count in spread.items():
        if count >= LEAST_TEXTS and len(word) >= 4 and word.isalpha():
            for form in {word, *_without_one(word)}:
                near.setdefault(form, []).append(word)
    known = Counter(shape for w, count in spread.items() if count >= 2 for shape in _shapes(w))
    found = {}
    for word, count in spread.items():
        if word in FUNCTION or BARE.fullmatch(word):
            continue
        own = 1 if count >= 2 else 0
        if len(word) < 4 or not word.isalpha() or all(known[s] > own for s in _shapes(word)):
            continue
        meant = {w for form in (word, *_without_one(word)) for w in near.get(form, ())}
        likely = [w for w in meant if spread[w] >= TIMES * count and _one_slip(word, w)]
        if likely:
            found[word] = max(likely, key=lambda w: (spread[w], w))
    return found


def _without_one(word: str) -> set[str]:
    return {word[:i] + word[i + 1 :] for i in range(len(word))}


def _shapes(word: str) -> set[str]:
    """All runs of three letters, the word's ends included."""
    return {f"^{word}$"[i : i + 3] for i in range(len(word))}


def _one_slip(wrong: str, right: str) -> bool:
    if wrong == right or wrong[0] != right[0] or wrong[-1] != right[-1]:
        return False
    if len(wrong) != len(right):
        shorter, longer = sorted((wrong, right), key=len)
        return len(longer) == len(shorter) + 1 and shorter in _without_one(longer)
    differ = [i for i in range(len(wrong)) if wrong[i] != right[i]]
    if len(differ) == 1:
        return len(wrong) >= 6
    swapped = len(differ) == 2 and differ[1] == differ[0] + 1
    return swapped and wrong[differ[0]] == right[differ[1]] and wrong[differ[1]] == right[differ[0]]


def abbreviations(text: str) -> list[str]:
    """Shortened words: of two to five letters without a vowel ("pls", "hrs"), of one letter ("u"),
    or with a digit for a sound ("gr8"). Latin letters only; nothing in capitals throughout."""
    if text.upper() == text:
        return []
    return [t.lower() for t in _TOKEN.findall(text) if _shortened(t)]


def _shortened(token: str) -> bool:
    if len(token) == 1:
        return token.islower() and token not in _ALONE
    if token[1:].lower() != token[1:]:
        return False
    if any(c.isdigit() for c in token):
        return len(token) <= 5 and any(c in "248" for c in token)
    return len(token) <= 5 and _VOWEL.search(token) is None


def acronyms(text: str) -> list[str]:
    """Words of two to five capitals, in a text that is not all in capitals."""
    if text.upper() == text:
        return []
    return [t for t in _TOKEN.findall(text) if 2 <= len(t) <= 5 and t.isalpha() and t.isupper()]
