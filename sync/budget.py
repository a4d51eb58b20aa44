"""The error budget: how often the gate may be wrong about candidates that learned nothing new.

A project starts with ERROR. Each round takes half of what is left as its level, so that however
often somebody trains again, all looks at the same blind labels together are wrong at most ERROR of
the time. Only new blind labels bring it back: all of it once a fifth more are there. A challenger
with synthetic rows is another look at the same round and shares the round's level. The looks are
kept in the store (looks.json), written before CURRENT moves: a worker has no log, and what was
spent stays spent, whatever is killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from lora.atomic import read_json
from lora.store import ProjectStore

ERROR = 0.05
SHARE = 0.5  # of what is left that a round takes
RENEWED = 5.0  # times the share of blind labels that are new
NAME = "looks.json"


@dataclass(frozen=True)
class Stake:
    """What a look may take: `own` by itself; with `earlier`, which looks of the same round took
    before, `level` in all."""

    level: float
    earlier: float
    own: float


FRESH = Stake(ERROR * SHARE, 0.0, ERROR * SHARE)


@dataclass(frozen=True)
class Look:
    """What a look at a round (its human snapshot) and candidate (its recipe) against a version may
    take: the round's `level`, what `earlier` looks of the round have taken of it, and this one's
    `own` part. `blind`: how many blind labels there were, `fresh` of them new since the last
    look."""

    round: str
    recipe: str
    champion: str | None
    blind: int
    fresh: int
    level: float
    earlier: float
    own: float

    @property
    def stake(self) -> Stake:
        return Stake(self.level, self.earlier, self.own)

    @property
    def over(self) -> bool:
        """Whether the round's level is used up by this look."""
        return self.earlier + self.own >= self.level


def left(looks: Sequence[Look], blind: int, fresh: int) -> float:
    """What is left of the budget before a look at `blind` labels, of which `fresh` are new."""
    there = ERROR
    for look in looks:
        there = _renewed(there, look.blind, look.fresh) - look.own
    return _renewed(there, blind, fresh)


def _renewed(there: float, blind: int, fresh: int) -> float:
    return min(ERROR, max(0.0, there) + ERROR * RENEWED * fresh / max(1, blind))


def next_look(
    looks: Sequence[Look],
    round_: str,
    recipe: str,
    champion: str | None,
    blind: int,
    fresh: int,
    *,
    more: bool = False,
) -> Look:
    """The look itself, where it was made before (a run that was killed, or asked for again); the
    rest of the round's level, where the round is under way; else a new level. `more`: a challenger
    may follow in this round, so half stays for it."""
    for past in looks:
        if (past.round, past.recipe, past.champion) == (round_, recipe, champion):
            return past
    own = [look for look in looks if look.round == round_]
    if own and not own[-1].over:
        level, earlier = own[-1].level, own[-1].earlier + own[-1].own
        return Look(round_, recipe, champion, blind, fresh, level, earlier, level - earlier)
    level = left(looks, blind, fresh) * SHARE
    return Look(round_, recipe, champion, blind, fresh, level, 0.0, level / 2 if more else level)


def read_looks(store: ProjectStore) -> tuple[Look, ...]:
    """All looks of a project, oldest first. Raises BrokenFile."""
    return tuple(Look(**one) for one in read_json(store.folder / NAME, []))


def take(store: ProjectStore, look: Look) -> None:
    """Note a look before anything is done about it; again: nothing changes. Under the trainer's
    lock."""
    looks = read_looks(store)
    if look not in looks:
        text = json.dumps([asdict(one) for one in (*looks, look)], indent=1)
        store.place.write(NAME, text)
