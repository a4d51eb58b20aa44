"""What the page shows in each state a project can be in, and that it shows it as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lora.progress import Progress
from sync.connect import connect
from sync.loop import turn
from sync.trainings import log_of
from tests.sync.house import House
from tests.sync.page.made import EVIL, PASSWORD, expanded, page_house, past, signed_in
from tests.sync.versioned import committed


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with page_house(tmp_path) as made:
        yield made


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_without_a_project_it_says_how_to_connect_one(house: House) -> None:
    page = signed_in(house).get("/").text
    assert "No project is connected yet" in page and "annotune connect 7" in page


def test_at_the_cold_start_it_says_how_many_answers_are_missing(house: House) -> None:
    connect(house.world, "1")
    house.answer(4)
    turn(house.world, "1")
    client = signed_in(house)
    words = "Cold start serving, 6 answers until the first training"
    assert words in text_of(client.get("/").text)
    page = text_of(client.get("/project/1").text)
    assert words in page and "No version yet" in page and "nothing to tell yet" in page
    assert "No version has a table of labels yet" in page and "no round yet" in page


def test_a_project_with_a_past_has_all_its_parts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    past(house, monkeypatch)
    expanded(house)
    client = signed_in(house)
    page = client.get("/project/1").text
    words = text_of(page)
    (said,) = re.findall(
        r"v7 serving, 80\.0 % ± (\d+\.\d) on 100 blind tasks, ([^.]+?) Serving", words
    )
    assert 5 < float(said[0]) < 11 and said[1] == "25 corrections until the next round"
    charts = [
        json.loads(c.replace("&#34;", '"')) for c in re.findall(r'data-chart="([^"]+)"', page)
    ]
    learning, corrections = charts
    assert learning["promoted"][-9:-8] == [0.8] and learning["kept"][4] == 0.7
    assert len(corrections["rate"]) >= 4 and corrections["rate"][0] > corrections["rate"][-1]
    assert "Rounds, judged on blind answers" in words and "By version, as a table" in words
    assert "From 120 made to 64 kept" in words and "0.94 like its parent" in words
    assert "broken refund 6" in words and "refund 41" in words
    assert words.count("promoted") > 6 and "kept back" in words


def test_texts_names_and_labels_are_never_markup(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.studio.info = replace(house.studio.info, title=f"{EVIL} & co")
    past(house, monkeypatch, rounds=1)
    expanded(house)
    house.world.store.project("1").ask(by=EVIL)
    client = signed_in(house, health={"1": {"problem": EVIL, "ok_at": 1.0}})
    version = house.world.store.project("1").current().version
    pages = ["/", "/project/1", f"/project/1/version/{version}", "/project/1/settings"]
    for path in (
        *pages,
        f"/project/1/diff?before={version}&after={version}",
        "/project/1/rollback",
    ):
        answer = client.get(path)
        assert answer.status_code == 200 and EVIL not in answer.text, path
        assert "&lt;script&gt;" in answer.text, path
    live = client.get("/project/1/live").json or {}
    assert EVIL not in "".join(live["parts"].values())
    missing = client.get("/project/1/version/<script>x")
    assert missing.status_code == 404 and "<script>x" not in missing.text


def test_a_training_shows_how_far_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = past(house, monkeypatch, rounds=1)
    client, store = signed_in(house), house.world.store.project("1")
    with store.training() as free:
        assert free
        page = text_of(client.get("/project/1").text)
        assert "in training (starting)" in page
        progress = Progress(store.folder, "f" * 64)
        progress.stage("fit")
        progress.step(40, 120, 0.25)
        parts = (fresh(house).get("/project/1/live").json or {})["parts"]
        now = text_of(parts["now"])
        assert "In training: fitting" in now and "loss 0.250" in now and "40 of 120 steps" in now
        assert "the last training took 70 s" in now and "Its log" not in now
        log = log_of(house.world.settings.home, "1", "f" * 64)
        log.parent.mkdir()
        log.write_text("line 0\n" * 30 + f"fold 2 of 3 {EVIL}\x1b[2J\n")
        parts = (fresh(house).get("/project/1/live").json or {})["parts"]
        assert "fold 2 of 3 &lt;script" in parts["now"] and "\x1b" not in parts["now"]
        assert parts["now"].count("line 0") == 19
    assert "No training runs:" in text_of(fresh(house).get("/project/1").text)
    assert clock.at


def fresh(house: House):  # type: ignore[no-untyped-def]
    return signed_in(house)


def test_a_problem_comes_with_what_to_do_about_it(house: House) -> None:
    connect(house.world, "1")
    house.jobs.down = True
    health = {"1": {"problem": "Label Studio does not answer (ConnectError)", "ok_at": 1.0}}
    page = text_of(signed_in(house, health=health).get("/project/1").text)
    assert "Label Studio does not answer (ConnectError)" in page
    assert "See that Label Studio runs and answers at http://127.0.0.1:8080" in page
    assert "the queue's Redis does not answer" in page.replace("&#39;", "'")
    assert "Start Redis, or correct ANNOTUNE_QUEUE_URL" in page


def test_a_training_that_was_given_up_is_a_problem(house: House) -> None:
    connect(house.world, "1")
    house.answer(25)
    turn(house.world, "1")
    house.world.log.park("1", house.wanted(), "2 trainings ended without a verdict")
    page = text_of(signed_in(house).get("/").text)
    assert "2 trainings ended without a verdict" in page and "logs/train-*.log" in page


def test_a_project_that_cannot_be_read_does_not_hide_the_others(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.world.log.connect("1", "broken one")
    house.world.log.connect("2", "whole one")
    committed(house.world.store.project("2"), 1)
    (house.world.store.project("1").folder / "CURRENT.json").parent.mkdir(
        parents=True, exist_ok=True
    )
    (house.world.store.project("1").folder / "CURRENT.json").write_text("{")
    page = text_of(signed_in(house).get("/").text)
    assert "cannot be read (BrokenFile)" in page and "whole one" in page
    parts = (signed_in(house).get("/project/1/live").json or {})["parts"]
    assert list(parts) == ["problems"] and "cannot be read (BrokenFile)" in parts["problems"]


def test_secrets_are_never_shown(house: House) -> None:
    own = house.world.settings
    closed = replace(own, studio=replace(own.studio, token="t0ken-of-the-studio"))
    house.world = replace(house.world, settings=closed)
    page = signed_in(house).get("/settings").text
    for secret in ("t0ken-of-the-studio", PASSWORD, "s3cret", "redis://"):
        assert secret not in page
    words = text_of(page)
    assert "ANNOTUNE_STUDIO_TOKEN set (hidden)" in words and "ANNOTUNE_TRAIN_EVERY 25" in words


def test_what_the_label_config_asks_for_is_marked_in_the_settings(house: House) -> None:
    asked = '<View annotune-target="0.95">'
    house.studio.change_config(house.studio.config.replace("<View>", asked))
    connect(house.world, "1")
    words = text_of(signed_in(house).get("/project/1/settings").text)
    assert "ANNOTUNE_GATE_TARGET 0.95 label config" in words


def test_two_versions_are_set_side_by_side(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    past(house, monkeypatch, rounds=2)
    one, two = (m.version for m in house.world.store.project("1").versions())
    client = signed_in(house)
    page = text_of(client.get(f"/project/1/diff?before={one}&after={two}").text)
    assert "From v1 to v2" in page and "candidate 0.460 0.580" in page and "answers 25 50" in page
    assert client.get(f"/project/1/diff?before={one}&after=v9-00000000").status_code == 404
    card = text_of(client.get(f"/project/1/version/{one}").text)
    assert "What became of it" in card and "replaced" in card and "Promote v1" in card
