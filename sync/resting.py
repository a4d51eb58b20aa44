"""Why training rests though there are new answers, and what wakes it: plateau and drift.

Training again costs a machine's time and the annotators' trust in what they see. It rests where the
last rounds brought nothing that the blind labels show; more answers by half, a person, or a rise of
corrections wake it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil, comb
from typing import Any

from label_config import Schema
from sync.log import Log
from sync.readings import Rate, correction_rate

LEAST_BLIND = 100  # labels; on fewer a gain of some points cannot be told from none
WORTH = 0.005  # a mean gain of less is none
GROWN = 1.5  # times the answers of the last round: then it is worth a look again
LEAST_SHOWN = 20  # answers before and after, to speak of a rise
LATE = 50  # of the last answers it is asked whether they are another kind
RARE = 0.001  # asked at every turn, so rare by far


def plateau(
    rounds: Sequence[Mapping[str, Any]], serving: str | None, answers: int, new: int, patience: int
) -> str | None:
    """Why it rests, where the last `patience` rounds all lost to what is `serving`; `rounds`: the
    human ones that were judged, oldest first; `new` of the `answers` are in none of them."""
    last = rounds[-patience:]
    if patience < 1 or len(last) < patience:
        return None
    gains = [_lost_by(one["verdict"]) for one in last]
    known = [gain for gain in gains if gain is not None]
    versions = {one["verdict"].get("champion") for one in last}
    blind = int(last[0]["verdict"]["scores"]["holdout"]) if len(known) == patience else 0
    if blind < LEAST_BLIND or versions != {serving} or sum(known) / patience > WORTH:
        return None
    enough = ceil(GROWN * (answers - new))
    if answers >= enough:
        return None
    mean = sum(known) / patience
    return (
        f"the last {patience} rounds brought nothing ({mean:+.3f} on {blind} blind labels or "
        f"more); training rests until there are {enough} answers, corrections rise "
        "or a person asks"
    )


def _lost_by(verdict: Mapping[str, Any]) -> float | None:
    """The candidate's lead over the current adapter, where the gate kept it back."""
    looks = verdict.get("gate", {}).get("looks", [])
    champion = [one for one in looks if one["look"]["against"] == "champion"]
    if verdict.get("promoted") or not champion or all(one["passed"] for one in looks):
        return None
    return float(champion[0]["look"]["value"])


def drift(log: Log, project: str, schema: Schema, serving_since: datetime) -> str | None:
    """That people change what this adapter shows more often than they did at first, if they do."""
    dates = sorted(
        a.created_at for a in log.current_annotations(project) if a.created_at > serving_since
    )
    late = min(LATE, len(dates) // 2)
    if late < LEAST_SHOWN:
        return None
    whole = correction_rate(log, project, schema, after=serving_since)
    return rise(whole, correction_rate(log, project, schema, after=dates[-late - 1]))


def rise(whole: Rate, late: Rate) -> str | None:
    """`whole`: since the adapter serves, `late`: the last part of that. Fisher's exact test."""
    shown, changed = whole.shown - late.shown, whole.changed - late.changed
    if min(shown, late.shown) < LEAST_SHOWN or late.changed * shown <= changed * late.shown:
        return None
    p = luck(late.changed, late.shown, whole.changed, whole.shown)
    if p > RARE:
        return None
    return (
        f"corrections rose: {late.changed} of the last {late.shown} shown answers were changed, "
        f"{changed} of the {shown} before"
    )


def luck(late_hits: int, late: int, hits: int, whole: int) -> float:
    """How often chance alone puts so many of the `hits` among the `late` of all (Fisher)."""
    ways = range(late_hits, min(late, hits) + 1)
    rest = whole - hits
    return sum(comb(hits, k) * comb(rest, late - k) for k in ways) / comb(whole, late)
