"""What people do on the page is what the commands do, under their name, or is refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lora.marks import Waiting
from lora.store import ProjectStore
from tests.sync.house import House
from tests.sync.page.made import page_house, poster, signed_in
from tests.sync.versioned import committed


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with page_house(tmp_path) as made:
        made.world.log.connect("1", "Support messages")
        yield made


@pytest.fixture
def store(house: House) -> ProjectStore:
    return house.world.store.project("1")


@pytest.fixture
def served(store: ProjectStore) -> list[str]:
    """Two versions that served one after the other, and one that never did."""
    made = [committed(store, seed) for seed in (1, 2)]
    store.move_current(None, made[0], by="gate", why="better")
    store.move_current(made[0], made[1], by="gate", why="better still")
    return [*made, committed(store, 3)]


def told(house: House, path: str, **form: str) -> str:
    client = signed_in(house)
    answer = poster(client)(path, **form)
    assert (answer.status_code, answer.location) == (303, "/project/1")
    page: str = client.get("/project/1").text
    assert page != client.get("/project/1").text, "it is told once"
    return page


def test_a_training_is_asked_for_by_name(house: House, store: ProjectStore) -> None:
    assert "Asked for" in told(house, "/project/1/train", name="Grace")
    asked = store.asked()
    assert asked and asked["by"] == "Grace"


def test_a_version_is_promoted_and_the_audit_log_says_by_whom(
    house: House, store: ProjectStore, served: list[str]
) -> None:
    form = {"version": served[2], "serving": served[1], "why": "its spans are better"}
    page = told(house, "/project/1/promote", **form)
    assert "v3 serves now, in the place of v2." in page and "v3 serving" in page
    assert store.current().version == served[2]
    last = house.world.log.audit("1")[-1]
    assert (last.who, last.what, last.why) == ("Ada Ops", "promoted", "its spans are better")
    assert last.detail["login"] == "operators' page"


def test_a_rollback_marks_what_it_leaves(
    house: House, store: ProjectStore, served: list[str]
) -> None:
    page = told(house, "/project/1/rollback", serving=served[1], version=served[0])
    assert "v1 serves again; v2 was rolled back" in page
    assert store.current().version == served[0] and served[1] in store.withdrawn()
    told(house, "/project/1/rollback", serving=served[0], version="cold")
    assert store.current().version is None


def test_who_looked_at_an_older_state_is_asked_to_look_again(
    house: House, store: ProjectStore, served: list[str]
) -> None:
    for deed, version in (("promote", served[2]), ("rollback", served[0])):
        page = told(house, f"/project/1/{deed}", serving=served[0], version=version)
        assert "v2 serves by now, v1 did when you looked" in page
    assert store.current().version == served[1]


@pytest.mark.parametrize(
    ("deed", "form", "why"),
    [
        ("promote", {"version": "v9-00000000"}, "has no version"),
        ("promote", {"version": "../../etc"}, "has no version"),
        ("promote", {}, "has no version"),
        ("rollback", {"version": "v3-"}, "has no version"),
        ("train", {"name": " "}, "a name is needed"),
        ("train", {"name": "annotune"}, "signs what it does by itself"),
        ("promote", {"version": "v1", "why": "x" * 2001}, "has no version"),
    ],
)
def test_what_cannot_be_done_is_said(
    house: House, served: list[str], deed: str, form: dict[str, str], why: str
) -> None:
    page = told(house, f"/project/1/{deed}", **({"serving": served[1]} | form))
    assert "Not done:" in page and why in page
    assert house.world.store.project("1").current().version == served[1]


def test_in_a_regulated_project_the_one_that_waits_is_promoted_by_a_named_person(
    house: House, store: ProjectStore, served: list[str]
) -> None:
    store.publish_regulated(True)
    store.wait_for_person(Waiting(served[2], served[1], "0" * 64, "better", "2026-01-02T03:04:05"))
    page = signed_in(house).get("/project/1").text
    assert f"{served[2]} waits for a named person" in page and "v3 waits for a named" in page
    form = {"version": served[2], "serving": served[1]}
    said = told(house, "/project/1/promote", **form)
    assert "what v3" in said and "cannot be read" in said, "its snapshot is not there to be checked"
    assert store.current().version == served[1]


def test_a_project_that_is_not_connected_has_no_page(house: House) -> None:
    client = signed_in(house)
    for path in ("/project/7", "/project/7/live", "/project/7/version/v1-00000000"):
        assert client.get(path).status_code == 404
    post = poster(client)
    assert post("/project/7/train").status_code == 404
    assert not (house.world.settings.store / "projects" / "7").exists()
