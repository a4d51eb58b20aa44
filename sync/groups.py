"""Task groups: near-duplicates belong together, so that holdout and train never share a text.

A task joins the group of the earliest task it resembles, at first sight and for ever; a group's
side is drawn by hash. Pure: the log remembers, `Groups` is built again from what it remembers.

Two texts resemble each other when the Jaccard similarity of their character 5-grams, after
normalisation, is 0.8 or more. Short intents cut from one template ("add X to my Y playlist")
differ in more than that; a changed number, accent, case or end sign does not count as different.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from label_config import Schema
from label_config.wire import task_texts

N = 5
ALIKE = 0.8
SKETCH = 256  # shingles kept of one text: all of a short one, the smallest hashes of a long one
SHARED = 3
READ = 20_000  # code points read of a text
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Place:
    """Where a task was put at first sight, for ever: its group, and whether that group is blind."""

    group: str
    blind: bool


def group_text(data: Mapping[str, object], schema: Schema) -> str:
    """What of a task's data is compared: the texts the controls read, or all where none do.

    A text that lies elsewhere is not fetched for this: its address stands for it, and two
    addresses never resemble each other, however much they have in common.
    """
    keys = [key for key in schema.keys if key in data]
    if not keys:
        values = [data[key] for key in sorted(data)]
        return "\n".join(str(v) for v in values if isinstance(v, (str, int, float)))
    texts = task_texts(schema, data).by_key
    found = [
        _in_letters(str(data[key])) if schema.text_object(key).url else texts.get(key)
        for key in keys
    ]
    return "\n".join(text for text in found if text)


def _in_letters(address: str) -> str:
    """An address as letters that only the same address has; digits would be levelled to 0."""
    digest = hashlib.sha256(address.strip().encode("utf-8", "surrogatepass")).hexdigest()
    return digest.translate(str.maketrans("0123456789", "ghijklmnop"))


def normalise(text: str) -> str:
    """Case, accents' spelling, punctuation and white space levelled; each number becomes 0.

    A text without a letter keeps its digits: amounts alone are no duplicates of each other.
    """
    level = unicodedata.normalize("NFKC", text[:READ]).casefold()
    if any(c.isalpha() for c in level):
        level = _NUMBER.sub("0", level)
    return _SIGNS.sub(" ", level).strip() or level.strip()


def sketch(normal: str) -> frozenset[int]:
    """The hashes of a normalised text's 5-grams; of a long text the smallest SKETCH of them."""
    padded = f" {normal} "
    grams = {padded[i : i + N] for i in range(max(1, len(padded) - N + 1))}
    return frozenset(sorted(_hash(g) for g in grams)[:SKETCH])


def _hash(gram: str) -> int:
    raw = gram.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")


def resemblance(a: frozenset[int], b: frozenset[int]) -> float:
    """Jaccard similarity; of long texts, whose sketches are a sample, an estimate of it."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


def alike(one: str, other: str) -> bool:
    """Whether two texts would be of one group: the same after normalisation, or resembling."""
    a, b = normalise(one), normalise(other)
    return a == b or resemblance(sketch(a), sketch(b)) >= ALIKE


def is_blind(project: str, group: str, share: float) -> bool:
    """Whether a group is held out: the same answer on every machine, for ever."""
    drawn = hashlib.sha256(f"{project}/{group}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") / 2**64 < share


class Groups:
    """Every task of one project seen so far, and an index to find its like.

    Prefix filtering: sets that share o elements share `SHARED` of their first |x| - o + SHARED ones
    in any common order, so only those are indexed and most strangers are never compared. Rarest
    first is the order that finds fewest; it is drawn up anew whenever the texts have doubled.
    """

    def __init__(self, project: str, share: float) -> None:
        self._project = project
        self._share = share
        self._seen: list[tuple[array[int], Place]] = []  # of sets it would be ten times as much
        self._same: dict[str, Place] = {}
        self._groups: dict[str, Place] = {}
        self._often: dict[int, int] = {}
        self._index: dict[int, list[int]] = defaultdict(list)
        self._renew_at = 256

    def remember(self, text: str, place: Place) -> None:
        """Take in a task whose place is known; the earliest one first."""
        normal = normalise(text)
        self._groups[place.group] = place
        if normal and normal not in self._same:
            self._add(normal, sketch(normal), place)

    def place(self, task: int, text: str) -> Place:
        """The place of a task at first sight; it is remembered from now on."""
        normal = normalise(text)
        if not normal:
            return self._found(f"task-{task}")  # nothing to resemble
        known = self._same.get(normal)
        if known:
            return known
        marks = sketch(normal)
        place = self._earliest_like(marks) or self._found(_name(normal))
        self._add(normal, marks, place)
        return place

    def like(self, text: str) -> Place | None:
        """The place of what a text is like, without taking the text in; None: nothing is."""
        normal = normalise(text)
        if not normal:
            return None
        return self._same.get(normal) or self._earliest_like(sketch(normal))

    def _found(self, group: str) -> Place:
        drawn = Place(group, is_blind(self._project, group, self._share))
        return self._groups.setdefault(group, drawn)  # a group once drawn keeps its side

    def _add(self, normal: str, marks: frozenset[int], place: Place) -> None:
        self._same[normal] = place
        self._seen.append((array("Q", sorted(marks)), place))
        if len(self._seen) == self._renew_at:
            self._renew()
        else:
            self._enter(len(self._seen) - 1)

    def _renew(self) -> None:
        times = Counter(mark for marks, _ in self._seen for mark in marks)
        self._often = {mark: n for mark, n in times.items() if n > 1}  # most come once
        self._index.clear()
        self._renew_at *= 2
        for number in range(len(self._seen)):
            self._enter(number)

    def _enter(self, number: int) -> None:
        for mark in self._prefix(self._seen[number][0]):
            self._index[mark].append(number)

    def _prefix(self, marks: Collection[int]) -> list[int]:
        rarest = sorted((self._often.get(mark, 0), mark) for mark in marks)
        return [mark for _, mark in rarest[: len(marks) - _enough(marks) + SHARED]]

    def _earliest_like(self, marks: frozenset[int]) -> Place | None:
        hits = Counter(n for mark in self._prefix(marks) for n in self._index.get(mark, ()))
        least = min(SHARED, _enough(marks))
        for number in sorted(n for n, times in hits.items() if times >= least):
            other, place = self._seen[number]
            if resemblance(marks, frozenset(other)) >= ALIKE:
                return place
        return None


def _enough(marks: Collection[int]) -> int:
    """The fewest elements that a set shares with any other it resembles."""
    return math.ceil(ALIKE * len(marks))


def _name(normal: str) -> str:
    """A group is named after its first text, so the same tasks imported again keep their side."""
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()[:16]
