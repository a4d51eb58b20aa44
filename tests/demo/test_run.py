"""`make demo` from an empty folder: the main job, with few answers; Ctrl-C; a second start.

SCREENSHOTS=1 renews the picture in the README from what the trained adapter shows here.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page

from demo.rounds import goals, holdout
from demo.run import ENDS, main
from sync.start.api import StudioApi
from sync.start.house import House
from sync.start.studio import Account

FEW = ["--labels", "40", "--every", "20", "--pace", "0.05"]
FIRST_S, SECOND_S = 900.0, 240.0
PICTURE = Path("docs/images/annotate.png")


def test_a_continued_run_plays_only_the_rounds_that_are_left() -> None:
    assert list(goals(0, 200, 25)) == [25, 50, 75, 100, 125, 150, 175, 200]
    assert list(goals(110, 200, 25)) == [125, 150, 175, 200]
    assert list(goals(200, 200, 25)) == []


def test_the_holdout_column_is_the_serving_versions_score() -> None:
    scores = {"candidate": {"mean": 0.8}, "champion": {"mean": 0.7}, "cold": {"mean": 0.5}}
    assert holdout({"promoted": True, "scores": scores}) == 0.8
    assert holdout({"promoted": False, "scores": scores}) == 0.7
    assert holdout({"promoted": False, "scores": {**scores, "champion": None}}) == 0.5


def test_a_folder_without_data_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["--data", str(tmp_path), "--folder", str(tmp_path / "state")]) == 1
    assert "train.jsonl (or .gz) cannot be read" in capsys.readouterr().out
    assert not (tmp_path / "state").exists()


def test_ctrl_c_while_all_starts_is_answered_and_a_second_one_spoils_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stopped: list[str] = []

    @contextmanager
    def opened(*_: object) -> Iterator[House]:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGTERM)
            stopped.append("whole")
        yield

    before = [(number, signal.getsignal(number)) for number in ENDS]
    monkeypatch.setattr("demo.run.open_house", opened)
    try:
        code = main(["--folder", str(tmp_path)])
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    assert (code, stopped) == (0, ["whole"])
    assert capsys.readouterr().out.count("Stopping ...") == 1


def demo(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "demo", "--folder", str(folder), *FEW, *arguments]
    with (folder.parent / "demo.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ)


def wait(running: subprocess.Popen[bytes], ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.5)


def ports(folder: Path) -> list[int]:
    account = json.loads((folder / "label-studio" / "account.json").read_text())
    return [account["port"], *json.loads((folder / "ports.json").read_text()).values()]


def open_ports(folder: Path) -> list[int]:
    def answers(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return [port for port in ports(folder) if answers(port)]


def look(sign_in: Callable[[Account], Page], folder: Path) -> None:
    """In the browser a task opens with the adapter's choice ticked and its spans marked."""
    account = Account(**json.loads((folder / "label-studio" / "account.json").read_text()))
    with StudioApi(account.url, account.token) as api:
        query = {"project": 1, "page_size": 300, "fields": "all"}
        found = api.call("GET", "/api/tasks", params=query)["tasks"]
    waiting = [t for t in found if t["predictions"] and not t["annotations"]]
    marked = {t["id"]: len(t["predictions"][-1]["result"]) for t in waiting}
    best = max(marked, key=lambda task: marked[task])
    page = sign_in(account)
    page.goto(f"{account.url}/projects/1/data?task={best}", wait_until="commit")
    page.wait_for_selector(".htx-highlight")
    page.wait_for_function("() => document.querySelector('.lsf-choice input:checked')")
    if os.environ.get("SCREENSHOTS"):
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(1000)
        page.screenshot(path=PICTURE)


@pytest.mark.real
@pytest.mark.model
def test_the_demo_learns_keeps_running_stops_whole_and_goes_on(
    tmp_path: Path, sign_in: Callable[[Account], Page]
) -> None:
    folder, log, told = tmp_path / "state", tmp_path / "demo.log", tmp_path / "table.json"
    first = demo(folder, "--json", str(told))
    try:
        wait(first, lambda: "Everything keeps running" in log.read_text(), FIRST_S)
        family = psutil.Process(first.pid).children(recursive=True)
        assert len(open_ports(folder)) == 3 and len(family) >= 6
        look(sign_in, folder)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 0, log.read_text()
        assert open_ports(folder) == []
        assert psutil.wait_procs(family, 10)[1] == []
        check(json.loads(told.read_text()))
        again = demo(folder, "--exit", "--json", str(told))
        assert again.wait(SECOND_S) == 0, log.read_text()
        assert [r["labels"] for r in json.loads(told.read_text())["rounds"]] == [20, 40]
    finally:
        if first.poll() is None:
            first.send_signal(signal.SIGINT)
            first.wait(60)
        print(log.read_text())


def check(table: dict[str, Any]) -> None:
    """The table's promises that hold for any data."""
    assert table["cold_start"]["test"] > 0.5
    assert table["cold_start"]["version"].startswith("cold-")
    assert [r["labels"] for r in table["rounds"]] == [20, 40]
    assert table["promotions"] >= 1, [r["reason"] for r in table["rounds"]]
    promoted = [r for r in table["rounds"] if r["promoted"]]
    assert all(r["version"].startswith("v") and r["trigger_to_serving_s"] > 0 for r in promoted)
    assert (table["predict_failed"], table["mixed"]) == (0, 0), table["failures"]
    assert table["predict_requests"] > 100 and table["predict_per_s"] >= 5
