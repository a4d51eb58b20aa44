"""Several answers to one task become one: the answer that reliable people agree on most.

Always one person's whole answer, so that its spans, choices and notes belong together; how far the
others back it is its weight. Of controls with one label Dawid and Skene (1979) say how likely each
label is and how reliable each annotator, by EM with pseudo-counts. crowd-kit has it, too, and pulls
in pyarrow and nltk; and it has no pseudo-counts, without which two people who differ on five tasks
are told apart with certainty.

A ground truth wins alone. What a person left as a model had it is heard only where nobody answered
independently; of a blind task only answers given alone are. The two sides are weighed apart, so
that no blind answer decides what is learned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from label_config import Schema
from label_config.values import Choice, Region, answer_key
from sync.readings import Reading

RIGHT = 4.0  # pseudo-answers of each annotator to each label that were right...
WRONG = 1.0  # ...and that were wrong, over all other labels: right in four of five, before any
ROUNDS = 200
STILL = 1e-6
SINGLE = ("one", "ordinal", "pair")


@dataclass(frozen=True)
class Vote:
    """That somebody gave a task a label."""

    task: int
    voter: int
    label: str


@dataclass(frozen=True)
class Crowd:
    """`chances`: by task, of each label; `reliable`: by voter, the chance to give the right one."""

    chances: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    reliable: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Chosen:
    """A task's answer; `beside`: the annotations it was weighed against; `support`: how far these
    back it, in (0, 1]."""

    reading: Reading
    beside: tuple[int, ...] = ()
    support: float = 1.0

    @property
    def weight(self) -> float | None:
        """What the row counts in training beside 1; None: as much as any other."""
        rounded = round(self.support, 2)
        return None if rounded >= 1 else max(0.05, rounded)


def dawid_skene(votes: Sequence[Vote]) -> Crowd:
    """Who is how reliable, and what each task's label then is."""
    if not votes:
        return Crowd()
    tasks = {task: i for i, task in enumerate(sorted({v.task for v in votes}))}
    people = {voter: i for i, voter in enumerate(sorted({v.voter for v in votes}))}
    labels = {label: i for i, label in enumerate(sorted({v.label for v in votes}))}
    at = np.array([tasks[v.task] for v in votes])
    by = np.array([people[v.voter] for v in votes])
    said = np.array([labels[v.label] for v in votes])
    many = len(labels)
    pseudo = np.full((many, many), WRONG / max(1, many - 1))
    np.fill_diagonal(pseudo, RIGHT)
    chances = np.full((len(tasks), many), 1e-9)
    np.add.at(chances, (at, said), 1.0)
    chances /= chances.sum(axis=1, keepdims=True)
    for _ in range(ROUNDS):
        often = chances.sum(axis=0) + 1.0
        often /= often.sum()
        table = np.tile(pseudo, (len(people), 1, 1))  # voter, what is said, what is right
        np.add.at(table, (by, said), chances[at])
        table /= table.sum(axis=1, keepdims=True)
        logs = np.tile(np.log(often), (len(tasks), 1))
        np.add.at(logs, at, np.log(table[by, said]))
        logs -= logs.max(axis=1, keepdims=True)
        before, chances = chances, np.exp(logs)
        chances /= chances.sum(axis=1, keepdims=True)
        if float(np.abs(chances - before).max()) < STILL:
            break
    right = np.einsum("j,vjj->v", often, table)
    found = {t: dict(zip(labels, chances[i].tolist(), strict=True)) for t, i in tasks.items()}
    return Crowd(found, {voter: float(right[i]) for voter, i in people.items()})


def choose(schema: Schema, answers: Mapping[int, Sequence[Reading]]) -> dict[int, Chosen]:
    """One answer a task; `answers`: of each task, one of each author (sync/readings.py)."""
    heard = {task: voters(rs) for task, rs in answers.items()}
    found: dict[int, Chosen] = {}
    for blind in (False, True):
        side = {t: rs for t, rs in heard.items() if rs and rs[0].blind_task == blind}
        crowds = crowds_of(schema, side)
        for task, rs in side.items():
            found[task] = _best(schema, rs, crowds)
    return found


def voters(readings: Sequence[Reading]) -> list[Reading]:
    """Whose answers to a task are weighed."""
    truths = [r for r in readings if r.annotation.ground_truth]
    if truths:
        return [max(truths, key=_when)]
    if any(r.blind_task for r in readings):
        return [r for r in readings if r.alone] or [max(readings, key=_when)]
    return [r for r in readings if r.independent] or list(readings)


def crowds_of(schema: Schema, heard: Mapping[int, Sequence[Reading]]) -> dict[str, Crowd]:
    """By control with one label: what the answers to tasks with several say of both."""
    found: dict[str, Crowd] = {}
    for control in schema.controls:
        if control.form in SINGLE:
            votes = [
                Vote(task, voter_of(r), label)
                for task, rs in heard.items()
                if len(rs) > 1
                for r in rs
                if (label := label_of(control.name, r)) is not None
            ]
            found[control.name] = dawid_skene(votes)
    return found


def voter_of(reading: Reading) -> int:
    """Who answered; an answer without an author is one's own."""
    author = reading.annotation.author
    return -reading.annotation.id if author is None else author


def label_of(control: str, reading: Reading) -> str | None:
    """The label that a control with one label was given."""
    chosen = (r for r in reading.regions if isinstance(r, Choice) and r.from_name == control)
    return next((r.labels[0] for r in chosen), None)


def likeness(control: str, one: Reading, other: Reading) -> float | None:
    """How much two answers to a control have in common: F1 of what they say; None: neither says
    anything, which for spans is agreement and for a choice is silence."""
    a, b = ({answer_key(r) for r in _own(control, x.regions)} for x in (one, other))
    if not a and not b:
        return None
    return 2 * len(a & b) / (len(a) + len(b))


def _own(control: str, regions: Iterable[Region]) -> list[Region]:
    return [r for r in regions if r.from_name == control]


def _best(schema: Schema, rs: Sequence[Reading], crowds: Mapping[str, Crowd]) -> Chosen:
    if len(rs) == 1:
        return Chosen(rs[0])
    support = {r.annotation.id: _support(schema, r, rs, crowds) for r in rs}
    best = max(rs, key=lambda r: (round(support[r.annotation.id], 6), _when(r)))
    others = tuple(sorted(r.annotation.id for r in rs if r is not best))
    return Chosen(best, others, support[best.annotation.id])


def _support(
    schema: Schema, mine: Reading, rs: Sequence[Reading], crowds: Mapping[str, Crowd]
) -> float:
    """The mean over the controls that anybody answered."""
    shares: list[float] = []
    for control in schema.controls:
        crowd = crowds.get(control.name)
        if crowd is not None:
            chances = crowd.chances.get(mine.annotation.task)
            if chances is not None:
                label = label_of(control.name, mine)
                shares.append(chances.get(label, 0.0) if label is not None else 0.0)
            continue
        if not any(_own(control.name, r.regions) for r in rs):
            continue
        trust = {r.annotation.id: _trust(r, crowds) for r in rs}
        backed = sum(trust[r.annotation.id] * (likeness(control.name, mine, r) or 0.0) for r in rs)
        if not _own(control.name, mine.regions):  # it says nothing here, as those who back it
            backed = sum(trust[r.annotation.id] for r in rs if not _own(control.name, r.regions))
        shares.append(backed / sum(trust.values()))
    return sum(shares) / len(shares) if shares else 1.0


def _trust(reading: Reading, crowds: Mapping[str, Crowd]) -> float:
    known = [c.reliable[v] for c in crowds.values() if (v := voter_of(reading)) in c.reliable]
    return sum(known) / len(known) if known else RIGHT / (RIGHT + WRONG)


def _when(reading: Reading) -> tuple[object, ...]:
    return (reading.annotation.updated_at, reading.annotation.id)


def disputed(schema: Schema, answers: Mapping[int, Sequence[Reading]]) -> list[int]:
    """Tasks of the train side whose voters do not agree, the most open ones first."""
    chosen = choose(schema, {t: rs for t, rs in answers.items() if not rs[0].blind_task})
    apart: defaultdict[float, list[int]] = defaultdict(list)
    for task, found in chosen.items():
        rs = voters(answers[task])
        said = {frozenset(answer_key(x) for x in r.regions) for r in rs}
        if len(said) > 1:
            apart[round(found.support, 4)].append(task)
    return [task for support in sorted(apart) for task in sorted(apart[support])]
