"""Tabs of what to look at again: which tasks stand in them, and that they are found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lora.doubts import Doubt, Doubts
from sync.again import WINDOW, Again, Kind
from sync.challenge import human_snapshot
from sync.connect import connect
from sync.loop import DOUBT, TRAIN, turn
from sync.people import people
from sync.pull import pull
from sync.studio_tabs import Filters
from sync.studio_values import StudioRefused
from sync.tabs import TITLES, keep_tabs
from sync.terms import read_terms
from tests.sync.house import ANSWER, House

B = [ANSWER[0] | {"value": {"choices": ["B"]}}]


@pytest.fixture
def house(house: House) -> House:
    own = replace(house.world.settings.sync, tabs=True)
    house.world = replace(house.world, settings=replace(house.world.settings, sync=own))
    connect(house.world, "1")
    return house


def again(house: House) -> Again:
    terms = read_terms(house.world.settings, house.studio.config)
    return Again(house.world.log, house.world.store.project("1"), "1", terms)


def keep(house: House, look: bool = False) -> list[Kind]:
    room = again(house)
    world = house.world
    return keep_tabs(world.log, house.studio, room.store, "1", room.terms, look)


def tab(house: House, kind: Kind) -> int:
    return house.world.log.tabs("1")[kind].tab


def shown(house: House, kind: Kind) -> list[int]:
    return house.studio.shown_in(tab(house, kind))


def round_with_doubts(house: House, answers: int = 30) -> list[int]:
    """A judged round, and every train row doubted, the latest most; returns their tasks."""
    house.answer(answers)
    turn(house.world, "1")
    snapshot = house.wanted()
    house.judge(snapshot)
    turn(house.world, "1")
    store = house.world.store.project("1")
    rows = [e for e in store.snapshot(snapshot).train if e.origin.kind == "human"]
    worst = sorted(rows, key=lambda e: -e.task)
    found = [doubt(e.task, e.origin.annotation, n) for n, e in enumerate(worst)]
    Doubts(store).put(snapshot, found)
    return [e.task for e in worst]


def doubt(task: int, annotation: int | None, n: int = 0) -> Doubt:
    return Doubt(
        f"annotation-{annotation}", task, annotation, "intent", ("A",), ("B",), -0.9 + n / 100, True
    )


def blind(house: House) -> set[int]:
    return set(house.world.log.blind_tasks("1"))


# ---- which tasks


def test_each_turn_keeps_four_tabs_behind_one_with_everything(house: House) -> None:
    turn(house.world, "1")
    titles = [t.title for t in house.studio.views.values()]
    assert titles == ["Default", *TITLES.values()]
    assert shown(house, "disagrees") == shown(house, "people") == shown(house, "audit") == []


def test_no_blind_task_stands_anywhere_but_in_the_audit(house: House) -> None:
    doubted = round_with_doubts(house)
    hidden = blind(house)
    assert hidden and set(doubted).isdisjoint(hidden)
    store = house.world.store.project("1")
    snapshot = human_snapshot(house.world.log.rounds("1")[-1])
    wrong = [doubt(t, None) for t in sorted(hidden)]  # were one written there all the same
    Doubts(store).put(snapshot, [*wrong, *(doubt(t, None) for t in doubted)])
    for task in (*sorted(hidden)[:2], *doubted[:2]):  # a second opinion on blind and shown ones
        house.studio.annotate(task, B, author=2)
    for _ in range(3):
        house.studio.add_task(f"one more that nobody answered yet {_}")
    turn(house.world, "1")
    turn(house.world, "1", sweep=True)
    assert set(shown(house, "people")) == set(doubted[:2])
    assert shown(house, "disagrees") and shown(house, "unsure") is not None
    for kind in ("disagrees", "unsure", "people"):
        assert hidden.isdisjoint(shown(house, kind)), kind
    assert set(shown(house, "audit")) <= hidden and shown(house, "audit")


def scored(house: House, version: str, sure_first: bool) -> list[int]:
    """Every open task gets a prediction of this version; the shown ones, least sure first."""
    hidden = blind(house)
    open_ = [t for t, s in sorted(house.studio.tasks.items()) if not s.annotations]
    for n, task in enumerate(open_):
        chance = 0.9 - n / 100 if sure_first else 0.3 + n / 100
        result = [] if task in hidden else [ANSWER[0] | {"score": chance}]
        house.studio.predict(task, result, 0.5, version)
    pull(house.studio, house.world.log, "1", 0.3)
    house.world.log.see_version("1", version)
    plain = [t for t in open_ if t not in hidden]
    return plain[::-1] if sure_first else plain


def test_the_least_sure_open_tasks_follow_the_version_in_view(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.again.WINDOW", 5)
    turn(house.world, "1")
    first = scored(house, "v1-aaaaaaaa", sure_first=False)
    keep(house)
    assert shown(house, "unsure") == first[:5]
    house.studio.annotate(first[0], ANSWER)
    pull(house.studio, house.world.log, "1", 0.3)
    assert "unsure" not in keep(house), "each change leaves its filters in Label Studio"
    for task in first[1:3]:
        house.studio.annotate(task, ANSWER)
    pull(house.studio, house.world.log, "1", 0.3)
    assert "unsure" in keep(house) and shown(house, "unsure") == first[3:8]
    other = scored(house, "v2-bbbbbbbb", sure_first=True)
    keep(house)
    assert shown(house, "unsure") == sorted(other[:5])


def test_a_tab_that_was_empty_is_filled_as_tasks_come(house: House) -> None:
    turn(house.world, "1")
    house.world.log.see_version("1", "v1-aaaaaaaa")
    keep(house)
    assert shown(house, "unsure") == []
    plain = scored(house, "v1-aaaaaaaa", sure_first=False)
    keep(house)
    assert shown(house, "unsure") == plain[:WINDOW]


def test_what_was_saved_again_leaves_and_the_next_one_comes(house: House) -> None:
    doubted = round_with_doubts(house)
    turn(house.world, "1")
    assert set(shown(house, "disagrees")) == set(doubted[:WINDOW])
    confirmed, corrected = doubted[0], doubted[1]
    for task, result in ((confirmed, ANSWER), (corrected, B)):
        (one,) = house.studio.tasks[task].annotations
        house.studio.edit(one, result)
    turn(house.world, "1")
    assert not {confirmed, corrected} & set(shown(house, "disagrees"))
    found = people(house.world, "1").to_dict()["again"][0]
    assert (found["reread"], found["changed"]) == (2, 1)


def test_a_ground_truth_is_not_doubted(house: House) -> None:
    doubted = round_with_doubts(house)
    (one,) = house.studio.tasks[doubted[0]].annotations
    state = house.studio.tasks[doubted[0]]
    house.studio._change(doubted[0], annotations=(replace(one, ground_truth=True),))
    assert state.task.id == doubted[0]
    turn(house.world, "1")
    assert doubted[0] not in shown(house, "disagrees") and doubted[1] in shown(house, "disagrees")


def test_a_confirmed_answer_is_not_asked_for_again_in_the_next_round(house: House) -> None:
    doubted = round_with_doubts(house, 12)
    turn(house.world, "1")
    (one,) = house.studio.tasks[doubted[0]].annotations
    house.studio.edit(one, ANSWER)
    assert set(round_with_doubts(house, 12)) > {doubted[0]}  # doubted once more
    turn(house.world, "1")
    assert doubted[0] not in shown(house, "disagrees") and shown(house, "disagrees")


def test_what_is_changed_after_review_teaches_in_the_next_snapshot(house: House) -> None:
    doubted = round_with_doubts(house, 12)
    turn(house.world, "1")
    (one,) = house.studio.tasks[doubted[0]].annotations
    house.studio.edit(one, B)
    house.answer(8)
    turn(house.world, "1")
    rows = {e.task: e for e in house.world.store.project("1").snapshot(house.wanted()).train}
    assert [r.labels for r in rows[doubted[0]].answers] == [("B",)]  # type: ignore[union-attr]
    assert [r.labels for r in rows[doubted[1]].answers] == [("A",)]  # type: ignore[union-attr]


def test_an_audited_answer_gives_way_to_the_next(house: House) -> None:
    house.answer(30)
    turn(house.world, "1")
    first = shown(house, "audit")
    assert set(first) == blind(house)
    (one,) = house.studio.tasks[first[0]].annotations
    house.studio.edit(one, B)
    turn(house.world, "1")
    assert shown(house, "audit") == first[1:]


def test_a_list_is_not_shuffled_under_peoples_hands(house: House) -> None:
    doubted = round_with_doubts(house)
    turn(house.world, "1")
    before = shown(house, "disagrees")
    snapshot = human_snapshot(house.world.log.rounds("1")[-1])
    turned = [doubt(t, None, n) for n, t in enumerate(reversed(doubted))]
    Doubts(house.world.store.project("1")).put(snapshot, turned)
    keep(house, look=True)
    assert shown(house, "disagrees") == before


# ---- the tabs themselves


def test_nothing_new_asks_label_studio_for_nothing(house: House) -> None:
    turn(house.world, "1")
    asked = house.studio.lists
    keep(house)
    assert house.studio.lists == asked


def test_tabs_are_found_again_and_never_doubled(house: House, tmp_path: Path) -> None:
    round_with_doubts(house)
    turn(house.world, "1")
    there = set(house.studio.views)
    for _ in range(3):
        turn(house.world, "1", sweep=True)
    assert set(house.studio.views) == there


def test_a_crash_between_making_and_noting_doubles_nothing(house: House) -> None:
    made = house.studio.make_tab("1", "Default")
    number = house.studio.make_tab("1", TITLES["audit"], "audit", Filters())
    keep(house)
    assert tab(house, "audit") == number
    assert len(house.studio.views) == 2 + 3 and made in house.studio.views


def test_a_renamed_tab_keeps_its_name_and_is_filled(house: House) -> None:
    keep(house)
    number = tab(house, "audit")
    house.studio.rename_tab(number, "Anna's corner")
    house.answer(30)
    turn(house.world, "1", sweep=True)
    assert house.studio.views[number].title == "Anna's corner"
    assert shown(house, "audit") and tab(house, "audit") == number


def test_a_persons_own_tab_of_the_same_name_is_left_alone(house: House) -> None:
    number = house.studio.make_tab("1", TITLES["audit"])
    keep(house)
    assert tab(house, "audit") != number and "filters" not in house.studio.views[number].data


def test_a_deleted_tab_stays_away_until_the_project_is_connected_anew(house: House) -> None:
    keep(house)
    number = tab(house, "unsure")
    del house.studio.views[number]
    keep(house, look=True)
    keep(house, look=True)
    assert [t.title for t in house.studio.views.values()].count(TITLES["unsure"]) == 0
    connect(house.world, "1")
    keep(house)
    assert [t.title for t in house.studio.views.values()].count(TITLES["unsure"]) == 1


def test_what_somebody_filtered_otherwise_is_put_right(house: House) -> None:
    house.answer(30)
    turn(house.world, "1")
    number = tab(house, "audit")
    old = house.studio.views[number]
    other = {**old.data, "filters": Filters((1, 2)).to_wire()}
    house.studio.views[number] = replace(old, data=other)
    turn(house.world, "1", sweep=True)
    assert set(shown(house, "audit")) <= blind(house)


def test_a_tab_with_nothing_in_it_does_not_show_everything() -> None:
    assert Filters().to_wire()["items"][0]["value"] == "0"


def test_a_label_studio_that_refuses_stops_nothing_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(project: str) -> Any:
        raise StudioRefused("the token may not do this")

    monkeypatch.setattr(house.studio, "tabs", refuses)
    house.answer(6)
    done = turn(house.world, "1")
    assert house.jobs.queued[0][0] == TRAIN
    assert any("the tabs of what to look at again wait" in p for p in done.problems)


# ---- who doubts, and when


def test_answers_are_doubted_once_a_round_is_judged_and_people_pause(house: House) -> None:
    house.answer(6)
    turn(house.world, "1")
    snapshot = house.wanted()
    house.answer(3)
    house.judge(snapshot)
    turn(house.world, "1")
    assert [job[0] for job in house.jobs.queued] == [TRAIN], "half of the next round is there"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync.loop.PAUSE_S", 0.0)
        turn(house.world, "1")
        turn(house.world, "1")
    assert house.jobs.queued[1:] == [(DOUBT, "1", snapshot)]
    house.jobs.all_are("ended", 0.0)
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2


def test_doubts_of_a_forgotten_snapshot_are_gone(house: House) -> None:
    round_with_doubts(house, 12)
    place = Doubts(house.world.store.project("1"))
    snapshot = human_snapshot(house.world.log.rounds("1")[-1])
    assert place.has(snapshot)
    store = house.world.store.project("1")
    store.retire({}, frozenset({snapshot}))
    assert not place.put(snapshot, [doubt(1, 1)])
