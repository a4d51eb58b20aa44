"""An encoder that learns from the same rows reads the pool for a causal base's choices.

With few examples it is the better reader of one label of several (docs/benchmarks.md), so what it
says to texts that nobody has answered is lent to the causal fit, beside people's rows: a larger
student learns from a small teacher's answers (pseudo-labels, Lee 2013; distillation, Hinton et al.
2015, arXiv:1503.02531). Made anew in every training and never stored as labels; not where rows
that were held back speak against the teacher, as they would beside a base that knows more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from label_config.controls import Control, Schema
from label_config.values import Choice, Example, Inputs, Origin
from lora.answer import answer
from lora.base import Base, load_base, pick_device
from lora.causal.rows import BORROWED
from lora.errors import LoraError
from lora.examples import chosen
from lora.fit import fit, write_adapter
from lora.loaded import open_folder, ready
from lora.network import Network
from lora.recipe import kind_of
from lora.store import STAGING
from settings import Train

CHUNK = 64  # texts that are answered together
LUCK = 1.5  # held rows: by fewer the causal fit is not shown to know better
FEWEST = 5  # held rows that answer a control, below which nobody is shown to read it

Said = Mapping[str, Choice]
"""By control what is answered."""


class Teacher(Protocol):
    """Learns from examples, and answers others. Raises LoraError where it is not to be had."""

    name: str

    def __call__(
        self, controls: Sequence[Control], rows: Sequence[Example], asked: Sequence[Inputs]
    ) -> list[Said]: ...


@dataclass(frozen=True)
class Lent:
    """Examples that nobody answered, the controls that they answer (of others they say nothing, not
    even that there is none), and what was decided, in words."""

    examples: tuple[Example, ...] = ()
    controls: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def lend(
    teacher: Teacher,
    schema: Schema,
    human: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    held: Collection[str],
    right: Mapping[str, float],
) -> Lent:
    """The pool's texts with the teacher's answers.

    `held`: groups of `human` that the causal base's first fit did not see; `right`: by control the
    share of their rows that it answered rightly then.
    """
    apart = [e for e in human if e.group in held]
    rest = [e for e in human if e.group not in held]

    def known(c: Control) -> bool:
        few = sum(bool(chosen(c, e)) for e in apart) < FEWEST
        return c.name in right and taught(c) and not few and any(chosen(c, e) for e in rest)

    controls = [c for c in schema.controls if known(c)]
    if not controls or not pool:
        return Lent()
    try:
        said = teacher(controls, rest, [e.inputs for e in apart])
        good, notes = [], []
        for c in controls:
            gold = [(chosen(c, e), s) for e, s in zip(apart, said, strict=True) if chosen(c, e)]
            hits = sum(c.name in s and s[c.name].labels == (c.values[g[0]],) for g, s in gold)
            reads = hits >= right[c.name] * len(gold) - LUCK
            good += [c] if reads else []
            counts = f"{hits} of {len(gold)} held back right, this base {right[c.name]:.0%} of them"
            what = "reads the pool" if reads else "does not read the pool"
            notes.append(f"{c.name}: {teacher.name} {what} for it, with {counts}")
        if not good:
            return Lent(notes=tuple(notes))
        texts = [Inputs(dict(text)) for text in pool]
        answers = [
            tuple(s[c.name] for c in good if c.name in s) for s in teacher(good, human, texts)
        ]
    except LoraError as error:
        return Lent(notes=(f"nothing is lent: {error}",))
    origin = Origin("synthetic", transform=BORROWED, generator=teacher.name)
    made = tuple(
        Example(f"lent-{i:06}", 0, f"lent {i}", "train", text.texts, regions, origin)
        for i, (text, regions) in enumerate(zip(texts, answers, strict=True))
        if regions
    )
    return Lent(made, frozenset(c.name for c in good), tuple(notes))


def taught(control: Control) -> bool:
    """One label of several that the label config names."""
    return control.form == "one" and control.options is None


@dataclass(frozen=True)
class EncoderTeacher:
    """The encoder `settings.teacher`, fitted as it would be for its own sake. `pool`: what it may
    borrow from; `out`: beside it are its files for a moment, swept as unfinished adapters are."""

    schema: Schema
    pool: Sequence[Mapping[str, str]]
    settings: Train
    out: Path

    @property
    def name(self) -> str:
        return self.settings.teacher

    @cached_property
    def _base(self) -> Base:
        if kind_of(self.name) != "encoder":
            raise LoraError(f"ANNOTUNE_TRAIN_TEACHER={self.name!r} is no encoder")
        device = pick_device(self.settings.device)
        return load_base(self.name, threads=self.settings.threads, device=device)

    def __call__(
        self, controls: Sequence[Control], rows: Sequence[Example], asked: Sequence[Inputs]
    ) -> list[Said]:
        names = {c.name for c in self.schema.controls} - {c.name for c in controls}
        schema = self.schema.without(names, "another teaches it", "none")
        own = self.settings
        how = Train(base=self.name, seed=own.seed, threads=own.threads, device=own.device)
        made = fit(self._base, schema, rows, self.pool, how)
        network = Network(self._base)
        with tempfile.TemporaryDirectory(prefix=f"{STAGING}teacher-", dir=self.out.parent) as place:
            folder = Path(place) / "teacher"
            folder.mkdir()
            write_adapter(folder, made)
            loaded = ready(network, open_folder(network, folder, self.name, schema.digest), schema)
        found: list[Said] = []
        for first in range(0, len(asked), CHUNK):
            for one in answer(network, loaded, asked[first : first + CHUNK]):
                found.append({r.from_name: r for r in one.regions if isinstance(r, Choice)})
        return found
