"""Other amounts, dates, times and identifiers in the same format and of the same size.

Only figures whose kind shows in the text are changed. A bare "3", "20 %" or "iPhone 12" may be
what the label turns on and stays; of an amount the first digit and the length stay, so a payment
of thousands stays one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, MutableMapping

from augment.spans import Edit

_MONTH = (
    r"(?:(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)|May)\.?"
)
_WEEKDAY = re.compile(
    r"(?i)\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? ?\Z"
)
_CODE = r"(?:USD|EUR|GBP|CHF|JPY|CAD|AUD|INR|SEK|NOK|DKK|PLN)"
_SUM = r"[0-9]+(?:[.,][0-9]{3})*(?:[.,][0-9]{2})?"
_FREE, _DONE = r"(?<![\w.,:/$€£#-])", r"(?![\w%/:-]|[.,][0-9])"
_NAMED = re.compile(r"[^\W\d_]\w* \Z")
MINUTES = ("00", "05", "10", "15", "20", "25", "30", "35", "40", "45", "50", "55")

Maker = Callable[[re.Match[str], random.Random], str]


def _iso_date(m: re.Match[str], rng: random.Random) -> str:
    return f"{m[1]}-{m[2]}-{_day(m[3], rng)}"


def _short_date(m: re.Match[str], rng: random.Random) -> str:
    """Day and month in either order: what can only be a day stays one, else both orders hold."""
    days = [x for x in (m[1], m[3]) if int(x) > 12]
    if len(days) == 1:
        first, second = (_day(x, rng, least=13) if x in days else x for x in (m[1], m[3]))
    else:
        first, second = (_day(x, rng, most=12) for x in (m[1], m[3]))
    return f"{first}{m[2]}{second}{m[2]}{m[4]}"


def _month_first(m: re.Match[str], rng: random.Random) -> str:
    return m[1] + _ordinal(m[2], m[3], rng)


def _day_first(m: re.Match[str], rng: random.Random) -> str:
    return _ordinal(m[1], m[2], rng) + m[3]


def _time(m: re.Match[str], rng: random.Random) -> str:
    return f"{m[1]}:{rng.choice(MINUTES)}"


def _amount(m: re.Match[str], rng: random.Random) -> str:
    return m[1] + _other_sum(m[2], rng) + m[3]


def _identifier(m: re.Match[str], rng: random.Random) -> str:
    return m[1] + "".join(rng.choice("0123456789") for _ in m[2])


_KINDS: tuple[tuple[re.Pattern[str], Maker], ...] = (
    (re.compile(rf"{_FREE}([0-9]{{4}})-([0-9][0-9])-([0-9][0-9]){_DONE}"), _iso_date),
    (
        re.compile(
            rf"{_FREE}([0-9][0-9]?)([/.-])([0-9][0-9]?)\2([0-9]{{4}}|(?<=/)[0-9][0-9]){_DONE}"
        ),
        _short_date,
    ),
    (re.compile(rf"\b({_MONTH} )([0-9][0-9]?)(st|nd|rd|th)?{_DONE}"), _month_first),
    (re.compile(rf"{_FREE}([0-9][0-9]?)(st|nd|rd|th)?( (?:of )?{_MONTH})(?!\w)"), _day_first),
    (re.compile(rf"{_FREE}([01]?[0-9]|2[0-3]):([0-5][0-9])(?=[ap]m\b|{_DONE})"), _time),
    (re.compile(rf"(?<!\w)([$€£¥₹] ?|{_CODE} ?)({_SUM})(){_DONE}"), _amount),
    (
        re.compile(rf"{_FREE}()({_SUM})( ?(?:[€£₹]|{_CODE}\b|(?:dollar|euro|pound|buck)s\b))"),
        _amount,
    ),
    (re.compile(rf"{_FREE}(\(?[0-9]{{3}}\)?[ -][0-9]{{3}}[ -])([0-9]{{4}}){_DONE}"), _identifier),
    (re.compile(rf"(?<![\w.,:/$€£-])(#?[0-9])([0-9]{{4,}}){_DONE}"), _identifier),
)


def figures(text: str, known: MutableMapping[str, str], rng: random.Random) -> list[Edit]:
    """Another figure for each that shows its kind; `known`: what stands for which so far, so that
    one said twice stays one."""
    edits: list[Edit] = []
    for pattern, make in _KINDS:
        for m in pattern.finditer(text):
            taken = any(e.start < m.end() and m.start() < e.end for e in edits)
            if taken or not _free(text, m.start(), make):
                continue
            new = known.setdefault(m.group(), make(m, rng))
            if new != m.group():
                edits.append(Edit(m.start(), m.end(), new))
    return sorted(edits, key=lambda e: e.start)


def _free(text: str, start: int, make: Maker) -> bool:
    """Not a date that its weekday would contradict, nor a figure that is part of a name."""
    before = text[:start]
    if make in (_iso_date, _short_date, _month_first, _day_first):
        return not _WEEKDAY.search(before)
    named = _NAMED.search(before)
    return make is not _time or named is None or not named.group()[0].isupper()


def _day(old: str, rng: random.Random, least: int = 1, most: int = 28) -> str:
    """Another day of as many digits; the old one where there is none."""
    least = max(least, 10 if len(old) == 2 and old[0] != "0" else 1)
    days = [f"{d:0{len(old)}d}" for d in range(least, most + 1)]
    return rng.choice([d for d in days if len(d) == len(old) and d != old] or [old])


def _ordinal(day: str, suffix: str | None, rng: random.Random) -> str:
    new = _day(day, rng)
    if suffix is None:
        return new
    ends = {1: "st", 2: "nd", 3: "rd"}
    return new + ("th" if 10 < int(new) < 14 else ends.get(int(new) % 10, "th"))


def _other_sum(old: str, rng: random.Random) -> str:
    """The first digit, the round end but for one zero, the separators and even cents stay."""
    whole, cents = (old[:-3], old[-3:]) if re.search(r"[.,][0-9][0-9]\Z", old) else (old, "")
    places = [i for i, c in enumerate(whole) if c.isdigit()]
    digits = "".join(whole[i] for i in places)
    zeros = len(digits) - len(digits.rstrip("0"))
    new = list(whole)
    for i in places[1 : len(places) - max(zeros - 1, 0)]:
        new[i] = rng.choice("0123456789")
    if cents and cents[1:] != "00":
        cents = cents[0] + "".join(rng.choice("0123456789") for _ in "12")
    return "".join(new) + cents
