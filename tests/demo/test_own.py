"""`annotune start` on a CSV of somebody's own."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sync import cli_start
from sync.cli import main
from sync.start.api import StudioApi
from sync.start.house import House, in_words

CSV = Path(__file__).with_name("own.csv")
ASKED = ["start", str(CSV), "--text", "message", "--label", "kind"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith("ANNOTUNE_")]:
        monkeypatch.delenv(name)
    yield
    os.environ.clear()
    os.environ.update(before)


def start(*more: str) -> Result:
    return CliRunner().invoke(main, [*ASKED, *more], catch_exceptions=False)


def test_a_bad_csv_is_refused_before_anything_starts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    refused = start("--label", "colour", "--home", str(home))
    assert (refused.exit_code, home.exists()) == (2, False)
    assert "has no column 'colour'; it has 'ticket', 'message', 'kind'" in refused.output


def test_a_second_start_on_a_home_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Result] = []

    @contextmanager
    def opened(*_: object) -> Iterator[House]:
        asked.append(start("--home", str(tmp_path)))
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(cli_start, "open_house", opened)
    assert start("--home", str(tmp_path)).exit_code == 0
    assert (asked[0].exit_code, "already runs on" in asked[0].output) == (5, True)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = start("--home", str(tmp_path / "file" / "home"))
    assert refused.exit_code == 5
    assert "home cannot be written: Not a directory; name another folder" in refused.output


def test_ctrl_c_while_all_starts_is_answered_and_a_second_one_spoils_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stopped: list[str] = []

    @contextmanager
    def opened(*_: object) -> Iterator[House]:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            stopped.append("whole")
        yield

    monkeypatch.setattr(cli_start, "open_house", opened)
    done = start("--home", str(tmp_path))
    assert (done.exit_code, done.output.count("Stopping ..."), stopped) == (0, 1, ["whole"])


def test_the_commands_to_go_on_with_are_those_of_where_one_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/.venv/bin/python")
    monkeypatch.chdir(tmp_path)
    assert in_words(Path("/my home")) == (
        ".venv/bin/python -m sync.cli --env-file '/my home/annotune.env'"
    )
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "executable", "/opt/x/python")
    (tmp_path / "annotune").touch(mode=0o755)
    assert in_words(Path("/h")) == "annotune --env-file /h/annotune.env"


def test_settings_of_training_count_and_those_of_listening_do_not() -> None:
    given = {"ANNOTUNE_TRAIN_BASE": "smollm", "ANNOTUNE_BACKEND_HOST": "0.0.0.0", "PATH": "/bin"}
    assert cli_start.wished(given) == {
        "ANNOTUNE_TRAIN_BASE": "smollm",
        "ANNOTUNE_BACKEND_DTYPE": "auto",
    }


@pytest.mark.real
@pytest.mark.model
def test_a_csv_becomes_a_pre_annotated_project_and_nothing_twice(
    house: House, studio_api: StudioApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the session's Label Studio, backend and sync; `annotune start` would start its own."""

    @contextmanager
    def opened(*_: object) -> Iterator[House]:
        yield house

    monkeypatch.setattr(cli_start, "open_house", opened)
    done = start("--home", str(tmp_path), "--exit", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["imported"], told["tasks"], told["open"]) == (30, 30, 24)
    tasks = held(studio_api, told["project"])
    labelled = {t["data"]["ticket"]: t["annotations"][0] for t in tasks if t["annotations"]}
    assert len(labelled) == 6
    assert labelled["103"]["result"][0]["value"] == {"choices": ["Invoice"]}
    shown = [t["predictions"][-1]["result"] for t in tasks if not t["annotations"]]
    assert len(shown) == 24  # each has a prediction; a blind one's is empty
    said = [region["value"]["choices"][0] for result in shown for region in result]
    assert len(said) >= 12 and set(said) <= {"Delivery", "Invoice", "Return"}
    assert all("kind" not in task["data"] for task in tasks)

    interrupt_when_ready(monkeypatch)
    again = start("--home", str(tmp_path))
    assert again.exit_code == 0 and "Everything keeps running" in again.output, again.output
    assert "Of 30 tasks 6 are answered; the other 24 open with a suggestion," in again.output
    assert "0 rows imported" in again.output and f"/projects/{told['project']}/" in again.output
    assert house.studio.account.password in again.output
    assert "opens empty on purpose" in again.output and "Stopped." in again.output
    assert len(held(studio_api, told["project"])) == 30


def held(api: StudioApi, project: int) -> list[dict[str, Any]]:
    query = {"project": project, "page_size": 100, "fields": "all"}
    found: list[dict[str, Any]] = api.call("GET", "/api/tasks", params=query)["tasks"]
    return found


def interrupt_when_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C as soon as it only waits."""
    stay = cli_start._stay

    def pressed() -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    def stayed(*arguments: Any) -> None:
        threading.Thread(target=pressed).start()
        stay(*arguments)

    monkeypatch.setattr(cli_start, "_stay", stayed)
