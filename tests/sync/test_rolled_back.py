"""After a rollback: what Label Studio shows, what status says, and what the loop does next."""

from __future__ import annotations

from sync.connect import connect
from sync.loop import turn
from sync.operate import Person, promote, rollback
from sync.promoting import promote_or_wait
from sync.status import status
from tests.sync.house import House
from tests.sync.versioned import committed

OPS = Person("root")


def settle(house: House) -> None:
    for _ in range(10):
        done = turn(house.world, "1").pushed
        assert done is not None and done.problem is None
        if not done.left and not done.switched:
            return
    raise AssertionError("it never came to rest")


def test_label_studio_shows_the_earlier_version_again(house: House) -> None:
    connect(house.world, "1")
    store = house.world.store.project("1")
    one, two = committed(store, 1), committed(store, 2)
    for version in (one, two):
        promote(store, version, OPS)
        house.backend.version = version
        settle(house)
        assert house.studio.info.model_version == version
    assert rollback(store, OPS, why="odd").now == one
    house.backend.version = one
    settle(house)
    assert house.studio.info.model_version == one
    assert house.studio.mine[0].title == one
    unanswered = {t for t, s in house.studio.tasks.items() if not s.annotations}
    assert house.studio.tasks_with_version("1", one) >= unanswered
    assert [v.version for v in house.world.log.versions("1")][-3:] == [one, two, one]
    told = [(e.who, e.what, e.subject) for e in house.world.log.audit("1") if e.what != "settings"]
    assert told == [
        ("root", "promoted", one),
        ("root", "promoted", two),
        ("root", "rolled back", one),
    ]


def test_the_round_after_a_rollback_waits_for_new_answers(house: House) -> None:
    """What was learned before is not served again by another road: Start Training, another seed."""
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    store, snapshot = house.world.store.project("1"), house.wanted()
    first = committed(store, 1, snapshot)
    store.move_current(None, first, "gate", "better")
    house.judge(snapshot)
    turn(house.world, "1")
    rollback(store, OPS)
    assert not turn(house.world, "1").decision.train, "nothing new, so nothing is trained"
    store.ask("somebody")
    turn(house.world, "1")
    assert house.wanted() == snapshot, "asked for by hand, the same answers are trained again"
    again = committed(store, 2, snapshot)
    made = next(m for m in store.versions() if m.version == again)
    done = promote_or_wait(store, made, None, "0.9 beats the cold start", regulated=False)
    assert not done.promoted and f"{first} was rolled back" in done.reason
    assert store.current().version is None


def test_status_says_what_waits_and_what_does_not_load(house: House) -> None:
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    store = house.world.store.project("1")
    assert status(house.world, "1")["waiting"] is None
    waits = committed(store, 1, house.wanted())
    made = next(m for m in store.versions() if m.version == waits)
    promote_or_wait(store, made, None, "0.9 beats the cold start's 0.5", regulated=True)
    said = status(house.world, "1")["waiting"]
    assert f"annotune promote 1 {waits} --as NAME" in said and "0.9 beats" in said
    promote(store, waits, Person("root", "Anna"))
    store.quarantine(waits, "heads.json is gone")
    (problem,) = (p for p in status(house.world, "1")["problems"] if "quarantine" in p)
    assert "heads.json is gone" in problem and f"annotune promote 1 {waits}" in problem
