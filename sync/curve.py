"""The learning curve: how right a project's rounds were on its blind answers, and what the next
answers would bring.

A round's score is its candidate's on the blind rows of that day. Through the scores goes an inverse
power law, score = a - b * answers ** -c with a at most 1 (Hestness et al. 2017, arXiv:1712.00409).
The interval of what comes draws groups of blind rows anew, the same ones for all rounds, since
these share them, and adds what is left over beside the law as noise of the trainings. Where that
says next to nothing, nothing is said but why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sync.challenge import is_challenger
from sync.log import Log

if TYPE_CHECKING:
    from lora.paired import Floats

AHEAD = 100  # answers
LEAST_ROUNDS = 5  # through fewer a law of three numbers goes anyhow
LEAST_BLIND = 10  # rows; a round with fewer is left out
GROWN = 2.0  # times the answers of the first round at the last
WIDE = 0.1  # of a score: an interval this wide says nothing
MOST_ROUNDS = 40
DRAWS = 400
POWERS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.4, 1.8)


@dataclass(frozen=True)
class Point:
    """A round: its human answers (`blind` of them judged), the candidate's score, the interval."""

    labels: int
    blind: int
    value: float
    low: float
    high: float
    version: str | None
    promoted: bool


@dataclass(frozen=True)
class Ahead:
    """What `labels` more answers would add to the score, by the law and its interval."""

    labels: int
    gain: float
    low: float
    high: float
    score: float


@dataclass(frozen=True)
class Curve:
    """`why`: the reason where nothing is told of what comes; `law`: a, b and c."""

    project: str
    points: tuple[Point, ...]
    ahead: Ahead | None
    why: str | None
    law: tuple[float, float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """For `annotune status`."""
        if not self.points:
            return f"nothing to tell yet: {self.why}"
        last = self.points[-1]
        here = f"{_percent(last.value)} [{_percent(last.low)}, {_percent(last.high)}] on "
        here += f"{last.blind} blind answers after {last.labels} answers in all"
        if self.ahead is None:
            return f"{here}; what {AHEAD} more would bring cannot be told: {self.why}"
        a = self.ahead
        return (
            f"{here}; {a.labels} more would bring about {_points(a.gain)} "
            f"[{_points(a.low)}, {_points(a.high)}]"
        )

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"project {self.project}, the candidates' scores on blind answers (95 % intervals):"
        for p in self.points:
            word = "promoted" if p.promoted else "kept back"
            told = f"{_percent(p.value):>7} [{_percent(p.low)}, {_percent(p.high)}]"
            yield f"  {p.labels:6} answers  {told:24} {p.blind:5} blind  {p.version or '-'} {word}"
        yield f"  {self.sentence}"


def curve_of(log: Log, project: str) -> Curve:
    """A project's curve as its log has it."""
    rounds = comparable(log.rounds(project))
    rows = {row for r in rounds for row in _right(r)}
    return curve(project, rounds, groups_of(log, project, rows))


def groups_of(log: Log, project: str, rows: Collection[str]) -> Mapping[str, str]:
    """Of rows named after their annotation; those that are gone since are left out."""
    if not rows:
        return {}
    said = {f"annotation-{a.id}": a.task for a in log.current_annotations(project)}
    kept = {row: said[row] for row in rows if row in said}
    groups = {t.id: t.place.group for t in log.tasks(project, sorted(set(kept.values())))}
    return {row: groups[task] for row, task in kept.items() if task in groups}


def curve(project: str, rounds: Sequence[Mapping[str, Any]], groups: Mapping[str, str]) -> Curve:
    """Of the log's rounds, oldest first. `groups`: of blind rows, near-duplicates together; a row
    that is not in it stands alone."""
    told = comparable(rounds)
    if not told:
        return Curve(project, (), None, f"no round was judged on {LEAST_BLIND} blind answers yet")
    import numpy as np  # here: whoever only imports us needs none of it

    table = _Table(told, groups)
    values, drawn = table.values, table.drawn()
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    points = tuple(
        _point(r, float(values[i]), float(low[i]), float(high[i])) for i, r in enumerate(told)
    )
    first, last = points[0].labels, points[-1].labels
    if len(points) < LEAST_ROUNDS:
        why = f"{len(points)} rounds were judged, {LEAST_ROUNDS} are needed"
    elif last < GROWN * first:
        why = f"from {first} to {last} answers is too short a way, {GROWN:g} times as many needed"
    else:
        return _ahead(Curve(project, points, None, None), values, drawn)
    return Curve(project, points, None, why)


def _point(r: Mapping[str, Any], value: float, low: float, high: float) -> Point:
    """`low`, `high`: by the draws, in which of all or none right nothing ever changes; where it is
    one share of rows, Wilson's interval is never narrower than that."""
    from lora.paired import wilson

    verdict = r["verdict"]
    blind = int(verdict["scores"]["holdout"])
    least = wilson(value, blind) if value in (0.0, 1.0) else (value, value)
    return Point(
        int(verdict["labels"]),
        blind,
        value,
        min(low, *least),
        max(high, *least),
        verdict.get("version"),
        bool(verdict.get("promoted")),
    )


def comparable(rounds: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The judged rounds of human rows alone, under the base and controls of the last one; of
    several with as many answers (asked for again, say, or another seed) the last."""
    judged = [r for r in rounds if r["state"] == "settled" and not is_challenger(r) and _right(r)]
    kept: dict[int, Mapping[str, Any]] = {}
    for r in judged:
        if _kind(r) == _kind(judged[-1]) and int(r["verdict"]["scores"]["holdout"]) >= LEAST_BLIND:
            kept[int(r["verdict"]["labels"])] = r
    return [kept[labels] for labels in sorted(kept)][-MOST_ROUNDS:]


def _right(r: Mapping[str, Any]) -> Mapping[str, Any]:
    """Each blind row's marks of a round's candidate; empty where there are none."""
    scores = (r["verdict"] or {}).get("scores") or {}
    found: Mapping[str, Any] = (scores.get("candidate") or {}).get("right") or {}
    return found if "labels" in r["verdict"] and "holdout" in scores else {}


def _kind(r: Mapping[str, Any]) -> tuple[Any, ...]:
    controls = r["verdict"]["scores"]["candidate"]["controls"]
    judged = sorted((name, c["metric"]) for name, c in controls.items() if c["n"])
    return (r["report"].get("base", ""), *judged)


class _Table:
    """The rounds' marks by group of blind rows."""

    def __init__(self, rounds: Sequence[Mapping[str, Any]], groups: Mapping[str, str]) -> None:
        from lora.paired import table_of

        marks = [_right(r) for r in rounds]
        rows = {row for some in marks for row in some}
        known = {row: groups.get(row, row) for row in rows}
        names = {name: i for i, name in enumerate(sorted(set(known.values())))}
        self._count = len(names)
        self._tables: list[list[tuple[str, Floats]]] = []
        for r, some in zip(rounds, marks, strict=True):
            controls = r["verdict"]["scores"]["candidate"]["controls"]
            tables: list[tuple[str, Floats]] = []
            for name, c in controls.items():
                own = sorted(row for row, of in some.items() if name in of)
                if own:
                    table = table_of([some], name, c["metric"], own, known, names)[0]
                    tables.append((c["metric"], table))
            self._tables.append(tables)

    @property
    def values(self) -> Floats:
        import numpy as np

        (found,) = self._scores(np.ones((1, self._count)))
        whole: Floats = found
        return whole

    def drawn(self) -> Floats:
        """[DRAWS, rounds], the same groups for all rounds of a draw; one in which a round has no
        row counts as what was seen."""
        import numpy as np

        chances = np.full(self._count, 1 / self._count)
        counts = np.random.default_rng(0).multinomial(self._count, chances, DRAWS)
        found = self._scores(counts.astype(np.float64))
        whole: Floats = np.where(np.isfinite(found), found, self.values)
        return whole

    def _scores(self, counts: Floats) -> Floats:
        import numpy as np

        from lora.paired import score_of

        columns = [
            np.mean([score_of(metric, counts @ table) for metric, table in tables], axis=0)
            for tables in self._tables
        ]
        found: Floats = np.stack(columns, axis=1)
        return found


def _ahead(known: Curve, values: Floats, drawn: Floats) -> Curve:
    import numpy as np

    at = np.array([p.labels for p in known.points], dtype=np.float64)
    blind = np.array([p.blind for p in known.points], dtype=np.float64)
    shares = (values * blind + 2) / (blind + 4)  # of all or none right the draws know no variance
    weight = 1 / np.maximum(drawn.var(axis=0), shares * (1 - shares) / (blind + 4))
    (law,) = fitted(at, values[None], weight)
    beside = values - _of(law[None], at)[0]
    spread = float(np.sqrt((beside**2).sum() / max(1, len(at) - 3)))
    noise = np.random.default_rng(1).normal(0.0, spread, drawn.shape)
    laws = fitted(at, drawn + noise, weight)
    ends = np.array([at[-1], at[-1] + AHEAD])
    here, there = _of(law[None], ends)[0]
    gains = np.diff(_of(laws, ends), axis=1)[:, 0]
    low, high = (float(v) for v in np.quantile(gains, [0.025, 0.975]))
    a, b, c = (float(v) for v in law)
    if high - low > WIDE:
        why = f"the interval, {_points(low)} to {_points(high)}, is too wide to say anything"
        return Curve(known.project, known.points, None, why, (a, b, c))
    gain = float(there - here)
    ahead = Ahead(AHEAD, gain, min(low, gain), max(high, gain), float(there))
    return Curve(known.project, known.points, ahead, None, (a, b, c))


def fitted(at: Floats, scores: Floats, weight: Floats) -> Floats:
    """[draws, 3]: a, b, c of each row of `scores` [draws, rounds] by weighted least squares, with
    a at most 1 and b at least 0. For each of POWERS the best a and b are known in closed form."""
    import numpy as np

    share = weight / weight.sum()
    best: Floats = np.full(len(scores), np.inf)
    found: Floats = np.zeros((len(scores), 3))
    for power in POWERS:
        x = -(at**-power)
        for a, b in _lines(x, scores, share):
            left = ((a[:, None] + b[:, None] * x - scores) ** 2 * share).sum(axis=1)
            allowed = (a <= 1 + 1e-9) & (b >= -1e-12)
            better = allowed & (left < best)
            best = np.where(better, left, best)
            found[better] = np.stack([a, b, np.full(len(a), power)], axis=1)[better]
    return found


def _lines(x: Floats, scores: Floats, share: Floats) -> Iterator[tuple[Floats, Floats]]:
    """The best line, and the best on each bound: one of these is the best within both."""
    import numpy as np

    mean_x, mean_y = float((x * share).sum()), (scores * share).sum(axis=1)
    b = ((scores - mean_y[:, None]) * (x - mean_x) * share).sum(axis=1)
    b = b / float(((x - mean_x) ** 2 * share).sum())
    yield mean_y - b * mean_x, b
    yield np.minimum(mean_y, 1.0), np.zeros(len(scores))
    up = ((scores - 1.0) * x * share).sum(axis=1) / float((x**2 * share).sum())
    yield np.ones(len(scores)), np.maximum(up, 0.0)


def _of(laws: Floats, at: Floats) -> Floats:
    """[laws, at]"""
    found: Floats = laws[:, [0]] - laws[:, [1]] * at[None, :] ** -laws[:, [2]]
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"
