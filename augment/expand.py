"""A plan becomes candidates: each source is asked for as many children as the plan gives it.

Nothing is judged here; that is the guard's. The same plan, rows and seed give the same candidates,
and the same prompts to writers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from augment.aim import Plan
from augment.profile import Profile, originals, rates
from augment.prompts import Brief, Guidance, write_brief
from augment.sources import generate, inputs, rewrite
from augment.sources.noise import Rates, noise
from augment.sources.substitute import forms_of, substitute
from augment.standing import GENERATORS, Source
from augment.values import Generate, Made, Prompt
from label_config.controls import InvalidValue, Schema
from label_config.values import Example

Read = Callable[[Example, Schema, Prompt, str, str | None], Made | None]


@dataclass(frozen=True)
class Question:
    """A prompt with what led to it and who reads the answer."""

    source: Source
    parent: Example
    brief: Brief
    prompt: Prompt


@dataclass(frozen=True)
class Candidates:
    """What was made. `asked`: prompts by their digest; `missing`: by source, the children that were
    planned and not made: the draw changed nothing, a text cannot be asked for, or the answer was
    no text of that kind."""

    made: tuple[Made, ...]
    asked: Mapping[str, Prompt] = field(default_factory=dict)
    briefs: Mapping[str, Brief] = field(default_factory=dict)
    missing: Mapping[Source, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """What children are made of. `guidance`: what experts wrote for a generator (prompts.py);
    `chat`: the writer follows messages instead of going on from texts."""

    examples: Sequence[Example]
    schema: Schema
    profile: Profile
    seed: int = 0
    guidance: Guidance = field(default_factory=dict)
    chat: bool = False


def questions(plan: Plan, rows: Rows) -> list[Question]:
    """What writers will be asked, in an order that depends on the plan alone."""
    parents = {e.id: e for e in originals(rows.examples)}
    found: list[Question] = []
    for source in sorted(GENERATORS & plan.children.keys()):
        for parent, count in sorted(plan.children[source].items()):
            for n in range(count):
                question = _question(source, parents[parent], rows, _seed(rows.seed, n))
                found += [question] if question else []
    return found


def make(
    plan: Plan, rows: Rows, writer: Generate | None = None, writer_name: str | None = None
) -> Candidates:
    """The candidates of a plan. Raises InvalidValue where it asks for writing and nobody writes."""
    made = list(_drawn(plan, rows))
    asked = questions(plan, rows)
    if asked and writer is None:
        raise InvalidValue(
            f"the plan asks for {len(asked)} written texts, and no generator is at hand"
        )
    answers = writer([q.prompt for q in asked]) if asked and writer else iter(())
    for question, text in zip(asked, answers, strict=True):
        child = _read(question, rows.schema, text, writer_name)
        made += [child] if child else []
    return Candidates(
        tuple(made),
        {q.prompt.digest: q.prompt for q in asked},
        {q.prompt.digest: q.brief for q in asked},
        _missing(plan, made),
    )


def _seed(seed: int, n: int) -> int:
    """Of a parent's n-th child: none shared with another run's neighbour."""
    return seed * 1000 + n


def _drawn(plan: Plan, rows: Rows) -> Iterator[Made]:
    """Children that need no writer."""
    parents = {e.id: e for e in originals(rows.examples)}
    habits = Rates(**rates(rows.profile.style))
    words = frozenset(w for e in parents.values() for t in e.texts.values() for w in _words(t))
    forms = forms_of(list(parents.values()), rows.schema)
    for source, counts in sorted(plan.children.items()):
        if source in GENERATORS:
            continue
        for parent, count in sorted(counts.items()):
            for n in range(count):
                rng = random.Random(f"{_seed(rows.seed, n)}:{source}:{parent}")  # nosec B311  # drawn again from a seed
                if source == "noise":
                    child = noise(parents[parent], rows.schema, habits, rng, words)
                else:
                    child = substitute(parents[parent], rows.schema, forms, rng)
                if child:
                    yield replace(child, seed=_seed(rows.seed, n))


def _words(text: str) -> list[str]:
    return text.lower().split()


def _question(source: Source, parent: Example, rows: Rows, seed: int) -> Question | None:
    brief = write_brief(
        parent, rows.examples, rows.schema, rows.profile, seed, rows.guidance or None
    )
    told = (parent, rows.schema, brief.constraint, brief.alike, seed)
    if source == "generate":
        prompt = generate.ask(*told, unlike=brief.unlike, chat=rows.chat)
    elif source == "inputs":
        prompt = inputs.ask(*told, chat=rows.chat)
    else:
        prompt = rewrite.ask(*told, chat=rows.chat)
    return Question(source, parent, brief, prompt) if prompt else None


def _read(question: Question, schema: Schema, text: str | None, by: str | None) -> Made | None:
    if text is None:
        return None
    readers: Mapping[Source, Read] = {
        "generate": generate.read,
        "inputs": inputs.read,
        "rewrite": rewrite.read,
    }
    return readers[question.source](question.parent, schema, question.prompt, text, by)


def _missing(plan: Plan, made: Sequence[Made]) -> dict[Source, int]:
    counts = {source: sum(of.values()) for source, of in plan.children.items()}
    for child in made:
        for source in counts:
            if child.transform.startswith(source):
                counts[source] -= 1
    return {source: count for source, count in counts.items() if count}
