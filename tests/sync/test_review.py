"""Children before people: the review project, and what comes back of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from label_config.values import Choice
from lora.approved import unapproved
from lora.expansions import Expansions
from sync.augmented import augmented
from sync.connect import NothingToPredict, connect
from sync.loop import EXPAND
from sync.studio_values import StudioDown
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import House
from tests.sync.reviewed import (
    EXPERTS,
    KEPT,
    REGULATED,
    children,
    go,
    reviewed,
    says,
    synthetic,
)


def test_children_stand_beside_their_parents_filled_in_and_experts_see_theirs_first(
    house: House, human: str
) -> None:
    go(house)
    review = reviewed(house)
    made = children(house.world.store.project("1").snapshot(human))
    tasks = [s.task.data for _, s in sorted(review.tasks.items())]
    assert [t["annotune_child"] for t in tasks] == [c.id for c in made[KEPT:] + made[:KEPT]]
    parents = {e.id: e for e in house.world.store.project("1").snapshot(human).train}
    for task, state in zip(tasks, review.tasks.values(), strict=True):
        parent = parents[str(task["annotune_parent"])]
        assert task["annotune_parent_text"] == parent.texts["text"]
        assert str(task["text"]).startswith("child ") and task["annotune_generator"] == "smollm"
        assert task["annotune_transform"] == "rewrite" and task["annotune_prompt"]
        (prediction,) = state.predictions
        assert prediction.version == "synthetic"
        assert prediction.result[0]["value"] == {"choices": ["A"]}  # type: ignore[index]
    assert '$annotune_parent_text"' in review.config and "annotune-regulated" in review.config
    assert not synthetic(house) and house.world.log.connected() == ["1"]
    go(house)
    assert len(house.studio.others) == 1 and len(review.tasks) == KEPT + EXPERTS
    with pytest.raises(NothingToPredict, match="review children of project 1"):
        connect(house.world, "100")


def test_submit_approves_an_edit_corrects_a_skip_rejects_and_the_rest_waits(
    house: House, human: str
) -> None:
    go(house)
    review, log = reviewed(house), house.world.log
    first, second, third, *rest = review.tasks
    review.annotate(first, says("A"), author=2)
    review.annotate(second, says("B"))
    skipped = review.annotate(third, [], cancelled=True)
    go(house)
    assert not synthetic(house) and log.waiting_review("1") is not None
    heard = log.decisions("1", human)
    assert [(d.said, d.author, d.who) for d in heard] == [
        ("approved", 2, "bob@house"),
        ("corrected", 1, "ann@house"),
        ("rejected", 1, "ann@house"),
    ]
    assert heard[2].decided_at == skipped.updated_at
    go(house)
    assert log.decisions("1", human) == heard, "heard again, said once"
    for task in rest:
        review.annotate(task, says("A"))
    go(house)
    rows, ids = (
        synthetic(house),
        [str(s.task.data["annotune_child"]) for s in review.tasks.values()],
    )
    assert set(rows) == {*ids} - {ids[2]}
    assert rows[ids[0]].origin.approved_by == 2 and rows[ids[0]].answers[0].labels == ("A",)  # type: ignore[union-attr]
    assert rows[ids[1]].answers == (Choice("intent", "text", ("B",)),)
    challenger = house.wanted()
    assert Expansions(house.world.store.project("1")).human_of(challenger) == human
    assert unapproved(house.world.store.project("1").snapshot(challenger)) is None
    (closed,) = log.reviews("1")
    assert closed.closed_at is not None and closed.report is not None
    assert closed.report["counts"] == {"approved": 4, "corrected": 1, "rejected": 1}
    assert closed.report["by"] == ["ann@house", "bob@house"]


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda r, t: r.annotate(t, []), "the answer is empty"),
        (lambda r, t: r.annotate(t, says("gone")), "cannot be read"),
        (lambda r, t: rewrite(r, t), "not the child's any more"),
        (lambda r, t: r.tasks.pop(t), "its task was deleted"),
    ],
)
def test_what_is_no_approval_rejects(
    house: House, human: str, break_it: Callable[[FakeStudio, int], object], why: str
) -> None:
    go(house)
    review = reviewed(house)
    first, *rest = review.tasks
    child = str(review.tasks[first].task.data["annotune_child"])
    break_it(review, first)
    for task in rest:
        review.annotate(task, says("A"))
    go(house)
    assert why in next(d.why for d in house.world.log.decisions("1", human) if d.child == child)
    assert child not in synthetic(house) and len(synthetic(house)) == len(rest)


def rewrite(review: FakeStudio, task: int) -> None:
    state = review.tasks[task]
    data = {**state.task.data, "text": "something that nobody made"}
    review.tasks[task] = replace(state, task=replace(state.task, data=data))
    review.annotate(task, says("A"))


def test_an_answer_of_nobody_is_none(house: House, human: str) -> None:
    go(house)
    review = reviewed(house)
    for task in review.tasks:
        review.annotate(task, says("A"), author=None)
    go(house)
    assert not house.world.log.decisions("1", human) and not synthetic(house)


def test_who_saved_it_last_decided_whoever_is_named_as_its_author(house: House, human: str) -> None:
    go(house)
    review = reviewed(house)
    review.annotate(next(iter(review.tasks)), says("A"), author=1, editor=2)
    go(house)
    assert [d.who for d in house.world.log.decisions("1", human)] == ["bob@house"]


def test_while_people_look_no_other_children_are_made_and_new_answers_are_still_trained_on(
    house: House, human: str
) -> None:
    go(house)
    house.answer(6)
    go(house)
    newer = house.wanted()
    assert newer != human
    for task in reviewed(house).tasks:
        reviewed(house).annotate(task, says("A"))
    go(house)
    assert house.world.log.waiting_review("1") is not None, "the round under way comes first"
    house.judge(newer)
    go(house)
    challenger = house.wanted()
    assert Expansions(house.world.store.project("1")).human_of(challenger) == newer
    rows = house.world.store.project("1").snapshot(challenger).examples
    assert sum(e.origin.kind == "human" for e in rows) > 6
    assert sum(e.origin.kind == "synthetic" for e in rows) == KEPT + EXPERTS
    assert [j for j in house.jobs.queued if j[0] == EXPAND] == [(EXPAND, "1", human)]


def test_a_child_whose_parent_was_answered_anew_is_left_out(house: House, human: str) -> None:
    go(house)
    parents = house.world.store.project("1").snapshot(human).train
    a = house.studio.tasks[parents[0].task].annotations[0]
    house.studio.edit(a, says("B"))
    house.answer(6)
    go(house)
    for task in reviewed(house).tasks:
        reviewed(house).annotate(task, says("A"))
    house.judge(house.wanted())
    go(house)
    assert synthetic(house)
    assert all(e.origin.parent != parents[0].id for e in synthetic(house).values())


def test_a_review_project_that_people_delete_ends_with_what_was_decided(
    house: House, human: str
) -> None:
    go(house)
    review = reviewed(house)
    review.annotate(next(iter(review.tasks)), says("A"))
    go(house)
    del house.studio.others["100"]
    go(house)
    assert len(synthetic(house)) == 1 and house.world.log.waiting_review("1") is None
    go(house)
    assert not house.studio.others, "it is not made again"


def test_a_label_studio_that_is_down_only_delays_the_review(house: House, human: str) -> None:
    real = house.studio.find_project

    def down(description: str) -> str | None:
        raise StudioDown("busy")

    house.studio.find_project = down  # type: ignore[method-assign]
    assert go(house).problems == ["the review of children waits: busy"]
    house.studio.find_project = real  # type: ignore[method-assign]
    assert not go(house).problems and len(reviewed(house).tasks) == KEPT + EXPERTS


def test_who_approved_what_and_when_is_shown(house: House, human: str) -> None:
    place = Expansions(house.world.store.project("1"))
    record = place.get(human) or {}
    policy = {"review": True, "reason": "6 human examples: synthesise", "off": {}}
    read = {"rows": 6, "right": 4, "predicted": 6}
    place.put(human, {**record, "policy": policy, "profile": read})
    go(house)
    first, *rest = reviewed(house).tasks
    reviewed(house).annotate(first, says("A"), author=2)
    go(house)
    goes_on = "the review in project 100 goes on: 1 approved, 0 corrected, 0 rejected; by bob@house"
    assert goes_on in "\n".join(augmented(house.world, "1", dry=False).lines())
    for task in rest:
        reviewed(house).annotate(task, [], cancelled=True)
    go(house)
    told = augmented(house.world, "1", dry=False)
    assert "is over: 1 approved, 0 corrected, 5 rejected; by ann@house, bob@house" in "\n".join(
        told.lines()
    )
    decisions = told.to_dict()["decisions"]
    assert [d["who"] for d in decisions] == ["bob@house"] + 5 * ["ann@house"]
    assert json.dumps(decisions) and decisions[0]["decided_at"] < decisions[-1]["decided_at"]


def test_a_config_that_changes_meanwhile_costs_only_what_it_no_longer_has(
    house: House, human: str
) -> None:
    go(house)
    first, *rest = reviewed(house).tasks
    house.studio.change_config(REGULATED.replace("<Choice ", '<Choice value="C"/><Choice ', 1))
    house.answer(6)
    go(house)
    house.judge(house.wanted())
    reviewed(house).annotate(first, says("B"))
    for task in rest:
        reviewed(house).annotate(task, says("A"))
    go(house)
    assert len(synthetic(house)) == KEPT + EXPERTS, "a label more costs none"
    newest = house.world.store.project("1").snapshot(house.wanted())
    assert '"C"' in newest.config and unapproved(newest) is None


def test_approved_children_that_a_changed_config_leaves_out_are_told_with_the_reason(
    house: House, human: str
) -> None:
    place = Expansions(house.world.store.project("1"))
    read = {"rows": 6, "right": 4, "predicted": 6}
    policy = {"review": True, "reason": "6 human examples: synthesise", "off": {}}
    place.put(human, {**(place.get(human) or {}), "policy": policy, "profile": read})
    go(house)
    for task in reviewed(house).tasks:
        reviewed(house).annotate(task, says("A"))
    house.studio.change_config(REGULATED.replace('"A"', '"C"'))
    house.answer(9)
    for task in [t for t, s in house.studio.tasks.items() if s.annotations][6:]:
        house.studio.edit(house.studio.tasks[task].annotations[0], says("B"))
    go(house)
    house.judge(house.wanted())
    go(house)
    (closed,) = house.world.log.reviews("1")
    assert closed.report is not None and not synthetic(house)
    assert closed.report["counts"] == {"approved": KEPT + EXPERTS}
    assert sum(closed.report["dropped"].values()) == KEPT + EXPERTS
    assert set(closed.report["left_out"]) == {
        c.id for c in children(house.world.store.project("1").snapshot(human))
    }
    words = "\n".join(augmented(house.world, "1", dry=False).lines())
    why = "the label config has nothing left of its parent's answer"
    assert f"{KEPT + EXPERTS} of them left out: {why}" in words
