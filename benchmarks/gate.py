"""How often the gate is wrong, and how often it sees what is there: simulated verdicts.

    python -m benchmarks.gate [--verdicts 2000] [--sessions 500] [--only A/A,rounds]
    python -m benchmarks.gate --real 20        real retrainings, resumable; hours on two cores

Every verdict is `sync.gate.judge`'s over drawn rows. A/A: two models that are alike. Again: ten of
them in turn. Rounds: a candidate and its challenger with children, alike too. Power: one is truly
better. Learned: what more human answers buy, and what that costs. Demo: rounds of 25 answers as
`make demo` has them, under this rule, the means of before, and a plain test at 5 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.causal import listed
from benchmarks.gate_rows import (
    BLIND,
    COLD,
    TRAINED,
    Alike,
    Fit,
    Marks,
    Pair,
    Texts,
    choices,
    demo,
    report,
)
from benchmarks.gate_tables import GROWTH, ROUND, Line, as_tables, at_least, share
from benchmarks.report import RESULTS, write
from lora.looks import NEAR, look, mcnemar, rows_of
from sync.budget import ERROR, SHARE, Look, Stake, next_look
from sync.gate import Learned, judge

NOTHING = Learned(100, 0)
LEAST = 10
APART = (-0.1, -0.05, -0.03, 0.0, 0.03, 0.05, 0.1)
RETRAININGS = 10
CHEAP = 10  # times the verdicts, of rounds of choices


def verdict(pair: Pair, rng: np.random.Generator, stake: Stake | None = None) -> bool:
    """One verdict on a candidate that learned nothing new."""
    candidate, champion = (choices(some) for some in pair.draw(rng))
    cold = choices(rng.random(pair.rows) < pair.right - COLD)
    made = report(candidate, champion, cold)
    groups = {row: row for row in candidate}
    stakes = {"stake": stake} if stake else {}
    return judge(made, groups, NOTHING, LEAST, **stakes, intervals=False).promote


def alike(verdicts: int) -> list[Line]:
    """A/A by rows and discordance, and of rows with spans."""
    rng = np.random.default_rng(1)
    made = []
    for rows, apart in ((20, 0.2), (40, 0.12), (100, 0.12), (300, 0.12), (300, 0.3), (1000, 0.12)):
        pair = Pair(rows, 0.0, apart)
        found = (verdict(pair, rng) for _ in range(verdicts))
        made.append(share(found, answers="choices", rows=rows, discordant=apart))
    for rows in (20, 40, 100):
        found = (_spans(rows, rng) for _ in range(verdicts))
        made.append(share(found, answers="choices and spans", rows=rows, discordant=None))
    return made


def _spans(rows: int, rng: np.random.Generator) -> bool:
    texts = Texts(rng, rows, slots=True)
    candidate, champion, cold = (texts.answered(*q) for q in ((0.95, 0.6), (0.95, 0.6), (0.86, 0)))
    groups = {row: row for row in candidate}
    made = report(candidate, champion, cold)
    return judge(made, groups, NOTHING, LEAST, intervals=False).promote


def again(sessions: int) -> Line:
    """Trained anew and anew without a new blind label: whether any of RETRAININGS gets in. Rows are
    drawn anew each time, the worst case."""
    rng = np.random.default_rng(2)
    pair = Pair(100, 0.0, 0.12)
    fooled = []
    for _ in range(sessions):
        looks: list[Look] = []
        for seed in range(RETRAININGS):
            fresh = 0 if looks else pair.rows
            looks.append(next_look(looks, f"s{seed}", f"r{seed}", "v", pair.rows, fresh))
        fooled.append(any(verdict(pair, rng, one.stake) for one in looks))
    return share(fooled, retrainings=RETRAININGS, rows=pair.rows, discordant=pair.discordant)


def rounds(verdicts: int) -> list[Line]:
    """A/A with a challenger: champion, human-only candidate and challenger are alike, and either
    look of the round may be wrong. `level`: what both together may take; `candidate` and
    `challenger`: who got in."""
    rng, made = np.random.default_rng(6), []
    for rows in (40, 100, 300):
        alike, many = Alike(rows, 0.12), verdicts * CHEAP
        drawn = ([*alike.draw(rng, 3), rng.random(rows) < alike.right - COLD] for _ in range(many))
        seen = [_round(*(choices(some) for some in four)) for four in drawn]
        made.append(_told(seen, answers="choices", rows=rows))
    spans = (Texts(rng, 40, slots=True) for _ in range(verdicts))
    good = ((0.95, 0.6), (0.95, 0.6), (0.95, 0.6), (0.86, 0))
    seen = [_round(*(texts.answered(*q) for q in good)) for texts in spans]
    return [*made, _told(seen, answers="choices and spans", rows=40)]


def _round(champion: Marks, human: Marks, challenger: Marks, cold: Marks) -> tuple[bool, bool]:
    """Whether the human-only candidate got in, and whether the challenger did after it, each at its
    look's stake, as sync/weigh.py takes it."""
    blind = len(cold)
    first = next_look([], "h", "human", "v1", blind, blind, more=True)
    taken = _passes(report(human, champion, cold), first.stake)
    now, serving = ("v2", human) if taken else ("v1", champion)
    second = next_look([first], "h", "challenger", now, blind, 0)
    made = report(challenger, serving, cold)
    made["synthetic"] = 1
    made["scores"]["human"] = {"right": human}
    return taken, _passes(made, second.stake)


def _passes(made: Mapping[str, Any], stake: Stake) -> bool:
    """The verdict; of choices it is known where McNemar's p, which it asks for, is too large."""
    rival = "human" if "synthetic" in made else "champion"
    mine, theirs = (made["scores"][who]["right"] for who in ("candidate", rival))
    if all("s" not in mark for mark in mine.values()):
        apart = [mark["c"][0] - theirs[row]["c"][0] for row, mark in mine.items()]
        if mcnemar(apart.count(1.0), apart.count(-1.0)) > stake.earlier + stake.own + NEAR:
            return False
    groups = {row: row for row in mine}
    return judge(made, groups, NOTHING, LEAST, stake, intervals=False).promote


def _told(seen: Sequence[tuple[bool, bool]], **what: Any) -> Line:
    either = [any(one) for one in seen]
    each = {name: sum(s[i] for s in seen) / len(seen) for i, name in enumerate(ROUND[1:])}
    line = share(either, **what, level=ERROR * SHARE, **each)
    return {**line, "at_least": at_least(sum(either), len(either))}


def power(verdicts: int) -> list[Line]:
    """What is truly better by so much, on a whole budget and as the first of two looks."""
    rng = np.random.default_rng(3)
    made = []
    for rows, apart in ((100, 0.05), (300, 0.03), (300, 0.05), (1000, 0.02), (1000, 0.03)):
        pair = Pair(rows, apart, 0.12)
        for own in (ERROR * SHARE, ERROR * SHARE / 2):
            stake = Stake(ERROR * SHARE, 0.0, own)
            found = (verdict(pair, rng, stake) for _ in range(verdicts))
            made.append(share(found, rows=rows, apart=apart, level=own))
    return made


def learned(verdicts: int) -> list[Line]:
    """Who gets in with so many more answers than the current adapter has (growth), by how much
    better or worse they truly are."""
    rng = np.random.default_rng(4)
    made = []
    for rows in (20, 40, 100, 300):
        for apart in APART:
            pair = Pair(rows, apart, max(0.12, abs(apart) + 0.02))
            draws = (pair.draw(rng) for _ in range(verdicts))
            counts = [(int((a & ~b).sum()), int((b & ~a).sum())) for a, b in draws]
            seen = np.array([mcnemar(*pair) if pair[0] >= pair[1] else 1.0 for pair in counts])
            for growth in GROWTH:
                allowed = Learned(1000, int(1000 * growth)).allowed(ERROR * SHARE)
                hits = float((seen <= allowed + NEAR).mean())
                made.append({"rows": rows, "apart": apart, "growth": growth, "promoted": hits})
    return made


Rule = Callable[[float, Learned, int], bool]
"""Whether a candidate at a p, which learned so much more, gets in, at so many blind labels."""


def ours() -> Rule:
    looks: list[Look] = []

    def rule(p: float, more: Learned, blind: int) -> bool:
        name, fresh = f"{len(looks)}", blind - (looks[-1].blind if looks else 0)
        looks.append(next_look(looks, name, name, None, blind, fresh))
        return p <= more.allowed(looks[-1].own) + NEAR

    return rule


RULES: dict[str, Callable[[], Rule]] = {
    "means": lambda: lambda p, more, blind: p <= 0.5,
    "a test at 5 %": lambda: lambda p, more, blind: p <= ERROR,
    "ours": ours,
}


def demos(sessions: int) -> list[Line]:
    """Sessions of 200 answers under each rule, on the same rows and candidates."""
    made = []
    for name, slots, spoiled in (
        ("intents and slots", True, (999, 0.0)),
        ("intents alone", False, (999, 0.0)),
        ("both; from 125 answers on 15 points worse", True, (125, 0.15)),
        ("intents; from 125 answers on 5 points worse", False, (125, 0.05)),
    ):
        outcomes: dict[str, list[Sequence[float]]] = {rule: [] for rule in RULES}
        for seed in range(sessions):
            rng = np.random.default_rng([5, seed])
            cold, fits = demo(rng, slots=slots, spoiled=spoiled)
            known: dict[tuple[int, int], float] = {}
            for rule, make in RULES.items():
                outcomes[rule].append(_session(cold, fits, make(), slots, known))
        for rule, seen in outcomes.items():
            means = np.mean(np.array(seen, float), axis=0)
            names = ("promotions", "two", "early", "served", "worse")
            found = dict(zip(names, [round(float(m), 4) for m in means], strict=True))
            made.append({"demo": name, "rule": rule, "sessions": sessions, **found})
    return made


def _session(
    cold: Fit, fits: Sequence[Fit], rule: Rule, slots: bool, known: dict[tuple[int, int], float]
) -> tuple[float, ...]:
    """Promotions; two or more; 93 % of intents served by 100 answers; the mean true score served;
    promotions of what is truly worse."""
    serving, promoted, worse, early = cold, 0, 0, False
    served: list[float] = []
    for fit, blind in zip(fits, BLIND, strict=True):
        key = fit.answers, serving.answers
        if blind >= LEAST:
            p = known.setdefault(key, _p(fit, serving, blind))
            before = int(serving.answers * TRAINED)
            if rule(p, Learned(before, int(fit.answers * TRAINED) - before), blind):
                worse += fit.true(slots) < serving.true(slots)
                serving, promoted = fit, promoted + 1
        served.append(serving.true(slots))
        early = early or (fit.answers <= 100 and serving.quality[0] >= 0.93)
    return promoted, promoted >= 2, early, float(np.mean(served)), worse


def _p(one: Fit, other: Fit, blind: int) -> float:
    marks = [dict(list(fit.marks.items())[:blind]) for fit in (one, other)]
    metrics = {c: {"c": "accuracy", "s": "f1"}[c] for c in next(iter(marks[0].values()))}
    rows = rows_of(marks, metrics, {row: row for row in marks[0]})
    assert rows is not None
    found = look(rows, "", interval=False)
    return found.p if found.value >= 0 else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--verdicts", type=int, default=2000)
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--only", default="", help="these parts anew, the others as they are")
    parser.add_argument("--real", type=int, default=0, help="so many real retrainings instead")
    given = parser.parse_args()
    if given.real:
        from benchmarks.gate_real import retrain

        retrain(given.real)
        return
    parts: dict[str, Callable[[], list[Line]]] = {
        "A/A": lambda: alike(given.verdicts),
        "again": lambda: [again(given.verdicts)],
        "rounds": lambda: rounds(given.verdicts),
        "power": lambda: power(given.verdicts),
        "learned": lambda: learned(given.verdicts),
        "demo": lambda: demos(given.sessions),
    }
    only = listed(given.only, list(parts), "--only") or list(parts)
    before = json.loads((RESULTS / "gate.json").read_text("utf-8")) if given.only else {}
    found = {name: part() if name in only else before[name] for name, part in parts.items()}
    write("gate", found, as_tables(found))


if __name__ == "__main__":
    main()
