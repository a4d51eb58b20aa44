"""Nothing is imported twice, whatever was cut off; against a Label Studio of a few lines."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sync.start import fill as filling
from sync.start.api import StudioApi, StudioRefused
from sync.start.fill import fill
from sync.start.house import House
from sync.start.own import Columns, Own, read_own


class Cut(Exception):
    """The machine went off."""


class FewLines:
    """Projects with tasks that are all predicted at once; `cut`: where it goes off, once."""

    def __init__(self) -> None:
        self.projects: dict[int, dict[str, Any]] = {}
        self.made, self.cut = 0, ""

    def call(self, method: str, path: str, **options: Any) -> Any:
        if path == "/api/projects/":
            self.made += 1
            self.projects[self.made] = {**options["json"], "tasks": []}
            return {"id": self.made}
        if path == "/api/tasks":
            return {"total": 0}
        number, what = re.fullmatch(r"/api/projects/(\d+)/(.*)", path).groups()  # type: ignore[union-attr]
        if int(number) not in self.projects:
            raise StudioRefused("no such project", 404)
        project = self.projects[int(number)]
        if method == "PATCH":
            project.update(options["json"])
        if what == "import":
            cut, self.cut = self.cut, ""
            if cut == "before":
                raise Cut
            project["tasks"] += options["json"]
            if cut == "after":
                raise Cut
        return {"task_number": len(project["tasks"]), "model_version": "cold"}


class Place:
    """A home, a CSV and a Label Studio; `run` is one `annotune start`."""

    def __init__(self, folder: Path) -> None:
        self.csv, self.api, self.connected = folder / "own.csv", FewLines(), [""]
        command = lambda *words: self.connected.append(" ".join(words))  # noqa: E731
        self.house = cast(House, SimpleNamespace(folder=folder, command=command))

    def own(self, texts: str, **more: Any) -> Own:
        self.csv.write_text("text\n" + "\n".join(texts))
        return read_own(self.csv, Columns(labels=("a", "b"), **more))

    def run(self, own: Own) -> tuple[int, int]:
        done = fill(self.house, cast(StudioApi, self.api), own, lambda _: None)
        return done.project, done.imported

    def gone(self, own: Own) -> tuple[str, ...]:
        return fill(self.house, cast(StudioApi, self.api), own, lambda _: None).gone

    def texts(self, project: int = 1) -> str:
        return "".join(t["data"]["text"] for t in self.api.projects[project]["tasks"])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(filling, "IMPORT", 2)
    return Place(tmp_path)


def test_a_second_start_imports_only_what_is_new(place: Place) -> None:
    assert place.run(place.own("vwxx")) == (1, 4)
    assert place.run(place.own("vwxx")) == (1, 0)
    assert place.run(place.own("uvwxxx")) == (1, 2)
    assert sorted(place.texts()) == list("uvwxxx")
    assert place.connected[1:] == ["connect 1"] * 3


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_import_that_was_cut_off_is_neither_lost_nor_doubled(place: Place, when: str) -> None:
    place.run(place.own("uv"))
    place.api.cut = when
    with pytest.raises(Cut):
        place.run(place.own("uvwxyz"))
    place.run(place.own("uvwxyz"))
    assert sorted(place.texts()) == list("uvwxyz")


def test_a_task_deleted_there_does_not_come_back(place: Place) -> None:
    place.run(place.own("uv"))
    del place.api.projects[1]["tasks"][0]
    assert place.run(place.own("uv")) == (1, 0)


def test_a_project_deleted_there_is_made_again(place: Place) -> None:
    place.run(place.own("uv"))
    del place.api.projects[1]
    assert place.run(place.own("uv")) == (2, 2)


def test_other_labels_change_the_project_and_the_same_leave_it_alone(place: Place) -> None:
    own = place.own("uv")
    place.run(own)
    place.api.projects[1]["label_config"] = "changed by hand"
    place.run(own)
    assert place.api.projects[1]["label_config"] == "changed by hand"
    place.run(replace(own, config=own.config.replace('"b"', '"c"')))
    assert '<Choice value="c"/>' in place.api.projects[1]["label_config"]


def test_labels_that_are_no_more_are_said_once(place: Place) -> None:
    own = place.own("uv")
    assert place.gone(own) == ()
    other = replace(own, config=own.config.replace('"b"', '"c"'))
    assert place.gone(other) == ("b",)
    assert place.gone(other) == ()


def test_another_file_has_a_project_of_its_own(place: Place) -> None:
    place.run(place.own("uv"))
    place.csv = place.csv.with_name("other.csv")
    assert place.run(place.own("uv")) == (2, 2)
