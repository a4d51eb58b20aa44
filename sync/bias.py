"""The bias meter: do people judge what they are shown, or let it stand?

Blind answers say how often a version is really wrong; if people change what it shows less often
than that, errors stay. What is shown first is what the model is least sure of, so a fair reader
changes shown answers more often than blind ones would have it: the gap is at least what it seems.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist, median
from typing import Any

from sync.readings import Reading, rate_of
from sync.resting import LATE, LEAST_SHOWN, luck

LEAST_TIMES = 10  # blind answers with a time, to say what is quick
QUICK = 1 / 3  # of the median time of a blind answer: too quick to have been read as one is
RARE = 0.01  # shown to people who look once a day or so


@dataclass(frozen=True)
class Quick:
    """Unchanged accepts faster than `below` seconds, of the last shown answers and before."""

    below: float
    late: int
    of_late: int
    before: int
    of_before: int


def meter(readings: Sequence[Reading], rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The meter as plain values; `readings`: every current answer, oldest first; `rounds`: the
    log's. `warnings` are sentences."""
    shown = [r for r in readings if not r.blind_task and r.seen is not None and r.readable]
    blind = [r for r in readings if r.blind_task and r.alone]
    accepted = [r for r in shown if r.accepted]
    rate = rate_of(readings)
    expected = expected_changes(shown, rounds)
    quick = quick_accepts(shown, blind)
    warnings = [w for w in (_lenient(expected), _rising(quick)) if w]
    return {
        "shown": {"answers": rate.shown, "changed": rate.changed, "rate": rate.value},
        "blind": {"answers": len(blind)},
        "independent": sum(r.independent for r in readings),
        "accepted": len(accepted),
        "expected": expected,
        "seconds": {
            "blind": typical(blind),
            "accepted": typical(accepted),
            "changed": typical(r for r in shown if r.changed),
        },
        "quick": asdict(quick) if quick else None,
        "warnings": warnings,
    }


def typical(readings: Iterable[Reading]) -> float | None:
    """The median of their times, in seconds."""
    times = [t for r in readings if (t := r.annotation.lead_time) is not None and t > 0]
    return median(times) if times else None


def expected_changes(
    shown: Sequence[Reading], rounds: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """How many of the shown answers were changed, and how many would have been, had people found
    the versions' errors as often as blind answers have them; of versions with a verdict alone."""
    errors = _errors(rounds)
    known = [(r, errors[v]) for r in shown if (v := _plain(r.version)) in errors]
    if not known:
        return None
    answers, changed = len(known), sum(r.changed for r, _ in known)
    share = sum(wrong / rows for _, (wrong, rows) in known) / answers
    rows = max(rows for _, (_, rows) in known)
    spread = sqrt(share * (1 - share) * (1 / answers + 1 / rows))
    p = NormalDist().cdf((changed / answers - share) / spread) if spread else 1.0
    return {
        "answers": answers,
        "changed": changed,
        "rate": changed / answers,
        "blind_rate": share,
        "blind_rows": rows,
        "p": p,
    }


def _plain(version: str | None) -> str:
    """A version as verdicts name it; any cold start is `cold`."""
    name = (version or "").partition("+")[0]
    return "cold" if name.startswith("cold-") else name


def _errors(rounds: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """By version: blind rows it was wrong about in anything, and all it was judged on; the last
    verdict that judged it counts."""
    found: dict[str, tuple[int, int]] = {}
    for one in rounds:
        verdict = one["verdict"] or {}
        scores = verdict.get("scores") or {}
        for name, who in ((verdict.get("version"), "candidate"), ("cold", "cold")):
            marks = (scores.get(who) or {}).get("right") or {}
            rows = [m for m in marks.values() if m]
            if name and rows:
                found[str(name)] = (sum(not _whole(m) for m in rows), len(rows))
    return found


def _whole(marks: Mapping[str, Sequence[float]]) -> bool:
    """Whether nothing of a row was wrong: one mark each, or of spans [true, false, missed]."""
    return all(sum(m[1:]) == 0 if len(m) > 1 else m[0] >= 1 for m in marks.values())


def quick_accepts(shown: Sequence[Reading], blind: Sequence[Reading]) -> Quick | None:
    """Accepts too quick to have been read, among the last answers and before; None where too few
    blind answers say how long reading takes."""
    times = [t for r in blind if (t := r.annotation.lead_time) is not None and t > 0]
    if len(times) < LEAST_TIMES:
        return None
    below = QUICK * median(times)
    timed = [r for r in shown if r.annotation.lead_time is not None]
    late = min(LATE, len(timed) // 2)
    hits = [r.accepted and (r.annotation.lead_time or 0.0) < below for r in timed]
    before = len(timed) - late
    return Quick(below, sum(hits[before:]), late, sum(hits[:before]), before)


def _lenient(expected: Mapping[str, Any] | None) -> str | None:
    if expected is None or min(expected["answers"], expected["blind_rows"]) < LEAST_SHOWN:
        return None
    if expected["rate"] >= expected["blind_rate"] or expected["p"] > RARE:
        return None
    return (
        f"people may let errors stand: they changed {_per_cent(expected['rate'])} of "
        f"{expected['answers']} answers shown to them, and the same versions are wrong in "
        f"{_per_cent(expected['blind_rate'])} of the blind answers"
    )


def _rising(quick: Quick | None) -> str | None:
    if quick is None or min(quick.of_late, quick.of_before) < LEAST_SHOWN:
        return None
    if quick.late * quick.of_before <= quick.before * quick.of_late:
        return None
    whole = quick.of_late + quick.of_before
    if luck(quick.late, quick.of_late, quick.late + quick.before, whole) > RARE:
        return None
    return (
        f"quick accepts rise: {quick.late} of the last {quick.of_late} shown answers were left as "
        f"they were within {quick.below:.1f} s, {quick.before} of the {quick.of_before} before"
    )


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %"


def by_annotator(
    readings: Sequence[Reading], quick: Mapping[str, Any] | None
) -> dict[int, dict[str, Any]]:
    """Of each annotator: answers, shown ones and how many changed, quick accepts, median time."""
    below = float(quick["below"]) if quick else 0.0
    found: dict[int, dict[str, Any]] = {}
    for who in sorted({a for r in readings if (a := r.annotation.author) is not None}):
        own = [r for r in readings if r.annotation.author == who]
        shown = [r for r in own if not r.blind_task and r.seen is not None and r.readable]
        times = [t for r in shown if r.accepted and (t := r.annotation.lead_time) is not None]
        found[who] = {
            "answers": len(own),
            "independent": sum(r.independent for r in own),
            "shown": len(shown),
            "changed": sum(r.changed for r in shown),
            "quick": sum(t < below for t in times) if quick else None,
            "seconds": typical(own),
        }
    return found
