"""What `augment.py` measures: the data sets, the modes, the cells, and their order. No model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from augment.guard.guard import ALWAYS, FILTERS
from augment.policy import HALF
from augment.standing import GENERATORS, Source
from augment.versions import versions
from benchmarks.causal_sets import BY_NAME as CAUSAL_SETS
from benchmarks.causal_sets import DataSet
from benchmarks.data import data_digest
from lora.recipe import FIT

Kind = Literal["first", "written", "judge", "ratios", "ablations"]
Key = tuple[str, int, int, str, float]
"""Set, examples, seed, mode, ratio."""

SEEDS = (0, 1, 2, 3, 4)
EXAMPLES, MORE = 50, 100
RATIO, RATIOS = 3.0, (1.0, 5.0, 10.0)
SOURCES: tuple[Source, ...] = ("noise", "substitute", "rewrite", "generate")
"""All that fit a set; `inputs` fits none, since in none is a text the answer."""

SETS = (
    CAUSAL_SETS["snips"],
    CAUSAL_SETS["purchase_card"],
    CAUSAL_SETS["snips slots"],
    CAUSAL_SETS["banking77"],
    DataSet("mts_notes", "mts_notes", "choice", "section"),
    DataSet("cuad_clauses", "cuad_clauses", "choice", "clause"),
)
BY_NAME = {s.name: s for s in SETS}
CLOSER = ("snips", "purchase_card")  # with other ratios, 100 examples, and filters left out
SWITCHABLE = tuple(name for name in FILTERS if name not in ALWAYS)


@dataclass(frozen=True)
class Mode:
    """What is learned from beside the human rows and the label names. `pool`: texts without labels
    are lent; `aimed`: by need, else the same to every row; `off`: filters left out."""

    name: str
    sources: tuple[Source, ...] = ()
    pool: bool = False
    aimed: bool = True
    off: frozenset[str] = frozenset()

    @property
    def writes(self) -> bool:
        """Whether a generator is asked."""
        return bool(GENERATORS & set(self.sources))


FIRST = (
    Mode("none"),
    Mode("pool", pool=True),
    Mode("noise", ("noise",)),
    Mode("substitute", ("substitute",)),
    Mode("all", SOURCES, pool=True),
)
WRITTEN = (
    Mode("generate", ("generate",)),
    Mode("rewrite", ("rewrite",)),
    Mode("uniform", SOURCES, pool=True, aimed=False),
)
ABLATIONS = (
    *(Mode(f"without {f}", SOURCES, pool=True, off=frozenset({f})) for f in SWITCHABLE),
    Mode("without guard", SOURCES, pool=True, off=frozenset(SWITCHABLE)),
)
JUDGE = Mode("judge", SOURCES, pool=True)
"""No training: what one who learned from the full train set says of the children of `all`."""
MODES = {m.name: m for m in (*FIRST, *WRITTEN, *ABLATIONS, JUDGE)}


@dataclass(frozen=True)
class Unit:
    """What is run in one go, in a process of its own; it leaves one cell for each of `asked`."""

    set: str
    n: int
    seed: int
    kind: Kind

    @property
    def key(self) -> str:
        return f"{self.set}/{self.n}/{self.seed}/{self.kind}"

    @property
    def asked(self) -> tuple[tuple[Mode, float], ...]:
        """Modes with their ratios."""
        if self.kind == "ratios":
            more = [(MODES["all"], ratio) for ratio in (RATIO, *RATIOS)]
            return (*more[1:],) if self.n == EXAMPLES else ((MODES["pool"], 0.0), *more)
        some = {"first": FIRST, "written": WRITTEN, "judge": (JUDGE,), "ablations": ABLATIONS}
        return tuple((m, RATIO if m.sources else 0.0) for m in some[self.kind])

    def cells(self) -> list[Key]:
        return [(self.set, self.n, self.seed, m.name, ratio) for m, ratio in self.asked]


def units(only: Sequence[str] = (), seeds: Sequence[int] = SEEDS) -> list[Unit]:
    """All units, the most telling ones first: each seed on all sets, then how many children carry
    their label, then other ratios and numbers of examples, then what each filter is worth."""
    sets = [s.name for s in SETS if not only or s.name in only]
    closer = [name for name in CLOSER if name in sets]
    kinds: tuple[Kind, ...] = ("first", "written")
    made = [Unit(name, EXAMPLES, seed, kind) for seed in seeds for kind in kinds for name in sets]
    made += [Unit(name, EXAMPLES, seed, "judge") for seed in seeds for name in sets]
    for n in (EXAMPLES, MORE):
        made += [Unit(name, n, seed, "ratios") for seed in seeds for name in closer]
    made += [Unit(name, EXAMPLES, seed, "ablations") for seed in seeds for name in closer]
    return made


def unit_of(key: str) -> Unit:
    """The unit of that key; SystemExit where there is none."""
    found = next((u for u in units() if u.key == key), None)
    if found is None:
        raise SystemExit(
            f"no cell {key!r}; a cell is SET/EXAMPLES/SEED/KIND, e.g. {units()[0].key}"
        )
    return found


def written_plans(n: int) -> list[tuple[Mode, float]]:
    """All plans that ask a generator, in the order in which they may claim its answers."""
    whole = MODES["all"]
    first = [(whole, RATIO)]
    if n == EXAMPLES:
        first += [(mode, RATIO) for mode in WRITTEN]
    return [*first, *((whole, ratio) for ratio in RATIOS)]


def weight(ratio: float) -> float:
    """Of a child in the loss, as the policy would have it."""
    return min(HALF, 1 / ratio) if ratio else 0.0


def blind_of(n: int) -> int:
    """Examples that are kept apart to judge on: a fifth of all answers, `n` the other four."""
    return math.ceil(n / 4)


def made_with(name: str, mode: str, generator: str) -> str:
    """What a cell of a set was made with: another one is run again."""
    m, learned = MODES[mode], f"fit {FIT}, data {data_digest(BY_NAME[name].data)}"
    if not m.sources:
        return learned
    by = f", {generator}" if m.writes else ""
    return f"{learned}, {versions()}{by}"
