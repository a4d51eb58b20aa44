"""Forgetting: no file of the home holds it afterwards, and no pull brings it back."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from label_config import Snapshot
from lora.errors import Forgotten
from lora.expansions import Expansions
from lora.forget import erase, find
from lora.marks import locked
from lora.store import ProjectStore
from lora.wishes import Kind
from sync import forget, log_forget
from sync.augmented import _human
from sync.backups import Backups
from sync.connect import connect
from sync.forget import told, wish_of
from sync.groups import Place
from sync.log import Log
from sync.loop import turn
from sync.operate import Impossible, Person
from sync.studio_values import StudioError, StudioLike
from tests.sync.house import ANSWER, House
from tests.sync.reviewed import record_of, reviewed, says
from tests.sync.versioned import committed

OPS = Person("root", "Anna")


def sentence(n: int) -> str:
    """One that nothing else looks like, so that it is a group of its own."""
    words = hashlib.sha256(str(n).encode()).hexdigest()
    return " ".join(words[i : i + 6] for i in range(0, 60, 6))


@dataclass(frozen=True)
class Planted:
    """A task whose text is everywhere it can be, and the versions before and after it taught."""

    house: House
    task: int
    one: str
    two: str

    @property
    def text(self) -> str:
        return str(self.house.world.log.tasks("1", [self.task])[0].data["text"])


def holds(house: House, text: str) -> list[str]:
    """Files of the home that hold the text."""
    home, found = house.world.settings.home, []
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        if text.encode() in path.read_bytes():
            found.append(str(path.relative_to(home)))
    return found


def store_of(house: House) -> ProjectStore:
    return house.world.store.project("1")


def grant(log: Log, studio: StudioLike, store: ProjectStore) -> str | None:
    return forget.grant(log, studio, store, Backups(store.folder.parents[2], Path("/nowhere")))


def made_from(house: House, seed: int, snapshot: str) -> str:
    return committed(store_of(house), seed, snapshot)


def wish(house: House, kind: Kind, number: int, **named: Any) -> dict[str, Any]:
    """Ask for it and let a turn do it."""
    asked = wish_of(kind, number, OPS, "they asked us to", **named)
    store_of(house).wish(asked)
    done = turn(house.world, "1")
    assert not [p for p in done.problems if "forgetting" in p], done.problems
    found = told(house.world.log, store_of(house), asked)
    assert found is not None
    return found


@pytest.fixture
def planted(house: House) -> Planted:
    """Two rounds; the planted task taught the second one's version, which serves, its children
    are under review, and its text is everywhere it can be."""
    connect(house.world, "1")
    blind = store_of(house).blind()
    house.answer(6)
    turn(house.world, "1")
    first = house.wanted()
    one = made_from(house, 1, first)
    store_of(house).move_current(None, one, "gate", "better")
    house.judge(first)
    for n in range(20):  # which side a task falls on is drawn; one on the train side is needed
        task = house.studio.add_task(sentence(n))
        turn(house.world, "1")
        if task not in store_of(house).blind() | blind:
            break
        house.studio.tasks.pop(task)
    house.studio.annotate(task, ANSWER, author=2)
    house.answer(6)
    turn(house.world, "1")
    second = house.wanted()
    assert any(e.task == task for e in store_of(house).snapshot(second).train)
    two = made_from(house, 2, second)
    store_of(house).move_current(one, two, "gate", "better")
    house.judge(second)
    turn(house.world, "1")
    record_of(house, second)
    (store_of(house).folder / "expansions" / "written.jsonl").write_text(json.dumps(sentence(n)))
    turn(house.world, "1")
    reviewed(house).annotate(sorted(reviewed(house).tasks)[0], says("A"), author=1)
    turn(house.world, "1")
    store_of(house).publish_pool([{"text": sentence(n)}, {"text": "something else"}])
    return Planted(house, task, one, two)


def test_a_task_goes_from_every_file_and_comes_back_by_no_pull(
    planted: Planted,
) -> None:
    house, task, one, two = planted.house, planted.task, planted.one, planted.two
    text = planted.text
    store, log = store_of(house), house.world.log
    before = holds(house, text)
    for kind in ("log.db", "snapshots/", "expansions/", "written.jsonl", "pool.json"):
        assert any(kind in name for name in before), kind
    said = wish(house, "task", task)
    assert holds(house, text) == []
    assert said["retired"] == [two] and said["left"] == two and said["answers"] == 1
    assert store.current().version == one, "the newest clean one serves"
    assert [m.version for m in store.versions()] == [one]
    assert house.studio.others == {}, "the review showed it"
    assert task in house.studio.tasks, "Label Studio is another matter"
    assert log.wanted("1") is not None, "a new one is to be trained"
    assert all(e.task != task for e in store.snapshot(house.wanted()).examples)
    turn(house.world, "1", sweep=True)
    assert task not in log.sides("1") and holds(house, text) == []
    entry = next(e for e in log.audit("1") if e.what == "forgot")
    assert (entry.who, entry.subject, entry.why) == ("Anna", f"task {task}", "they asked us to")
    assert entry.detail["retired"] == [two] and text not in str(entry.to_dict())


def test_a_clean_version_stays_and_pulls_do_not_read_everything_each_turn(
    planted: Planted,
) -> None:
    house, task = planted.house, planted.task
    wish(house, "task", task)
    turn(house.world, "1")
    asked = house.studio.lists
    turn(house.world, "1")
    again = house.studio.lists - asked
    house.studio.tasks.pop(task)
    asked = house.studio.lists
    turn(house.world, "1")
    assert house.studio.lists - asked == again


def test_one_annotation_goes_and_its_task_stays(planted: Planted) -> None:
    house, task, two = planted.house, planted.task, planted.two
    (annotation,) = house.studio.tasks[task].annotations
    said = wish(house, "annotation", annotation.id)
    log = house.world.log
    assert said["retired"] == [two] and task in log.sides("1")
    assert annotation.id not in {a.id for a in log.current_annotations("1")}
    turn(house.world, "1", sweep=True)
    assert annotation.id not in {a.id for a in log.current_annotations("1")}
    later = house.studio.annotate(task, ANSWER, author=1)
    turn(house.world, "1")
    assert {a.id for a in log.current_annotations("1") if a.task == task} == {later.id}


def test_an_annotators_work_goes_but_not_what_they_do_later(
    planted: Planted,
) -> None:
    house, task, two = planted.house, planted.task, planted.two
    said = wish(house, "annotator", 2)
    assert (said["answers"], said["retired"]) == (1, [two])
    assert not [a for a in house.world.log.current_annotations("1") if a.author == 2]
    house.studio.annotate(task, ANSWER, author=2)
    turn(house.world, "1")
    assert len([a for a in house.world.log.current_annotations("1") if a.author == 2]) == 1


def test_there_deletes_it_in_label_studio_too(planted: Planted) -> None:
    house, task = planted.house, planted.task
    wish(house, "task", task, there=True)
    assert task not in house.studio.tasks
    with pytest.raises(Impossible, match="by hand"):
        wish_of("annotator", 2, OPS, there=True)


def test_what_label_studio_does_not_delete_keeps_nobody_from_annotating(planted: Planted) -> None:
    house, store, text = planted.house, store_of(planted.house), planted.text
    store.wish(wish_of("task", planted.task, OPS))
    house.studio.fail_next = [StudioError("403, no such right")]
    done = turn(house.world, "1")
    assert any("forgetting is not over: 403" in p for p in done.problems)
    assert done.pushed is not None and store.wishes()
    turn(house.world, "1")
    assert not store.wishes() and holds(house, text) == []


def test_who_only_approved_children_is_known_too(planted: Planted) -> None:
    house = planted.house
    child = sorted(reviewed(house).tasks)[1]
    reviewed(house).annotate(child, says("A"), author=9)
    turn(house.world, "1")
    log, asked = house.world.log, wish_of("annotator", 9, OPS)
    assert log.knows("1", asked) and not log.knows("1", wish_of("annotator", 8, OPS))
    wish(house, "annotator", 9)
    snapshot = log.reviews("1")[0].snapshot
    assert {d.author for d in log.decisions("1", snapshot)} == {1}, "nor is it heard again"
    reviewed(house).annotate(child, says("A"), author=9)
    turn(house.world, "1")
    assert {d.author for d in log.decisions("1", snapshot)} == {1, 9}, "what they say later counts"


def test_a_dry_run_is_about_a_snapshot_that_is_still_there(planted: Planted) -> None:
    house = planted.house
    first, second = _human(house.world, "1")
    wish(house, "task", planted.task)
    assert _human(house.world, "1") == [first, house.wanted()] and house.wanted() != second


def test_what_a_replay_left_goes_whole_and_one_at_work_is_waited_for(house: House) -> None:
    connect(house.world, "1")
    house.answer(2)
    turn(house.world, "1")
    task = next(iter(house.world.log.current_annotations("1"))).task
    store = store_of(house)
    rows = store.folder / "replays" / "0123" / "ours-0" / "rows.json"
    rows.parent.mkdir(parents=True)
    rows.write_text(house.world.log.tasks("1", [task])[0].data["text"])  # type: ignore[arg-type]
    store.wish(wish_of("task", task, OPS))
    with locked(rows.parents[1] / "lock", 0.0) as free:
        assert free
        waits = grant(house.world.log, house.world.studio, store)
    assert waits is not None and "waits for the replay under way" in waits
    assert grant(house.world.log, house.world.studio, store) is None
    assert not (store.folder / "replays").exists()


def test_it_waits_for_a_training_and_that_training_comes_to_nothing(
    planted: Planted,
) -> None:
    house, task, text = planted.house, planted.task, planted.text
    store, world = store_of(house), house.world
    asked = wish_of("task", task, OPS)
    store.wish(asked)
    for busy in (store.training(), Expansions(store).expanding()):
        with busy:
            assert "waits for the training" in str(grant(world.log, world.studio, store))
            assert told(world.log, store, asked) is None and holds(house, text)
    snapshots = set(store.folder.glob("snapshots/*.json"))
    assert grant(world.log, world.studio, store) is None and holds(house, text) == []
    (gone,) = {p.stem for p in snapshots} - {p.stem for p in store.folder.glob("snapshots/*.json")}
    with pytest.raises(Forgotten):
        committed(store, 9, gone)
    assert committed(store, 9).startswith("v3-"), "a number is used once"


def test_what_was_only_judged_on_it_is_not_retired(house: House) -> None:
    connect(house.world, "1")
    house.answer(30)
    turn(house.world, "1")
    frozen = store_of(house).snapshot(house.wanted())
    made = made_from(house, 1, frozen.hash)
    said = wish(house, "task", frozen.holdout[0].task)
    assert said["retired"] == [] and said["snapshots"] == 1
    assert [m.version for m in store_of(house).versions()] == [made]


def test_a_snapshot_that_went_for_a_text_it_shares_is_frozen_again(house: House) -> None:
    """It never held the task, so without the task the log freezes to the same bytes."""
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    shared = store_of(house).snapshot(house.wanted()).pool[0]["text"]
    for n in range(40):
        task = house.studio.add_task(sentence(n), note=shared)
        turn(house.world, "1")
        if task in store_of(house).blind():  # in no pool
            break
        house.studio.tasks.pop(task)
    turn(house.world, "1", sweep=True)
    store_of(house).ask("somebody")
    house.judge(house.wanted())
    turn(house.world, "1")
    snapshot = house.wanted()
    assert wish(house, "task", task)["snapshots"] == 1
    assert house.wanted() == snapshot and snapshot not in store_of(house).forgotten()
    assert store_of(house).snapshot(snapshot).pool


MARKUP = """<View><HyperText name="t" value="$html"/><Choices name="c" toName="t">
<Choice value="A"/><Choice value="B"/></Choices></View>"""
ADDRESS = MARKUP.replace("HyperText", "Text").replace("$html", '$html" valueType="url')


@pytest.mark.parametrize("config", [MARKUP, ADDRESS])
def test_a_pool_holds_texts_otherwise_than_tasks_do(house: House, config: str) -> None:
    """Without its markup; or fetched, where nobody can tell whose text it is and all go."""
    log, store = house.world.log, store_of(house)
    connect(house.world, "1")
    log.see_config("1", config)
    task = house.studio.add_task("x", html="<p>owes <b>4711</b> crowns</p>")
    log.append("1", [house.studio.tasks[task]], {task: Place("g", False)})
    lost = log.lost("1", wish_of("task", task, OPS))
    pool = ({"html": "owes 4711 crowns"}, {"html": "another"})
    frozen = Snapshot("1", config, (), pool)
    store.put_snapshot(frozen)
    store.publish_pool(pool)
    found = find(store, lost)
    assert found.snapshots == {frozen.hash}
    erase(store, found, lost)
    assert list(store.pool()) == ([] if config == ADDRESS else [{"html": "another"}])


def test_a_log_that_somebody_writes_to_keeps_the_wish_and_says_so(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, store, world = planted.house, store_of(planted.house), planted.house.world
    text = planted.text
    store.wish(wish_of("task", planted.task, OPS))
    monkeypatch.setattr(log_forget, "BUSY_TRIES", 1)
    erased = world.log.erase

    def then_busy(*args: Any) -> None:
        erased(*args)
        other.execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(world.log, "erase", then_busy)
    with closing(sqlite3.connect(world.settings.home / "log.db", isolation_level=None)) as other:
        assert "database is locked" in str(grant(world.log, world.studio, store))
        assert store.wishes()
    monkeypatch.setattr(world.log, "erase", erased)
    assert grant(world.log, world.studio, store) is None
    assert not store.wishes() and holds(house, text) == []


class Killed(BaseException):
    """A SIGKILL as far as one process can feel it."""


def deadly(call: Callable[..., Any], rng: random.Random) -> Callable[..., Any]:
    def maybe(*args: Any, **named: Any) -> Any:
        fate = rng.random()
        if fate < 0.06:
            raise Killed
        answer = call(*args, **named)
        if fate < 0.12:
            raise Killed
        return answer

    return maybe


@pytest.mark.parametrize("seed", range(6))
def test_cut_off_anywhere_it_ends_in_the_same_place(
    planted: Planted, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, task, one, two = planted.house, planted.task, planted.one, planted.two
    text = planted.text
    rng, store, world = random.Random(seed), store_of(house), house.world
    asked = wish_of("task", task, OPS)
    store.wish(asked)
    with monkeypatch.context() as patch:
        for target, names in (
            (world.log, ("erase", "enter", "scrub", "close_review")),
            (house.studio, ("delete_project",)),
        ):
            for name in names:
                patch.setattr(target, name, deadly(getattr(target, name), rng))
        for name in ("retire", "move_current", "drop_verdict", "publish_pool", "granted", "sweep"):
            patch.setattr(ProjectStore, name, deadly(getattr(ProjectStore, name), rng))
        patch.setattr("shutil.rmtree", deadly(__import__("shutil").rmtree, rng))
        patch.setattr(Path, "unlink", deadly(Path.unlink, rng))
        for _ in range(200):
            with suppress(Killed):
                if grant(world.log, world.studio, store) is None and not store.wishes():
                    break
        else:
            raise AssertionError("it never ended")
    assert holds(house, text) == []
    assert store.current().version == one and house.studio.others == {}
    entries = [e for e in world.log.audit("1") if e.what == "forgot"]
    assert len(entries) == 1 and entries[0].detail["retired"] == [two]
    done = turn(world, "1")
    assert done.problems == [] and world.log.wanted("1") is not None
