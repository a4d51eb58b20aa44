"""doctor, init and logs as people and programs run them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from settings import load
from sync import cli_ops
from sync.cli import _environment, main
from sync.doctor.doctor import Examined
from sync.doctor.finding import ok, problem
from sync.logs import log_file


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, no setting of ours; the command may change os.environ."""
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith("ANNOTUNE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield
    os.environ.clear()
    os.environ.update(before)


def run(*args: str, said: str = "", **env: str) -> Result:
    return CliRunner().invoke(main, args, input=said, env=env)


def test_five_answers_make_a_file_that_the_settings_read(tmp_path: Path) -> None:
    said = "https://studio.example.org\nt0ken-of-ours\ndata\nminilm\n\n"
    done = run("init", said=said)
    assert done.exit_code == 0, done.output
    path = tmp_path / "annotune.env"
    assert path.stat().st_mode & 0o777 == 0o600
    values = {k: v for k, v in _environment(str(path)).items() if k.startswith("ANNOTUNE_")}
    settings = load(values)
    assert settings.studio.url == "https://studio.example.org"
    assert settings.studio.token == "t0ken-of-ours"
    assert (settings.home, settings.train.base) == (tmp_path / "data", "minilm")
    assert len(settings.backend.password) >= 12 and len(settings.sync.secret) >= 12
    assert settings.backend.password != settings.sync.secret
    assert "annotune --env-file annotune.env up" in done.output
    assert "annotune --env-file annotune.env connect PROJECT" in done.output
    assert "t0ken-of-ours" not in done.output  # hidden while it is typed, never printed
    assert run("--env-file", "annotune.env", "versions", "1").exit_code == 0


def test_nothing_is_overwritten_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "annotune.env"
    path.write_text("ANNOTUNE_STUDIO_TOKEN=mine\n")
    refused = run("init", "--no-input", ANNOTUNE_STUDIO_TOKEN="t")
    assert (refused.exit_code, "--force" in refused.output) == (5, True)
    assert run("init", said="n\n").exit_code == 5
    assert path.read_text() == "ANNOTUNE_STUDIO_TOKEN=mine\n"
    assert run("init", "--no-input", "--force", ANNOTUNE_STUDIO_TOKEN="t").exit_code == 0
    assert "mine" not in path.read_text()


def test_it_works_without_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    (tmp_path / "pw").write_text("password-of-twelve\n")
    given = ["--url", "http://10.0.0.5:8080", "--token-file", "token", "--password-file", "pw"]
    given += ["--home", "d", "--out", "sub/mine.env"]
    redis = "redis://:pw@10.0.0.6:6379/0"
    done = run("init", "--no-input", "--json", *given, ANNOTUNE_QUEUE_URL=redis)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["written"] == "sub/mine.env"
    values = _environment("sub/mine.env")
    assert values["ANNOTUNE_STUDIO_TOKEN"] == "from-a-file"
    assert values["ANNOTUNE_BACKEND_PASSWORD"] == "password-of-twelve"
    assert values["ANNOTUNE_QUEUE_URL"] == redis
    assert {p.name for p in (tmp_path / "sub").iterdir()} == {"mine.env"}


@pytest.mark.parametrize(
    ("given", "says", "code"),
    [
        ([], "token is missing", 2),
        (["--url", "studio", "--token-file", "t"], "ANNOTUNE_STUDIO_URL", 2),
        (["--url", "http://u:p@studio", "--token-file", "t"], "shows in logs", 2),
        (["--base", "no-such-base", "--token-file", "t"], "neither bundled", 5),
        (["--token-file", "two"], "no line can hold", 2),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, given: list[str], says: str, code: int
) -> None:
    (tmp_path / "t").write_text("x")
    (tmp_path / "two").write_text("a\nANNOTUNE_BACKEND_OPEN=1")
    done = run("init", "--no-input", *given)
    assert (done.exit_code, says in done.output) == (code, True), done.output
    assert not (tmp_path / "annotune.env").exists()


@pytest.mark.parametrize("healthy", [True, False])
def test_the_doctors_exit_code_says_whether_there_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, healthy: bool
) -> None:
    bad = problem("redis", "no answer", "start it", 7)
    found = Examined([ok("python", "3.11"), *([] if healthy else [bad])])
    monkeypatch.setattr(cli_ops, "doctor", lambda *given: found)
    done = run("doctor", "--json")
    assert done.exit_code == (0 if healthy else 1)
    assert json.loads(done.stdout)["problem"] == (0 if healthy else 1)
    assert ("fix: start it" in run("doctor").output) == (not healthy)
    assert run("doctor", "../../etc").exit_code == 2


def test_logs_are_printed_with_their_process_or_as_json(tmp_path: Path) -> None:
    for name in ("backend", "sync", "worker"):
        log_file(tmp_path, name).parent.mkdir(exist_ok=True)
        log_file(tmp_path, name).write_text(f"2026-11-23 05:00:00,000 INFO {name} {{}}\n")
    env = {"ANNOTUNE_HOME": str(tmp_path)}
    assert run("logs", **env).output.splitlines()[0].startswith("backend | 2026")
    assert run("logs", "--process", "worker", **env).output == (
        "2026-11-23 05:00:00,000 INFO worker {}\n"
    )
    told = run("logs", "--json", "--process", "sync", **env).output
    assert json.loads(told)["process"] == "sync"
    assert run("logs", ANNOTUNE_HOME=str(tmp_path / "none")).exit_code == 4


def test_the_shell_completes_commands_and_needs_no_setting() -> None:
    asked = {"_ANNOTUNE_COMPLETE": "zsh_complete", "COMP_WORDS": "annotune do", "COMP_CWORD": "1"}
    bad = {"ANNOTUNE_NO_SUCH_SETTING": "1"}
    done = CliRunner().invoke(main, [], prog_name="annotune", env={**asked, **bad})
    assert (done.exit_code, "doctor" in done.output) == (0, True)
    source = {"_ANNOTUNE_COMPLETE": "zsh_source"}
    told = CliRunner().invoke(main, [], prog_name="annotune", env=source)
    assert "#compdef annotune" in told.output
