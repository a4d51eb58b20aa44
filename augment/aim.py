"""Who gets children: the budget goes to rows read wrongly or barely rightly, to rare labels
and to confused pairs. `uniform` is the baseline to beat, at equal budget.

Parents are human train rows: children have no children, and nothing of the holdout is a parent.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from augment.profile import Confusion, OutOfFold, Profile, margin, originals, profile
from augment.profile.rows import labels_of
from augment.standing import DEFAULT_SOURCES, Source
from label_config.controls import InvalidValue, Schema
from label_config.values import Example

MOST_EACH = 8
"""Children of one parent: by then they say little that is new."""


@dataclass(frozen=True)
class Plan:
    """`children`: by source, how many each parent (Example.id) gets; `why`: of each parent. `left`:
    of the budget, what nobody took. `barren`: labels of the config without a row, by control, which
    no child can help: they need a human answer."""

    children: Mapping[Source, Mapping[str, int]]
    why: Mapping[str, str] = field(default_factory=dict)
    left: int = 0
    barren: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(n for of in self.children.values() for n in of.values())

    def of(self, parent: str) -> int:
        """How many children a row gets over all sources."""
        return sum(of.get(parent, 0) for of in self.children.values())


def aim(
    examples: Sequence[Example],
    schema: Schema,
    budget: int,
    sources: Sequence[Source],
    out_of_fold: OutOfFold | None = None,
    seed: int = 0,
    only_errors: bool = False,
    most_each: int = MOST_EACH,
) -> Plan:
    """The budget by need; `only_errors`: nothing for rows read rightly (or not read at all).

    Need is the sum of three squares, so that it stays with few: how wrong the row is read, how rare
    its rarest label is, and how much of its label's probability goes to the label it is most taken
    for. Each lies in [0, 1]; their weights are equal because nothing measured says otherwise.
    """
    rows, predictions = originals(examples), out_of_fold or {}
    measured = profile(rows, schema, predictions)
    needs = _needs(rows, schema, predictions, measured)
    if only_errors:
        wrong = {e.id for e in rows if (margin(e, schema, predictions) or 0.0) < 0}
        needs = {i: need for i, need in needs.items() if i in wrong}
    elif all(need.weight == 0 for need in needs.values()):
        needs = {i: _Need(1.0, "like every row: none asks for more") for i in needs}
    barren = {
        control: tuple(label for label, n in counts.items() if n == 0)
        for control, counts in measured.labels.items()
    }
    return _plan(rows, schema, budget, sources, needs, barren, seed, most_each)


def uniform(
    examples: Sequence[Example],
    schema: Schema,
    budget: int,
    sources: Sequence[Source],
    seed: int = 0,
    most_each: int = MOST_EACH,
) -> Plan:
    """The same to every row; what does not divide goes to rows drawn by the seed."""
    rows = originals(examples)
    needs = {e.id: _Need(1.0, "like every row") for e in rows}
    return _plan(rows, schema, budget, sources, needs, {}, seed, most_each)


@dataclass(frozen=True)
class _Need:
    weight: float
    why: str


def _needs(
    rows: Sequence[Example], schema: Schema, out_of_fold: OutOfFold, measured: Profile
) -> dict[str, _Need]:
    taken: dict[tuple[str, str], Confusion] = {}
    for pair in measured.confusions:  # most mass first
        taken.setdefault((pair.control, pair.true), pair)
    needs = {}
    for e in rows:
        parts = [_reading(margin(e, schema, out_of_fold))]
        own = labels_of(e.answers)
        parts += sorted((_rarity(c, v, measured) for c, v in own), key=lambda n: -n.weight)[:1]
        parts += [
            _Need(p.mass**2, f"{p.true} is taken for {p.taken} with {p.mass:.2f}")
            for p in [taken[pair] for pair in own if pair in taken][:1]
        ]
        why = "; ".join(p.why for p in parts if p.weight > 0)
        needs[e.id] = _Need(math.fsum(p.weight for p in parts), why or "nothing asks for it")
    return needs


def _reading(safe: float | None) -> _Need:
    if safe is None:
        return _Need(0.0, "")
    how = "wrongly" if safe < 0 else "barely rightly" if safe < 0.5 else "rightly"
    return _Need(((1 - safe) / 2) ** 2, f"read {how} (margin {safe:+.2f})")


def _rarity(control: str, label: str, measured: Profile) -> _Need:
    """How far a label is below a fair share of its control's rows."""
    counts = measured.labels.get(control, {})
    seen = [n for n in counts.values() if n]
    if not counts.get(label):
        return _Need(0.0, "")
    fair = sum(seen) / len(seen)
    lack = max(0.0, 1 - counts[label] / fair)
    return _Need(lack**2, f"{label} has {counts[label]} rows, a fair share is {fair:.1f}")


def _plan(
    rows: Sequence[Example],
    schema: Schema,
    budget: int,
    sources: Sequence[Source],
    needs: Mapping[str, _Need],
    barren: Mapping[str, tuple[str, ...]],
    seed: int,
    most_each: int,
) -> Plan:
    if budget < 0 or most_each < 1:
        raise InvalidValue(f"a budget of {budget} and {most_each} children each cannot be planned")
    unknown = [s for s in sources if s not in DEFAULT_SOURCES]
    if unknown:
        raise InvalidValue(f"source(s) {unknown} are not known; {', '.join(DEFAULT_SOURCES)} are")
    ways = {e.id: [s for s in sources if fits(s, e, schema)] for e in rows if e.id in needs}
    weights = {i: needs[i].weight for i, fitting in ways.items() if fitting}
    shares = _shares(weights, budget, most_each, seed)
    children: dict[Source, dict[str, int]] = {s: {} for s in sources if s != "pool"}
    given: Counter[Source] = Counter()
    for parent, count in sorted(shares.items()):
        for _ in range(count):  # each to the source that has had least, so that all get their part
            source = min(ways[parent], key=lambda s: given[s])
            given[source] += 1
            children[source][parent] = children[source].get(parent, 0) + 1
    why = {parent: needs[parent].why for parent, count in shares.items() if count}
    told = {control: labels for control, labels in barren.items() if labels}
    return Plan(children, why, budget - sum(shares.values()), told)


def fits(source: Source, example: Example, schema: Schema) -> bool:
    """Whether a source can make something of a row at all. The pool has no parents, and of two
    texts that are compared nothing is made."""
    texts = [example.texts.get(key, "") for key in schema.keys]
    named = {r.from_name for r in example.answers}
    forms = {c.form for c in schema.controls if c.name in named}
    if "pair" in forms or not any(t.strip() for t in texts):
        return False
    if source == "substitute":
        figures = any(c.isdigit() for t in texts for c in t)
        return ("spans" in forms or figures) and not forms & {"number", "text"}
    if source == "generate":
        return bool(forms & {"one", "many", "ordinal", "spans"}) and not forms & {"number", "text"}
    if source == "inputs":
        return "text" in forms
    return source == "noise" or (source == "rewrite" and "text" not in forms)


def _shares(weights: Mapping[str, float], budget: int, most: int, seed: int) -> dict[str, int]:
    """Whole numbers in proportion to the weights, none above `most`; what is cut off there goes to
    the others. The largest remainders are rounded up, ties as the seed has it."""
    sharing = {i: w for i, w in weights.items() if w > 0}
    shares, room = dict.fromkeys(weights, 0), budget
    while sharing:
        each = room / math.fsum(sharing.values())
        over = [i for i, w in sharing.items() if w * each > most]
        if not over:
            break
        for i in over:
            shares[i] = most
            del sharing[i]
        room -= most * len(over)
    else:
        return shares
    shares |= {i: math.floor(w * each) for i, w in sharing.items()}
    order = sorted(sharing)
    random.Random(f"{seed}:aim").shuffle(order)  # nosec B311  # drawn again from a seed
    order.sort(key=lambda i: shares[i] - sharing[i] * each)
    for i in order[: room - sum(shares[i] for i in sharing)]:
        shares[i] += 1
    return shares
