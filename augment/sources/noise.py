"""The slips and habits of people who type: what a text would look like from another keyboard.

Nothing is done more often than the project's own texts show it. What carries the label stays:
numbers, negations, names (any word with a capital inside a text) and the words of a written answer
are never misspelt or left out, nor is a span's text; casing, which does reach spans, moves them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from label_config.controls import InvalidValue


@dataclass(frozen=True)
class Rates:
    """How often a project's own texts show each habit, as shares in [0, 1]; by default none.

    `typos`: of words, the misspelt ones. `lower`, `upper`: of texts, those without a capital,
    without a small letter. `small_start`: of the others, those that begin with a small letter.
    `contracted`, `expanded`: of places where CONTRACTIONS could stand, those that are contracted,
    that are written out. `bare`: of contractions, those without the apostrophe. `abbreviated`: of
    the words in SHORT, those that are shortened. `terse`: of texts of five words and more, those
    without an article. `no_commas`: of texts of twelve words and more, those without a comma.
    `unended`: of texts, those that end in no mark.
    """

    typos: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    small_start: float = 0.0
    contracted: float = 0.0
    expanded: float = 0.0
    bare: float = 0.0
    abbreviated: float = 0.0
    terse: float = 0.0
    no_commas: float = 0.0
    unended: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            share = getattr(self, f.name)
            if not 0.0 <= share <= 1.0:
                raise InvalidValue(f"the rate {f.name} is {share}; a share in [0, 1] is needed")
