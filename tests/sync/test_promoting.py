"""A candidate that passed the gate serves, waits for a named person, or follows no rollback."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from label_config import Choice, Example, Snapshot
from label_config.values import Origin
from lora.adapter import Manifest
from lora.atomic import write_atomic
from lora.errors import Moved
from lora.store import ProjectStore, Store
from sync.lineage import versions
from sync.operate import Impossible, Person, promote, rollback
from sync.promoting import nothing_new, promote_or_wait
from tests.sync.house import CONFIG
from tests.sync.versioned import committed

ANNA, OPS = Person("root", "Anna B."), Person("root")
REGULATED = CONFIG.replace("<View>", '<View annotune-regulated="true">')


@pytest.fixture
def store(tmp_path: Path) -> ProjectStore:
    return Store(tmp_path).project("1")


def example(n: int, label: str = "A", kind: Any = "human", side: Any = "train") -> Example:
    answer = (Choice("intent", "text", (label,)),)
    origin = Origin(kind, annotation=n if kind == "human" else None, parent="e0")
    return Example(f"e{n}", n, f"g{n}", side, {"text": f"text {n}"}, answer, origin)


def seen(row: Example) -> Example:
    """The same answer, as a later program freezes it."""
    return replace(row, origin=replace(row.origin, shown=True), context=("said of it",))


def made_of(store: ProjectStore, seed: int, *rows: Example, config: str = CONFIG) -> Manifest:
    digest = store.put_snapshot(Snapshot("1", config, rows))
    version = committed(store, seed, digest, config=config)
    return next(m for m in store.versions() if m.version == version)


def test_without_rules_it_serves(store: ProjectStore) -> None:
    made = made_of(store, 1, example(1))
    done = promote_or_wait(store, made, None, "better", regulated=False)
    assert (done.promoted, done.waits, store.current().version) == (True, False, made.version)


def test_regulated_it_waits_and_a_newer_one_takes_its_place(store: ProjectStore) -> None:
    one, two = made_of(store, 1, example(1)), made_of(store, 2, example(1), example(2))
    for made in (one, two):
        done = promote_or_wait(store, made, None, "better", regulated=True)
        assert (done.promoted, done.waits) == (False, True)
        assert "waits for a named person" in done.reason
    waiting = store.waiting()
    assert waiting is not None and waiting.version == two.version
    assert [v["state"] for v in versions(store)] == ["kept back", "waiting"]
    assert store.current().version is None


def test_a_person_with_a_name_promotes_it_and_no_other_does(store: ProjectStore) -> None:
    store.publish_regulated(True)
    made = made_of(store, 1, example(1), config=REGULATED)
    promote_or_wait(store, made, None, "better", regulated=True)
    with pytest.raises(Impossible, match=f"annotune promote 1 {made.version} --as NAME"):
        promote(store, made.version, OPS)
    assert store.current().version is None
    promote(store, made.version, ANNA, "I read its card")
    assert (store.current().by, store.current().why) == ("Anna B.", "I read its card")
    assert store.waiting() is None


def test_a_project_that_became_regulated_while_it_was_trained_waits_too(
    store: ProjectStore,
) -> None:
    made = made_of(store, 1, example(1))
    store.publish_regulated(True)
    assert promote_or_wait(store, made, None, "better", regulated=False).waits
    assert store.current().version is None


def test_what_waits_was_judged_against_what_serves(store: ProjectStore) -> None:
    one, two = made_of(store, 1, example(1)), made_of(store, 2, example(2))
    store.move_current(None, one.version, "anna", "", by_hand=True)
    with pytest.raises(Moved):
        promote_or_wait(store, two, None, "better", regulated=True)


def test_a_person_cannot_let_in_what_learned_from_what_nobody_approved(
    store: ProjectStore,
) -> None:
    store.publish_regulated(True)
    made = made_of(store, 1, example(1), example(2, kind="synthetic"))
    with pytest.raises(Impossible, match="synthetic examples that nobody approved"):
        promote(store, made.version, ANNA)
    gone = made_of(store, 2, example(3))
    (store.folder / "snapshots" / f"{gone.recipe.snapshot}.json").unlink()
    with pytest.raises(Impossible, match="cannot be read"):
        promote(store, gone.version, ANNA)
    assert store.current().version is None


def test_nothing_follows_a_rollback_that_learned_from_no_newer_answer(
    store: ProjectStore,
) -> None:
    rows = example(1), example(2)
    first, bad = made_of(store, 1, rows[0]), made_of(store, 2, *rows)
    for made in (first, bad):
        promote_or_wait(store, made, store.current().version, "better", regulated=False)
    rollback(store, OPS)
    blind, child = example(8, side="holdout"), example(9, kind="synthetic")
    again = {
        "another seed": made_of(store, 3, *rows),
        "more blind answers only": made_of(store, 4, *rows, blind),
        "synthetic rows beside": made_of(store, 5, *rows, child),
        "fewer answers": made_of(store, 6, rows[1]),
        "told apart by what was in view": made_of(store, 10, *(seen(row) for row in rows)),
    }
    for what, made in again.items():
        done = promote_or_wait(store, made, first.version, "0.9 beats 0.8", regulated=False)
        assert not done.promoted and not done.waits, what
        assert f"{bad.version} was rolled back by a person" in done.reason, what
    corrected = replace(rows[1], answers=example(2, "B").answers)
    for seed, newer in ((7, (*rows, example(3))), (8, (rows[0], corrected))):
        assert nothing_new(store, made_of(store, seed, *newer)) is None
    newer = made_of(store, 9, *rows, example(3))
    done = promote_or_wait(store, newer, first.version, "better", regulated=False)
    assert done.promoted, "people have answered since"


@pytest.mark.parametrize("regulated", [True, False])
def test_what_was_rolled_back_neither_serves_nor_waits_when_it_is_made_again(
    store: ProjectStore, regulated: bool
) -> None:
    made = made_of(store, 1, example(1))
    promote(store, made.version, ANNA)
    rollback(store, ANNA)
    other = made_of(store, 2, example(1), example(2))
    promote_or_wait(store, other, None, "better", regulated=True)
    done = promote_or_wait(store, made, None, "better", regulated=regulated)
    assert not done.promoted and not done.waits, "store.waiting() would not name it"
    assert f"a person rolled {made.version} back" in done.reason
    waiting = store.waiting()
    assert waiting is not None and waiting.version == other.version, "it waits still"


def test_a_rollback_goes_to_what_served_and_nowhere_else(store: ProjectStore) -> None:
    one, two, three = (made_of(store, n, example(n)).version for n in (1, 2, 3))
    promote(store, one, OPS)
    promote(store, two, OPS)
    with pytest.raises(Impossible, match=f"it never served.*annotune promote 1 {three}"):
        rollback(store, OPS, three)
    rollback(store, OPS, one)
    with pytest.raises(Impossible, match="was rolled back itself"):
        rollback(store, OPS, two)
    promote(store, three, OPS)
    store.quarantine(one, "it is broken")
    with pytest.raises(Impossible, match="it does not load: it is broken"):
        rollback(store, OPS, one)
    assert rollback(store, OPS, "cold").now is None


def test_a_rollback_undoes_a_promotion_by_hand(store: ProjectStore) -> None:
    one, two, three = (made_of(store, n, example(n)).version for n in (1, 2, 3))
    for version in (one, two, three, one):
        promote(store, version, OPS)
    assert rollback(store, OPS).now == three, "what served just before, newer as it is"


class Killed(BaseException):
    """A SIGKILL as far as one process can feel it."""


def deadly(call: Callable[..., Any], rng: random.Random) -> Callable[..., Any]:
    def maybe(*args: Any, **named: Any) -> Any:
        fate = rng.random()
        if fate < 0.15:
            raise Killed
        answer = call(*args, **named)
        if fate < 0.3:
            raise Killed
        return answer

    return maybe


@pytest.mark.parametrize("seed", range(8))
def test_in_regulated_mode_nothing_is_promoted_without_a_name(
    store: ProjectStore, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates, promotions with and without a name, rollbacks, versions that break, and deaths
    before or after any write, in any order: whatever comes to serve was let in by Anna."""
    rng = random.Random(seed)
    store.publish_regulated(True)
    approved: set[str] = set()
    write = deadly(write_atomic, rng)
    monkeypatch.setattr("lora.place.write_atomic", write)
    served = 0
    for step in range(120):
        known = [m.version for m in store.versions()]
        with suppress(Killed, Moved, Impossible):
            deed = rng.choice(["train", "train", "name", "name", "no name", "back", "break"])
            if deed == "train":
                made = made_of(store, step, example(step), config=REGULATED)
                now = store.current().version
                promote_or_wait(store, made, now, "better", regulated=rng.random() < 0.5)
            elif deed == "name" and known:
                version = rng.choice(known)
                approved.add(version)
                promote(store, version, ANNA)
            elif deed == "no name" and known:
                promote(store, rng.choice(known), OPS)
            elif deed == "back":
                rollback(store, OPS, rng.choice([None, "cold", *known]))
            elif deed == "break" and known:
                store.quarantine(rng.choice(known), "broken")
        now = store.current().version
        assert now is None or now in approved
        served += now is not None
        for move in store.moves():
            assert move.what != "promoted" or move.by == "Anna B."
    assert served > 10, "something did serve"
