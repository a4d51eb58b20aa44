from dataclasses import replace

import pytest

from augment.values import Made, Prompt
from label_config.controls import InvalidValue
from label_config.values import Choice, Example, Origin

PARENT = Example(
    id="annotation-7",
    task=3,
    group="g3",
    side="train",
    texts={"text": "where is my order"},
    answers=(Choice("intent", "text", ("order",)),),
    origin=Origin(kind="human", annotation=7),
)
CHILD = Made("annotation-7", {"text": "wheres my order"}, PARENT.answers, "noise", seed=4)


def test_a_child_is_a_train_row_in_its_parents_group_and_says_where_it_comes_from() -> None:
    row = CHILD.as_example(PARENT, 0.3)
    assert (row.group, row.side, row.task) == ("g3", "train", 3)
    assert row.origin == Origin("synthetic", 7, "annotation-7", "noise", None, None, 4, 0.3)
    assert row.id == f"synthetic-{CHILD.key}"


@pytest.mark.parametrize(
    "other",
    [
        replace(PARENT, side="holdout"),
        replace(PARENT, id="annotation-8"),
        CHILD.as_example(PARENT, 0.3),
    ],
)
def test_only_human_train_rows_have_children_and_only_their_own(other: Example) -> None:
    made = (
        CHILD if other.id != CHILD.as_example(PARENT, 0.3).id else replace(CHILD, parent=other.id)
    )
    with pytest.raises(InvalidValue, match="only human train rows have children"):
        made.as_example(other, 0.3)


def test_the_key_is_of_what_is_said_not_of_how_it_was_made() -> None:
    assert CHILD.key == replace(CHILD, seed=5, transform="rewrite").key
    assert CHILD.key != replace(CHILD, texts={"text": "wheres my ordr"}).key


def test_a_prompts_digest_covers_all_that_decides_the_answer() -> None:
    prompt = Prompt("annotation-7", "Say it again: where is my order\n", 1)
    others = [
        replace(prompt, text="x"),
        replace(prompt, seed=2),
        replace(prompt, stop=("#",)),
        replace(prompt, most_tokens=9),
    ]
    assert len({p.digest for p in (prompt, *others)}) == 5
    assert prompt.digest == replace(prompt, parent="annotation-8").digest
