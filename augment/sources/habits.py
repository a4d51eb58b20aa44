"""Habits of writing: short forms, contractions, articles and marks left out, casing.

Each is a function from a text and its rate to edits that do not overlap; what may not be touched
is noise's to know.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from augment.sources.tokens import Word, words_of
from augment.sources.words import (
    ARTICLES,
    BARE_IS_A_WORD,
    BEFORE_AN_ARTICLE,
    CLAUSES,
    CONTRACTIONS,
    EXPANSIONS,
    LEAVES_I_OUT,
    NEGATIONS,
    PRONOUNS,
    QUANTITIES,
    QUESTIONS,
    SHORT,
    WH,
)
from augment.spans import Edit


def _any_of(phrases: Iterable[str], behind: str = "") -> re.Pattern[str]:
    longest_first = sorted(phrases, key=lambda p: (-len(p), p))
    inner = "|".join(re.escape(p).replace(r"\ ", " ").replace("'", "['’]") for p in longest_first)
    end = rf"(?![\w'’@/-]|\.\w{behind})"
    return re.compile(rf"(?<![\w'’.@/-])(?:{inner}){end}", re.IGNORECASE)


LONG_FORMS = _any_of(CONTRACTIONS, behind=r"| not\b")  # "I won't", not "I'll not"
CONTRACTED = _any_of({*(v.lower() for v in CONTRACTIONS.values()), *EXPANSIONS, "what's", "let's"})
WORDY = _any_of(SHORT)
"""Where a habit could show, so that a profile can count what it measures and noise does."""
_EXPANDABLE = _any_of(EXPANSIONS)
_ANOTHER_WORD = re.compile(r" [a-z]")
_LAST_MARK = re.compile(r"(?<=[\w)\"'’”])[.!?](?=\s*\Z)")
_COMMA = re.compile(r",(?= ([^\W\d_]+)\b)")


def contractions(text: str, contracted: float, expanded: float, rng: random.Random) -> list[Edit]:
    """Both at once, so that no place is changed there and back."""
    return [*contract(text, contracted, rng), *expand(text, expanded, rng)]


def contract(text: str, rate: float, rng: random.Random) -> list[Edit]:
    """`do not` -> `don't`: only before another word, and `it is` not in "where it is"."""
    words = words_of(text)
    edits = []
    for m in LONG_FORMS.finditer(text):
        found = m.group()
        asks = not found.lower().endswith("not") and _behind_wh(words, m.start())
        if rng.random() < rate and _ANOTHER_WORD.match(text, m.end()) and not asks:
            edits.append(Edit(m.start(), m.end(), _cased(CONTRACTIONS[found.lower()], found)))
    return edits


def expand(text: str, rate: float, rng: random.Random) -> list[Edit]:
    """`don't` -> `do not`, but where that breaks the order of words: "don't you", "why isn't"."""
    words = words_of(text)
    edits = []
    for m in _EXPANDABLE.finditer(text):
        plain = m.group().lower().replace("’", "'")
        at = next((i for i, w in enumerate(words) if w.start == m.start()), None)
        if rng.random() >= rate or at is None or not _ANOTHER_WORD.match(text, m.end()):
            continue
        turned = words[at].first or words[at + 1].plain in PRONOUNS or _behind_wh(words, m.start())
        if not (plain.endswith("n't") and turned):
            edits.append(Edit(m.start(), m.end(), _cased(EXPANSIONS[plain], m.group())))
    return edits


def bare(text: str, rate: float, rng: random.Random) -> list[Edit]:
    """`don't` -> `dont` throughout, unless that is another word (`we'll`)."""
    if rng.random() >= rate:
        return []
    found = [(m, re.sub("['’]", "", m.group())) for m in CONTRACTED.finditer(text)]
    return [Edit(*m.span(), word) for m, word in found if word.lower() not in BARE_IS_A_WORD]


def abbreviate(text: str, rate: float, rng: random.Random) -> list[Edit]:
    """`please` -> `pls` in sentences, of words in small letters or at their head."""
    words = words_of(text)
    heads = {w.start for w in words if w.first}
    edits: list[Edit] = []
    if not _is_sentence(words):
        return edits
    for m in WORDY.finditer(text):
        short = rng.choice(SHORT[m.group().lower()])
        plain = m.group().islower() or (m.start() in heads and m.group().capitalize() == m.group())
        if rng.random() < rate and plain:
            edits.append(Edit(m.start(), m.end(), _cased(short, m.group())))
    return edits


def terse(text: str, rate: float, rng: random.Random) -> list[Edit]:
    """Articles, and an `I` before `need` and its like, left out throughout a sentence; a list of
    names, as in a bank statement, is none."""
    words = words_of(text)
    if rng.random() >= rate or len(words) < 5 or not _is_sentence(words):
        return []
    edits = []
    for before, word, after in zip([None, *words], words, words[1:], strict=False):
        between = text[word.end : after.start]
        if between == " " and len(after.text) > 1 and after.text.islower():
            if _can_go(before, word, after):
                edits.append(Edit(word.start, after.start, ""))
                if word.text[0].isupper():
                    head = text[after.start].upper()
                    edits.append(Edit(after.start, after.start + 1, head))
    return edits


def _can_go(before: Word | None, word: Word, after: Word) -> bool:
    if word.plain == "i":
        return word.first and after.plain in LEAVES_I_OUT
    if word.plain not in ARTICLES or after.plain in QUANTITIES:
        return False
    if word.first:
        return word.text == "The"  # a small one may begin a name
    known = before is not None and before.plain in BEFORE_AN_ARTICLE
    return word.text.islower() and (word.text == "the" or known)


def no_commas(text: str, rate: float, rng: random.Random) -> list[Edit]:
    """Commas between clauses left out throughout: those of a list stay, and one behind a yes or a
    no."""
    if rng.random() >= rate:
        return []
    ends = {w.end: w.plain for w in words_of(text)}
    answers = NEGATIONS | {"yes"}
    found = [
        m
        for m in _COMMA.finditer(text)
        if m.group(1).lower() in CLAUSES and ends.get(m.start(), "no") not in answers
    ]
    return [Edit(m.start(), m.end(), "") for m in found]


def unended(text: str, rate: float, rng: random.Random) -> list[Edit]:
    """The last mark left out; a question mark only where the words ask as well."""
    mark = _LAST_MARK.search(text)
    if rng.random() >= rate or mark is None:
        return []
    words = words_of(text)
    last = [w.plain for w in words if w.sentence == words[-1].sentence]
    asks = last[0] in QUESTIONS or any(w in WH for w in last[:4])
    dotted = "." in text[words[-1].start : mark.start()]
    if dotted or mark.group() == "?" and not asks:
        return []
    return [Edit(mark.start(), mark.end(), "")]


def casing(
    text: str, lower: float, upper: float, small_start: float, rng: random.Random
) -> list[Edit]:
    """All in small letters, but for abbreviations in capitals; all in capitals; or a small first
    letter. No letter becomes two, so every place stays where it is."""
    draw = rng.random()
    loud = not any(c.islower() for c in text)
    left = [
        at
        for m in re.finditer(r"\S+", text)
        if not any(c.isdigit() or c in "@/" for c in m.group())
        for at in range(*m.span())
        if loud or not _in_capitals(m.group())
    ]
    if draw < lower:
        changes = [(at, text[at].lower()) for at in left]
    elif draw < lower + upper:
        changes = [(at, text[at].upper()) for at in left] if not loud else []
    elif rng.random() < small_start and not loud:
        changes = [(at, text[at].lower()) for at in left[:1] if at == 0]
    else:
        return []
    return [Edit(at, at + 1, c) for at, c in changes if c != text[at] and len(c) == 1]


def _is_sentence(words: list[Word]) -> bool:
    """Whether people talk here; the names on a bank statement are no sentence."""
    return any(w.plain in CLAUSES for w in words) or any(w.text[:1].isupper() for w in words[:1])


def _in_capitals(token: str) -> bool:
    letters = "".join(c for c in token if c.isalpha())
    return len(letters) > 1 and (
        letters.isupper() or letters.endswith("s") and letters[:-1].isupper() and len(letters) > 2
    )


def _behind_wh(words: list[Word], start: int) -> bool:
    """Whether a question word stands before this place in its sentence."""
    here = [w for w in words if w.start <= start]
    return any(w.plain in WH for w in here[:-1] if w.sentence == here[-1].sentence)


def _cased(word: str, like: str) -> str:
    return word[0].upper() + word[1:] if like[0].isupper() else word[0].lower() + word[1:]
