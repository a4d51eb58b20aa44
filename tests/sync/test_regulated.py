"""In a regulated project nothing reaches a snapshot that no named person approved."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from label_config.snapshot_json import snapshot_from_json, snapshot_to_json
from label_config.values import Choice, Example, Origin, Snapshot
from lora.approved import unapproved
from sync import jobs
from sync.children import TrainingFailed
from sync.loop import review as review_children
from tests.sync.house import CONFIG, House
from tests.sync.reviewed import EXPERTS, KEPT, children, go, reviewed, says, snapshots


class Killed(BaseException):
    """A SIGKILL as far as one process can feel it."""


STEPS = [
    *(("log", name) for name in ("start_review", "open_review", "decided", "heard_review")),
    *(("log", name) for name in ("close_review", "want")),
    *(("studio", name) for name in ("make_project", "import_tasks")),
]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_order_and_the_crashes_snapshots_hold_only_what_was_approved(
    house: House, human: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 7, in the regulated mode: approvals, corrections, rejections, withdrawals and deaths
    before or after any step, in any order."""
    monkeypatch.setattr("sync.review.PART", 2)
    rng, log = random.Random(seed), house.world.log
    for where, name in STEPS:
        target = log if where == "log" else house.studio
        monkeypatch.setattr(target, name, deadly(getattr(target, name), rng))
    store, wanted, known = house.world.store.project("1"), dict[str, str](), {human}
    for _ in range(300):
        with suppress(Killed):
            review_children(house.world, "1")
        for digest in snapshots(house) - known:
            frozen = store.snapshot(digest)
            rows = {e.id: e for e in frozen.examples if e.origin.kind == "synthetic"}
            assert {i: said(e) for i, e in rows.items()} == {
                child: d for child, d in wanted.items() if d != "rejected"
            }, "exactly what people let in by then"
            assert unapproved(frozen) is None and not frozen.pool
            assert {e.origin.approved_by for e in rows.values()} <= set(house.studio.users)
            known.add(digest)
        (review,) = log.reviews("1") or (None,)
        if review and review.closed_at:
            break
        people_act(house, rng, wanted)
    else:
        raise AssertionError("the review never ended")
    assert len(wanted) == KEPT + EXPERTS
    assert review.report is not None
    assert set(review.report["rows"]) == {c for c, d in wanted.items() if d != "rejected"}
    while log.wanted("1") is None and any(d != "rejected" for d in wanted.values()):
        with suppress(Killed):
            go(house)
    trained = log.wanted("1")
    let_in = {c: d for c, d in wanted.items() if d != "rejected"}
    if let_in:
        assert trained is not None
        rows = {e.id: e for e in store.snapshot(trained.snapshot).train if e.id in wanted}
        assert {i: said(e) for i, e in rows.items()} == let_in
    else:
        go(house)
        assert trained is None and log.wanted("1") is None


def said(row: Example) -> str:
    """What people must have said of a row of the reviewed project, whose children are all A."""
    (answer,) = row.answers
    assert isinstance(answer, Choice)
    return {"A": "approved", "B": "corrected"}[answer.labels[0]]


def deadly(call: Callable[..., Any], rng: random.Random) -> Callable[..., Any]:
    def maybe(*args: Any, **named: Any) -> Any:
        fate = rng.random()
        if fate < 0.2:
            raise Killed
        answer = call(*args, **named)
        if fate < 0.4:
            raise Killed
        return answer

    return maybe


def people_act(house: House, rng: random.Random, wanted: dict[str, str]) -> None:
    if "100" not in house.studio.others:
        return
    review = reviewed(house)
    if not review.tasks or rng.random() < 0.3:
        return
    task = rng.choice(sorted(review.tasks))
    state = review.tasks[task]
    child = str(state.task.data["annotune_child"])
    for a in state.annotations:
        review.remove_annotation(a)
        wanted.pop(child, None)
    if state.annotations and rng.random() < 0.3:
        return
    what = rng.choice(["approved", "corrected", "rejected"])
    answer = {"approved": says("A"), "corrected": says("B"), "rejected": []}[what]
    review.annotate(task, answer, cancelled=what == "rejected", author=rng.choice([1, 2]))
    wanted[child] = what


def test_a_regulated_trainer_refuses_what_nobody_approved(
    house: House, human: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_HOME", str(house.world.settings.home))
    store = house.world.store.project("1")
    frozen = store.snapshot(human)
    child = children(frozen)[0]
    smuggled = store.put_snapshot(replace(frozen, examples=(*frozen.examples, child)))
    with pytest.raises(TrainingFailed, match="synthetic examples that nobody approved"):
        jobs.train("1", smuggled)
    lent = store.put_snapshot(replace(frozen, pool=({"text": "unlabelled"},)))
    with pytest.raises(TrainingFailed, match="texts of the pool"):
        jobs.train("1", lent)


def test_who_approved_it_is_in_the_snapshot_and_older_snapshots_keep_their_names() -> None:
    row = Example("s", 1, "g", "train", {"text": "x"}, (), Origin("synthetic", parent="a"))
    assert "approved_by" not in snapshot_to_json(Snapshot("1", CONFIG, (row,)))
    seen = replace(row, origin=replace(row.origin, approved_by=7))
    whole = Snapshot("1", CONFIG, (seen,))
    assert snapshot_from_json(snapshot_to_json(whole)) == whole
