"""A plan becomes candidates: as many as planned where the sources can, the same each time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from augment.aim import Plan
from augment.expand import Candidates, Rows, make, questions
from augment.profile import profile
from augment.values import Generate, Prompt
from label_config import read_schema
from label_config.controls import InvalidValue
from label_config.values import Choice, Example, Origin

SCHEMA = read_schema(
    '<View><Text name="text" value="$text"/><Choices name="intent" toName="text">'
    '<Choice value="refund"/><Choice value="delivery"/></Choices></View>'
)
TEXTS = {
    "refund": ["i want my money back for the lamp", "refund me the $4471 from 12 May pls"],
    "delivery": ["wheres my parcel its been 3 days", "when does the sofa arrive"],
}


def row(label: str, n: int) -> Example:
    said = (Choice("intent", "text", (label,)),)
    text = {"text": TEXTS[label][n]}
    name = f"{label}-{n}"
    return Example(name, n, name, "train", text, said, Origin("human", annotation=n))


EXAMPLES = tuple(row(label, n) for label in TEXTS for n in (0, 1))
ROWS = Rows(EXAMPLES, SCHEMA, profile(EXAMPLES, SCHEMA), seed=1)
PLAN = Plan({"generate": {"refund-0": 2, "delivery-1": 1}, "substitute": {"refund-1": 2}})


class Says:
    """A generator that remembers what it was asked."""

    def __init__(self, *answers: str | None) -> None:
        self.answers, self.asked = answers, list[Prompt]()

    def __call__(self, prompts: Sequence[Prompt]) -> Iterator[str | None]:
        self.asked += prompts
        yield from self.answers[: len(prompts)]


def made_by(writer: Generate | None, rows: Rows = ROWS, plan: Plan = PLAN) -> Candidates:
    return make(plan, rows, writer, "a writer")


def test_every_source_makes_what_it_can_and_what_is_missing_is_counted() -> None:
    says = Says("my desk has not come yet", None, "give me back what i paid for the rug")
    found = made_by(says)
    written = [m for m in found.made if m.transform == "generate"]
    assert [m.texts["text"] for m in written] == [says.answers[0], says.answers[2]]
    assert [m.parent for m in written] == ["delivery-1", "refund-0"]
    assert {m.generator for m in written} == {"a writer"}
    assert [m.prompt for m in written] == [says.asked[0].digest, says.asked[2].digest]
    drawn = [m for m in found.made if m.transform == "substitute"]
    assert drawn and all("$4471 from 12 May" not in m.texts["text"] for m in drawn)
    assert found.missing.get("generate") == 1 and set(found.asked) == {p.digest for p in says.asked}


def test_the_same_plan_asks_and_makes_the_same_and_another_seed_does_not() -> None:
    says = Says("one text", "another text", "a third text")
    assert made_by(says) == made_by(says)
    other = replace(ROWS, seed=2)
    assert [q.prompt for q in questions(PLAN, ROWS)] != [q.prompt for q in questions(PLAN, other)]


def test_children_of_one_parent_are_asked_for_differently() -> None:
    prompts = [q.prompt.text for q in questions(PLAN, ROWS) if q.parent.id == "refund-0"]
    assert len(set(prompts)) == 2


def test_a_plan_that_needs_a_writer_is_refused_without_one() -> None:
    with pytest.raises(InvalidValue, match="3 written texts, and no generator is at hand"):
        made_by(None)
    assert made_by(None, plan=Plan({"noise": {"refund-0": 1}})).asked == {}
