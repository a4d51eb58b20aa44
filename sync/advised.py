"""Which kind of base a project wants, by its config, its tasks, and the machine it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from label_config import Schema
from label_config.controls import BaseKind
from label_config.values import Task
from label_config.wire import task_texts
from lora.advise import Advice, Facts, Machine, advise
from lora.errors import BaseUnavailable
from lora.recipe import kind_of
from settings import Settings
from sync.terms import Terms, allowed_bases, whole_schema


@dataclass(frozen=True)
class Advised:
    """The advice, what it goes by, and the base that the project has now."""

    advice: Advice
    facts: Facts
    base: str
    kind: BaseKind | None

    def to_dict(self) -> dict[str, Any]:
        """`found`: the machine; `sizes`: labels, answers and texts, null where not known."""
        f = self.facts
        sizes = {"labels": f.labels, "answers": f.answers, "text": f.text, "longest": f.longest}
        found = {"found": asdict(f.machine), "sizes": sizes}
        return {**self.advice.to_dict(), "now": {"base": self.base, "kind": self.kind}, **found}

    def lines(self) -> list[str]:
        """The same for people."""
        lines = [*self.advice.lines(), f"found: {self.facts.machine.words()}"]
        if self.advice.kind and self.kind and self.advice.kind != self.kind:
            lines.append(f"    now: {self.base}, which is no {self.advice.kind} base")
        return lines


def advise_on(
    settings: Settings,
    terms: Terms,
    machine: Machine,
    some: Sequence[Task] = (),
    answers: int | None = None,
) -> Advised:
    """`settings`: as ops have them; `some`: tasks whose texts are measured, without fetching those
    that are addresses."""
    whole = whole_schema(settings, terms.config)
    sizes = [] if terms.fetches else sorted(_size(whole, task) for task in some)
    kinds = {base: _kind(base) for base in allowed_bases(settings)}
    bases: dict[BaseKind, list[str]] = {}
    for base, kind in kinds.items():
        if kind is not None:
            bases.setdefault(kind, []).append(base)
    facts = Facts(
        forms={c.name: c.form for c in whole.controls},
        machine=machine,
        labels=max((len(c.labels) for c in whole.controls), default=0),
        answers=answers,
        text=round(median(sizes)) if sizes else None,
        longest=sizes[-1] if sizes else None,
        bases=bases,
    )
    return Advised(advise(facts), facts, terms.base, kinds.get(terms.base))


def _size(schema: Schema, task: Task) -> int:
    """Code points of a task's texts."""
    return sum(map(len, task_texts(schema, task.data).by_key.values()))


def _kind(base: str) -> BaseKind | None:
    """None where the base is not here to be asked; training, and serving, will say so."""
    try:
        return kind_of(base)
    except BaseUnavailable:
        return None
