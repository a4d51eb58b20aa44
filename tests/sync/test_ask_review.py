"""`annotune augment PROJECT --review`: people see children that nobody was to see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from label_config.values import Snapshot
from lora.expansions import Expansions
from settings import Augment
from sync.ask_review import ask_review
from sync.augmented import NothingToExpand
from sync.cli import main
from sync.connect import connect
from sync.loop import EXPAND
from tests.sync.house import House
from tests.sync.reviewed import (
    EXPERTS,
    KEPT,
    children,
    go,
    record_of,
    reviewed,
    says,
    shown,
    snapshots,
    synthetic,
)


@pytest.fixture
def judged(house: House) -> str:
    """A judged round whose children nobody was to review: a challenger is made of them."""
    own = replace(house.world.settings, augment=Augment(sources="noise"))
    house.world = replace(house.world, settings=own)
    connect(house.world, "1")
    house.answer(6)
    go(house)
    snapshot = house.wanted()
    house.judge(snapshot)
    go(house)
    store = house.world.store.project("1")
    frozen = store.snapshot(snapshot)
    made = children(frozen)
    whole = Snapshot("1", frozen.config, (*frozen.examples, *made[:KEPT]), frozen.pool)
    record = {
        "snapshot": snapshot,
        "policy": {"review": False, "reason": "6 human examples: synthesise", "off": {}},
        "challenger": store.put_snapshot(whole),
        "kept": [shown(c) for c in made[:KEPT]],
        "experts_first": [shown(c) for c in made[KEPT:]],
    }
    Expansions(store).put(snapshot, record)
    return snapshot


def test_children_that_nobody_was_to_see_go_to_people_and_wait_for_them(
    house: House, judged: str
) -> None:
    before = snapshots(house)
    asked = ask_review(house.world, "1")
    assert (asked.children, asked.experts_first, asked.review) == (KEPT + EXPERTS, EXPERTS, None)
    assert not house.studio.others, "sync makes review projects, and nobody else"
    go(house)
    assert house.world.log.wanted("1") is None, "nothing learns from them meanwhile"
    tasks = [s.task.data["annotune_child"] for _, s in sorted(reviewed(house).tasks.items())]
    made = children(house.world.store.project("1").snapshot(judged))
    assert tasks == [c.id for c in made[KEPT:] + made[:KEPT]]
    assert ask_review(house.world, "1").review == "100" and len(house.studio.others) == 1
    first, *rest = reviewed(house).tasks
    reviewed(house).annotate(first, says("A"))
    for task in rest:
        reviewed(house).annotate(task, [], cancelled=True)
    go(house)
    (challenger,) = snapshots(house) - before
    assert house.wanted() == challenger
    rows = house.world.store.project("1").snapshot(challenger).examples
    assert [e.origin.approved_by for e in rows if e.origin.kind == "synthetic"] == [1]
    with pytest.raises(NothingToExpand, match="people have decided on the children of"):
        ask_review(house.world, "1")


def test_a_challenger_that_learned_from_them_unseen_is_challenged_by_what_people_let_in(
    house: House, judged: str
) -> None:
    go(house)
    unseen = house.wanted()
    assert len(synthetic(house)) == KEPT
    store = house.world.store.project("1")
    version = house.trained(0.5)
    gain = {"answers": 6, "difference": 0.1, "error": 0.01}
    told = {"promoted": True, "reason": "because", "version": version, "gain": gain, "at": "2026"}
    ask_review(house.world, "1")
    go(house)
    assert not house.studio.others, "the round under way comes first"
    store.put_verdict(unseen, told)
    assert ask_review(house.world, "1").learned == version
    go(house)
    go(house)
    for task in reviewed(house).tasks:
        reviewed(house).annotate(task, says("A"))
    go(house)
    seen = house.wanted()
    place = Expansions(store)
    assert seen != unseen and place.human_of(seen) == place.human_of(unseen) == judged
    assert place.past() == [gain], "what it brought is not forgotten"
    house.judge(seen)
    go(house)
    go(house)
    assert house.world.log.wanted("1") is None and len(house.studio.others) == 1
    assert [j for j in house.jobs.queued if j[0] == EXPAND] == [(EXPAND, "1", judged)]


def test_what_people_let_in_is_trained_on_though_sources_were_switched_off_meanwhile(
    house: House, judged: str
) -> None:
    off = replace(house.world.settings, augment=Augment())
    house.world = replace(house.world, settings=off)
    go(house)
    assert house.world.log.wanted("1") is None, "off is off for what nobody looked at"
    ask_review(house.world, "1")
    go(house)
    for task in reviewed(house).tasks:
        reviewed(house).annotate(task, says("A"))
    go(house)
    rows = house.world.store.project("1").snapshot(house.wanted()).examples
    assert sum(e.origin.approved_by == 1 for e in rows) == KEPT + EXPERTS


def test_where_all_are_rejected_nothing_learns_from_them(house: House, judged: str) -> None:
    ask_review(house.world, "1")
    go(house)
    for task in reviewed(house).tasks:
        reviewed(house).annotate(task, [], cancelled=True)
    go(house)
    go(house)
    assert house.world.log.wanted("1") is None and len(house.studio.others) == 1
    assert house.world.log.waiting_review("1") is None


def test_where_there_is_nothing_to_review_it_says_so(house: House, judged: str) -> None:
    place = Expansions(house.world.store.project("1"))
    record = place.get(judged) or {}
    place.put(judged, {**record, "kept": [], "experts_first": [], "challenger": None})
    with pytest.raises(NothingToExpand, match="left no child to be reviewed: 6 human examples"):
        ask_review(house.world, "1")
    assert place.review_asked() is None
    (house.world.store.project("1").folder / "expansions" / f"{judged}.json").unlink()
    with pytest.raises(NothingToExpand, match="nothing was expanded in project 1 yet"):
        ask_review(house.world, "1")


def test_under_review_anyway_asking_changes_nothing(house: House, judged: str) -> None:
    record_of(house, judged)  # as a regulated project's
    asked = ask_review(house.world, "1")
    assert asked.learned is None and "go to people" in asked.lines()[0]
    assert "2 of them, refused for their label alone, come first" in asked.lines()[1]
    for _ in range(3):
        go(house)
    assert len(house.studio.others) == 1 and len(reviewed(house).tasks) == KEPT + EXPERTS


def test_a_wish_is_either_to_look_or_to_send() -> None:
    told = CliRunner().invoke(main, ["augment", "1", "--dry-run", "--review"])
    assert told.exit_code == 2 and "take one" in told.output
