"""Every move of CURRENT is noted with its author, and none that was not made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lora import place as place_module
from lora.errors import NeedsPerson, Withdrawn
from lora.marks import Waiting
from lora.store import ProjectStore
from tests.lora.made import MakeVersion


def test_each_move_says_who_moved_what_and_why(
    project: ProjectStore, make_version: MakeVersion
) -> None:
    one, two = (make_version(seed).version for seed in (1, 2))
    project.move_current(None, one, "gate", "better")
    project.move_current(one, two, "gate", "better still")
    project.move_current(two, one, "anna", "odd", by_hand=True, what="rolled back", login="root")
    got = [(m.version, m.previous, m.by, m.why, m.what, m.login) for m in project.moves()]
    assert got == [
        (one, None, "gate", "better", "promoted", ""),
        (two, one, "gate", "better still", "promoted", ""),
        (one, two, "anna", "odd", "rolled back", "root"),
    ]
    assert [m.moved_at for m in project.moves()][-1] == project.current().moved_at
    assert project.withdrawn() == {two}, "the mark is part of the rollback"


def test_a_move_cut_off_before_current_is_not_told_and_gives_way_to_the_next(
    project: ProjectStore, make_version: MakeVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (make_version(seed).version for seed in (1, 2))
    project.move_current(None, one, "gate", "better")
    write = place_module.write_atomic

    def dies(path: Any, text: str) -> None:
        if path.name == "CURRENT.json":
            raise KeyboardInterrupt
        write(path, text)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(place_module, "write_atomic", dies)
        project.move_current(one, two, "bert", "never made")
    assert [m.by for m in project.moves()] == ["gate"]
    project.move_current(one, two, "anna", "made")
    assert [(m.by, m.why) for m in project.moves()] == [("gate", "better"), ("anna", "made")]


def test_a_current_that_an_older_program_wrote_counts_as_a_move(
    project: ProjectStore, make_version: MakeVersion
) -> None:
    one, two = (make_version(seed).version for seed in (1, 2))
    project.move_current(None, one, "gate", "better")
    (project.folder / "moves.json").unlink()
    assert [(m.version, m.by) for m in project.moves()] == [(one, "gate")]
    project.move_current(one, two, "anna", "")
    assert [m.version for m in project.moves()] == [one, two]
    raw = json.loads((project.folder / "CURRENT.json").read_text())
    newer = raw | {"version": one, "previous": two, "moved_at": "2099-01-01T00:00:00+00:00"}
    (project.folder / "CURRENT.json").write_text(json.dumps(newer))
    assert [m.version for m in project.moves()] == [one, two, one]


def test_in_a_regulated_project_nothing_but_a_person_promotes(
    project: ProjectStore, make_version: MakeVersion
) -> None:
    one, two = (make_version(seed).version for seed in (1, 2))
    project.publish_regulated(True)
    with pytest.raises(NeedsPerson, match="a named person promotes"):
        project.move_current(None, one, "gate", "better")
    project.move_current(None, one, "anna", "fine", by_hand=True)
    project.move_current(one, two, "anna", "fine", by_hand=True)
    project.move_current(two, one, "annotune", "it does not load", what="fell back")
    project.publish_regulated(False)
    project.move_current(one, two, "gate", "better")


def test_a_version_in_quarantine_comes_back_by_hand_only_and_is_made_anew(
    project: ProjectStore, make_version: MakeVersion
) -> None:
    made = make_version(1)
    project.quarantine(made.version, "it is odd")
    with pytest.raises(Withdrawn, match="it is odd"):
        project.move_current(None, made.version, "gate", "")
    again = make_version(1)
    assert (again.version != made.version, again.recipe) == (True, made.recipe)
    project.move_current(None, made.version, "anna", "mended", by_hand=True)
    assert project.quarantined() == {}


def test_who_stands_in_served_just_before_or_else_once(
    project: ProjectStore, make_version: MakeVersion
) -> None:
    one, two, three, kept, last = (make_version(seed).version for seed in range(1, 6))
    for before, version in ((None, one), (one, two), (two, three), (three, last), (last, one)):
        project.move_current(before, version, "anna", "", by_hand=True)
    assert project.stand_ins(one) == [last], "who served just before, though it is newer"
    assert project.stand_ins(last) == [three, two, one]
    assert project.stand_ins(None) == [last, three, two, one] and kept not in project.served()
    project.set_withdrawn(three, True)
    project.quarantine(two, "broken")
    assert project.stand_ins(last) == [one]


def test_what_waits_gives_way_once_something_else_serves_than_it_was_judged_against(
    project: ProjectStore, make_version: MakeVersion
) -> None:
    one, two, three = (make_version(seed).version for seed in (1, 2, 3))
    project.move_current(None, one, "anna", "", by_hand=True)
    for version in (two, three):
        project.wait_for_person(Waiting(version, one, "a" * 64, "better", "2026-01-01T00:00"))
    waiting = project.waiting()
    assert waiting is not None and waiting.version == three, "the newer one took its place"
    project.move_current(one, two, "anna", "", by_hand=True)
    assert project.waiting() is None
    project.move_current(two, one, "anna", "", by_hand=True, what="rolled back")
    assert project.waiting() == waiting
    project.set_withdrawn(three, True)
    assert project.waiting() is None
