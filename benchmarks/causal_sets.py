"""What `causal.py` measures: the data sets, the cells, and their order. Knows no model."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.sax.saxutils import quoteattr

from benchmarks.data import Split, load_split
from label_config.controls import Schema
from label_config.schema import read_schema
from label_config.values import Choice, Example, Region, Side, Span, Written
from lora.causal.prompt import VERSION
from lora.recipe import CAUSAL_FIT, FIT

Form = Literal["choice", "spans", "text"]
Kind = Literal["causal", "encoder", "copy", "naive", "nf4", "asked"]

ROWS = 300  # test rows of a set, the same for every cell
DRAWN = 4  # seed of that draw
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class DataSet:
    """One task. `control`: what it is called in the prompt, by the words of the data's README;
    `each`: test rows of a label (0: ROWS of all); `more`: numbers of examples beside 0 and 100;
    `beside`: what else is compared on it."""

    name: str
    data: str
    form: Form
    control: str
    each: int = 0
    more: tuple[int, ...] = ()
    beside: tuple[Kind, ...] = ()

    def schema(self, split: Split) -> Schema:
        """One control on one text."""
        name = f"name={quoteattr(self.control)} toName="
        if self.form == "text":
            inside = f'<TextArea {name}"text"/>'
        else:
            tag, child = ("Choices", "Choice") if self.form == "choice" else ("Labels", "Label")
            labels = split.labels if self.form == "choice" else split.spans
            values = "".join(f"<{child} value={quoteattr(label)}/>" for label in labels)
            inside = f'<{tag} {name}"text">{values}</{tag}>'
        return read_schema(f'<View><Text name="text" value="$text"/>{inside}</View>')

    def judged(self, split: Split) -> list[Mapping[str, Any]]:
        """The test rows: drawn once, whatever the seed of a cell."""
        rows = list(split.test)
        random.Random(DRAWN).shuffle(rows)
        if not self.each:
            return rows[:ROWS]
        taken: dict[str, list[Mapping[str, Any]]] = {label: [] for label in split.labels}
        for row in rows:
            if len(taken[row["label"]]) < self.each:
                taken[row["label"]].append(row)
        return [row for some in taken.values() for row in some]

    def examples(self, rows: Iterable[Mapping[str, Any]], side: Side) -> list[Example]:
        """Rows as examples, each a group of its own."""
        return [
            Example(name, i, name, side, {"text": row["text"]}, tuple(self._answers(row)))
            for i, row in enumerate(rows)
            for name in [f"{side}-{i:06}"]
        ]

    def _answers(self, row: Mapping[str, Any]) -> Iterator[Region]:
        if self.form == "choice":
            yield Choice(self.control, "text", (row["label"],))
        elif self.form == "text":
            yield Written(self.control, "text", row["target"])
        else:
            for s in row["spans"]:
                a, b = s["start"], s["end"]
                yield Span(self.control, "text", a, b, row["text"][a:b], (s["label"],))

    def load(self) -> Split:
        return load_split(self.data)


SETS = (
    DataSet("snips", "snips", "choice", "intent", more=(200, 50), beside=("naive", "nf4", "asked")),
    DataSet("disfl_qa", "disfl_qa", "text", "fluent question", more=(200, 50)),
    DataSet("snips slots", "snips", "spans", "slots"),
    DataSet("purchase_card", "purchase_card", "choice", "account"),
    DataSet("banking77", "banking77", "choice", "intent", each=4, beside=("naive", "asked")),
)
BY_NAME = {s.name: s for s in SETS}


@dataclass(frozen=True)
class Unit:
    """What is run in one go, in a process of its own: a set, a number of examples, a seed, and who
    answers. It leaves one cell for each of `methods`."""

    set: str
    n: int
    seed: int
    kind: Kind

    @property
    def key(self) -> str:
        return f"{self.set}/{self.n}/{self.seed}/{self.kind}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Of slots the answers with and without a grammar come from the adapter at hand, as those
        of 4 bits on both kinds of base do."""
        if self.kind == "causal" and BY_NAME[self.set].form == "spans" and self.seed == 0:
            return ("causal", "decoding")
        return ("nf4", "nf4 on bf16") if self.kind == "nf4" else (self.kind,)

    def cells(self) -> list[tuple[str, int, int, str]]:
        return [(self.set, self.n, self.seed, method) for method in self.methods]


def unit_of(key: str) -> Unit:
    """The unit of that key; SystemExit where there is none."""
    found = next((u for u in units() if u.key == key), None)
    if found is None:
        raise SystemExit(
            f"no cell {key!r}; a cell is SET/EXAMPLES/SEED/KIND, e.g. {units()[0].key}"
        )
    return found


def units(only: Sequence[str] = (), seeds: Sequence[int] = SEEDS) -> list[Unit]:
    """All units, the most telling ones first: all sets at 0 and 100 examples, then other numbers
    of examples, then what stands beside, for one seed after the other."""
    sets = [s for s in SETS if not only or s.name in only]
    made: list[Unit] = []
    for seed in seeds:
        for s in sets:
            made += [unit for n in (0, 100) for unit in _at(s, n, seed)]
        for n in (200, 50):
            made += [unit for s in reversed(sets) if n in s.more for unit in _at(s, n, seed)]
        if seed == 0:
            made += [Unit(s.name, 0, seed, "naive") for s in sets if "naive" in s.beside]
        kinds: tuple[Kind, ...] = ("asked", "nf4")
        for kind in kinds:
            made += [Unit(s.name, 100, seed, kind) for s in sets if kind in s.beside]
    return made


def _at(s: DataSet, n: int, seed: int) -> Iterator[Unit]:
    """Without examples only what reads the pool differs from seed to seed."""
    if n == 0 and seed != 0 and s.form != "choice":
        return
    yield Unit(s.name, n, seed, "causal")
    if s.form != "text":
        yield Unit(s.name, n, seed, "encoder")
    elif n == 0:
        yield Unit(s.name, n, seed, "copy")


def fit_of(name: str, n: int, method: str) -> str:
    """What a cell was made with: the fit's number, of a causal base the prompt's too. Fit 2 is
    fit 1 where nothing is lent (lora/causal/teacher.py): without examples, and without choices."""
    if method == "copy":
        return "-"
    lends = n > 0 and BY_NAME[name].form == "choice"
    fit = 1 if CAUSAL_FIT == 2 and not lends else CAUSAL_FIT
    return f"{FIT}" if method == "encoder" else f"{fit}, prompt {VERSION}"
