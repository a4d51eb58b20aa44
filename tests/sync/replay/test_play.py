"""A replay gives answers as the loop would, trains as the loop does, and goes on where it was."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_config import read_schema
from label_config.values import Origin
from lora.expansions import Expansions
from lora.store import ProjectStore, Store
from settings import Augment, Blind, Settings
from sync.challenge import makes_children
from sync.replay import play
from sync.replay.orders import ARMS, Arm, Asked, pushed, turns
from sync.replay.place import Busy, forget_replays
from sync.replay.play import Run, full
from sync.replay.rows import NothingToReplay
from sync.replay.whole import Replay, Wish, write
from sync.terms import read_terms
from tests.sync.replay.made import Workers, put_in, rows, settings


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    return put_in(monkeypatch, Workers())


def a_run(tmp_path: Path, arm: str = "ours", seed: int = 0) -> Run:
    own = settings(tmp_path)
    return Run(rows(), own, ARMS[arm], seed, (10, 20, 40), tmp_path / f"{arm}-{seed}", 2000)


def test_each_count_holds_the_answers_before_it_and_as_many_new_ones(
    tmp_path: Path, workers: Workers
) -> None:
    cells = list(a_run(tmp_path).play())
    assert [c.answers for c in cells] == [10, 20, 40]
    assert [len(c.rows) for c in cells] == [10, 10, 20]
    assert len({name for c in cells for name in c.rows}) == 40
    assert workers.trained == [c.answers - c.blind for c in cells]  # a blind one judges only


def test_blind_rows_come_as_often_as_the_loop_would_serve_them(
    tmp_path: Path, workers: Workers
) -> None:
    cells = list(a_run(tmp_path).play())
    share = Blind()
    assert cells[0].blind == 10 // share.first_in
    there = sum(e.side == "holdout" for e in a_run(tmp_path).ask)
    assert cells[-1].blind == min(there, 40 // share.first_in)


def test_a_killed_run_goes_on_at_the_next_count_and_ends_alike(
    tmp_path: Path, workers: Workers
) -> None:
    whole = [replace(c, seconds=0.0) for c in a_run(tmp_path / "whole").play()]
    before = len(workers.trained)
    killed = a_run(tmp_path / "killed").play()
    next(killed)
    killed.close()
    assert [c.answers for c in a_run(tmp_path / "killed").cells()] == [10]
    list(a_run(tmp_path / "killed").play())
    assert [replace(c, seconds=0.0) for c in a_run(tmp_path / "killed").cells()] == whole
    assert len(workers.trained) == 2 * before  # the first count was not trained again


def test_a_run_cut_off_after_the_training_trains_no_second_time(
    tmp_path: Path, workers: Workers
) -> None:
    run = a_run(tmp_path)
    next(run.play())
    trained = list(workers.trained)
    (run.folder / "cell-000010.json").unlink()  # as if the kill came before it was written
    next(a_run(tmp_path).play())
    assert workers.trained == trained


def test_texts_and_adapters_of_a_run_that_is_over_are_gone(
    tmp_path: Path, workers: Workers
) -> None:
    run = a_run(tmp_path)
    list(run.play())
    left = [p for p in run.folder.rglob("*") if p.is_file()]
    assert {p.name for p in left} == {"cell-000010.json", "cell-000020.json", "cell-000040.json"}
    assert not any("please" in p.read_text() for p in left)


def test_random_order_asks_nobody_and_both_orders_meet_the_same_rows(
    tmp_path: Path, workers: Workers
) -> None:
    ours, random = a_run(tmp_path), a_run(tmp_path, "random")
    assert ours.ask == random.ask
    assert [c.rows for c in ours.play()] != [c.rows for c in random.play()]
    assert a_run(tmp_path, "ours", 1).ask != ours.ask  # another seed, another blind side


def test_only_what_orders_the_next_answers_is_asked_all_rows(
    tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path)
    shown, judge = sum(e.side == "train" for e in run.ask), len(run.rows.judge)
    served = [c.serving for c in run.play()]
    assert workers.answered == [
        ("cold", judge, shown),
        *((v, judge, shown) for v in served[:-1]),
        (served[-1], judge, 0),
    ]
    kept = put_in(monkeypatch, Workers(promotes=False))
    learned = [c.version for c in a_run(tmp_path / "kept").play()]
    assert kept.answered == [("cold", judge, shown), *((v, judge, 0) for v in learned)]


def test_our_order_is_what_is_pushed_and_by_turns_where_there_are_no_vectors() -> None:
    asked = [e for e in rows(60).ask if e.side == "train"]
    rng, schema = np.random.default_rng(0), read_schema(rows().config)
    said: dict[str, dict[str, Any]] = {e.id: {"regions": [], "score": 0.5} for e in asked}
    plain = Asked("1", schema, asked[9:], asked[:9], said, True)
    assert pushed(plain) == turns(plain)
    for one in said.values():
        one["vector"] = base64.b64encode(rng.normal(size=8).astype("<f2").tobytes()).decode()
    places = pushed(plain)
    assert places.keys() == {e.task for e in asked[9:]} and places != turns(plain)
    assert len(set(places.values())) == len(places) and max(places.values()) < 1


def test_what_the_gate_keeps_back_is_learned_and_does_not_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch, Workers(promotes=False))
    cell = list(a_run(tmp_path).play())[-1]
    assert cell.serving is None
    assert cell.served["mean"] == pytest.approx(0.3)  # the cold start
    assert cell.learned["mean"] > cell.served["mean"]


def test_a_training_that_fails_leaves_a_cell_that_says_why(
    tmp_path: Path, workers: Workers
) -> None:
    workers.fails = True
    cell = next(a_run(tmp_path).play())
    assert (cell.version, cell.reason, cell.learned) == (None, "the trainer was killed", {})
    assert cell.best == cell.served


def expanding(tmp_path: Path) -> Run:
    own = replace(settings(tmp_path), augment=Augment(sources="noise"))
    run = a_run(tmp_path, "ours-expanded")
    return replace(run, settings=own)


@pytest.mark.parametrize("arm", ARMS.values(), ids=list(ARMS))
def test_only_arms_that_expand_leave_a_part_of_the_level_to_a_challenger(
    arm: Arm, tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[bool] = []

    def trains(own: Settings, store: ProjectStore, digest: str) -> str:
        weighed.append(makes_children(read_terms(own, rows().config)))  # as sync/jobs.py asks it
        return workers.train(own, store, digest)

    monkeypatch.setattr(play, "train_here", trains)
    monkeypatch.setattr(play, "run", lambda *_, **__: None)
    next(replace(expanding(tmp_path), arm=arm).play())
    assert weighed == [arm.expands]


def test_an_expansion_that_fails_leaves_the_human_version_standing(
    tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise play.TrainingFailed("no memory")

    monkeypatch.setattr(play, "run", fails)
    cell = next(expanding(tmp_path).play())
    assert (cell.expanded, cell.children) == ({}, 0)
    assert cell.best == cell.learned and cell.version == cell.serving


def test_children_make_a_challenger_that_is_told_beside_the_human_version(
    tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expands(argv: list[str], log: Path, *, env: dict[str, str], **_: object) -> None:
        given = dict(zip(argv[3::2], argv[4::2], strict=True))
        store = Store(Path(env["ANNOTUNE_HOME"]) / "store").project(given["--project"])
        human = store.snapshot(given["--snapshot"])
        child = replace(
            human.train[0], id="child", origin=Origin("synthetic", parent=human.train[0].id)
        )
        challenger = store.put_snapshot(replace(human, examples=(*human.examples, child)))
        record = {"challenger": challenger, "kept": [{}], "policy": {"reason": "x"}}
        Expansions(store).put(given["--snapshot"], record)

    monkeypatch.setattr(play, "run", expands)
    cell = next(expanding(tmp_path).play())
    assert cell.children == 1
    assert workers.trained == [cell.answers - cell.blind, cell.answers - cell.blind + 1]
    assert cell.best == cell.expanded and cell.expanded["mean"] > cell.learned["mean"]


def test_what_experts_typed_with_an_answer_teaches_with_it_and_never_judges(
    tmp_path: Path, workers: Workers
) -> None:
    typed = {
        e.id: (replace(e, id=f"typed-{e.id}", origin=Origin("synthetic", parent=e.id)),)
        for e in rows().ask
    }
    run = replace(a_run(tmp_path), rows=replace(rows(), beside=typed))
    cell = next(run.play())
    assert workers.trained == [2 * (cell.answers - cell.blind)]


def test_full_quality_is_learned_once_from_all_answers(tmp_path: Path, workers: Workers) -> None:
    found = [full(rows(), settings(tmp_path), tmp_path) for _ in range(2)]
    assert workers.trained == [60]
    assert found[0] == found[1] == {"mean": 0.9, "label": 0.9}


def test_a_whole_replay_stops_after_some_cells_and_goes_on(
    tmp_path: Path, workers: Workers
) -> None:
    wish = Wish(seeds=(0, 1), counts=3, most=40)
    replay = Replay(rows(), settings(tmp_path), wish, tmp_path)
    assert replay.counts == [10, 20, 40]
    assert replay.play(lambda _: None, 5) == 5
    again = Replay(rows(), settings(tmp_path), wish, tmp_path)
    assert again.missing() == 7
    again.play(lambda _: None)
    told = again.told()
    assert again.missing() == 0 and len(told.cells) == 12
    figure, table = write(told, tmp_path / "out")
    assert figure.read_bytes().startswith(b"\x89PNG") and table.exists()
    assert any("hours are not told" in line for line in told.lines())


def test_two_processes_do_not_work_on_one_replay(tmp_path: Path, workers: Workers) -> None:
    one = Replay(rows(), settings(tmp_path), Wish(counts=2, most=20), tmp_path)
    other = Replay(rows(), settings(tmp_path), Wish(counts=2, most=20), tmp_path)
    with pytest.raises(Busy, match="another process"):
        one.play(lambda _: other.play(print) and None)


def test_forgetting_waits_for_a_replay_at_work_and_removes_what_it_left(
    tmp_path: Path, workers: Workers
) -> None:
    home = tmp_path / "replays"
    replay = Replay(rows(), settings(tmp_path), Wish(counts=2, most=20), home)
    during: list[bool] = []
    replay.play(lambda _: during.append(forget_replays(tmp_path)), 1)
    assert during == [False]
    assert "please" in "".join(p.read_text() for p in home.rglob("*.json"))
    assert forget_replays(tmp_path)
    assert not home.exists()


def test_other_settings_are_another_replay(tmp_path: Path) -> None:
    own, wish = settings(tmp_path), Wish()
    keys = {
        Replay(r, s, w, tmp_path).key
        for r, s, w in (
            (rows(), own, wish),
            (rows(), own, replace(wish, seeds=(7,), goal=0.5)),  # says nothing of what comes out
            (rows(61), own, wish),
            (rows(), replace(own, blind=Blind(share=0.3)), wish),
            (rows(), own, replace(wish, counts=4)),
        )
    }
    assert len(keys) == 4


def of_arms(own: Settings, tmp_path: Path) -> dict[str, tuple[str, str]]:
    """By arm the key and the name of a run's folder."""
    replay = Replay(rows(), own, Wish(), tmp_path)
    runs = ((arm, replay.run(arm, 0).folder) for arm in ARMS.values())
    return {arm.name: (replay.key_of(arm), str(folder)) for arm, folder in runs}


@pytest.mark.parametrize(
    "augment",
    [
        Augment(sources="noise,generate", generator="smollm"),
        Augment(sources="noise", budget=7),
        Augment(sources="noise", generator_tokens=7),
    ],
)
def test_who_makes_children_changes_only_the_arms_that_expand(
    augment: Augment, tmp_path: Path
) -> None:
    own = replace(settings(tmp_path), augment=Augment(sources="noise"))
    before, after = (of_arms(s, tmp_path) for s in (own, replace(own, augment=augment)))
    changed = {name for name, facts in before.items() if after[name] != facts}
    assert changed == {"random-expanded", "ours-expanded"}
    assert all(before[n][i] != after[n][i] for n in changed for i in (0, 1))


@pytest.mark.parametrize(
    "version", ["prompts.VERSION", "profile.measure.VERSION", "versions.RULES"]
)
def test_other_prompts_or_profiles_are_another_expansion(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = of_arms(settings(tmp_path), tmp_path)
    monkeypatch.setattr(f"augment.{version}", 99)
    after = of_arms(settings(tmp_path), tmp_path)
    assert {n for n in before if before[n] != after[n]} == {"random-expanded", "ours-expanded"}


def test_an_arm_alone_is_told_against_the_random_order_that_is_there(
    tmp_path: Path, workers: Workers
) -> None:
    both = Wish(seeds=(0,), counts=2, most=20)
    Replay(rows(), settings(tmp_path), both, tmp_path).play(lambda _: None)
    alone = Replay(rows(), settings(tmp_path), replace(both, arms=("ours",)), tmp_path)
    assert alone.told().arms == ["random", "ours"]
    assert alone.told().against("ours", "mean") is not None


def test_too_few_answers_and_foreign_controls_are_refused_with_the_number(tmp_path: Path) -> None:
    own = settings(tmp_path)
    with pytest.raises(NothingToReplay, match="19 answers to give"):
        Replay(rows(19), own, Wish(), tmp_path)
    foreign = rows().config.replace('name="label"', 'name="topic"')
    with pytest.raises(NothingToReplay, match="predicts topic control"):
        Replay(replace(rows(), config=foreign), own, Wish(), tmp_path)
