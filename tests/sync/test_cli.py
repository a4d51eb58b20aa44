"""The command line: JSON for programs, words for people, exit codes that mean something."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lora.adapter import Recipe
from lora.store import Store
from sync import bootstrap
from sync.cli import main
from sync.log import Log
from sync.loop import World
from sync.studio_values import NoSuchProject, StudioDown, StudioError
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import CONFIG, FakeJobs

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """The command hands its --env-file on to children through os.environ: put that back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on an empty home; neighbours are fakes, the log and the store are real."""
    studio = FakeStudio(CONFIG)
    for name in ("ANNOTUNE_STUDIO_TOKEN", "ANNOTUNE_SYNC_SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("ANNOTUNE_HOME", str(tmp_path))
    monkeypatch.setenv("ANNOTUNE_BACKEND_URL", "http://127.0.0.1:9")

    def build(settings: Any) -> World:
        client = bootstrap.BackendClient(settings.backend.url, "", "")
        log = Log(settings.log_url)
        store = Store(settings.store)
        return World(settings, store, log, studio, FakeJobs(), client)  # type: ignore[arg-type]

    monkeypatch.setattr(bootstrap, "build", build)

    def invoke(*args: str) -> Result:
        return CliRunner().invoke(main, args)

    invoke.studio = studio  # type: ignore[attr-defined]
    invoke.home = tmp_path  # type: ignore[attr-defined]
    return invoke


def connected(run: Run) -> None:
    home: Path = run.home  # type: ignore[attr-defined]
    log = Log(f"sqlite:///{home / 'log.db'}")
    log.connect("1", "fake")
    log.close()


def version(run: Run, number: int = 1) -> str:
    home: Path = run.home  # type: ignore[attr-defined]
    store = Store(home / "store").project("1")
    folder = store.staging()
    (folder / "heads.json").write_text("{}")
    recipe = Recipe("minilm", "r", f"{number:064x}", {}, 0)
    made = store.commit(
        folder, recipe, schema="s", config="<View/>", labels=25, parent=None, scores={}
    )
    return made.version


def test_every_command_has_help_and_json(run: Run) -> None:
    for name, command in main.commands.items():
        if command.hidden:
            continue
        shown = run(name, "--help")
        assert shown.exit_code == 0 and "--json" in shown.output
        assert len(shown.output.splitlines()) > 4


def test_status_of_a_project_nobody_connected_says_how_to(run: Run) -> None:
    done = run("status", "1")
    assert (done.exit_code, "annotune connect 1" in done.output) == (4, True)


def test_status_is_json_for_programs_and_lines_for_people(run: Run) -> None:
    connected(run)
    state = json.loads(run("status", "1", "--json").stdout)
    assert (state["project"], state["labels"], state["version"]) == ("1", 0, None)
    assert "blind labels" in run("status", "1").output
    assert json.loads(run("status", "--json").stdout)[0]["project"] == "1"
    assert "fake" in run("status").output


def test_promote_and_rollback_move_current_and_refuse_the_impossible(run: Run) -> None:
    connected(run)
    made = version(run)
    assert run("promote", "1", "v7-00000000").exit_code == 4
    done = run("promote", "1", made, "--as", "Anna B.", "--why", "it is good", "--json")
    said = {"project": "1", "before": None, "version": made, "by": "Anna B."}
    assert json.loads(done.stdout) == said
    assert run("promote", "1", made).exit_code == 5
    assert run("rollback", "1").exit_code == 0
    refused = run("rollback", "1")
    assert refused.exit_code == 5 and "serves the cold start" in refused.output
    rows = json.loads(run("versions", "1", "--json").stdout)
    assert [(r["version"], r["state"]) for r in rows] == [(made, "rolled back")]
    told = json.loads(run("audit", "1", "--json").stdout)
    assert [(e["who"], e["what"], e["subject"], e["why"]) for e in told] == [
        ("Anna B.", "promoted", made, "it is good"),
        (getpass.getuser(), "rolled back", "the cold start", f"rolled back from {made}"),
    ]
    assert told[0]["detail"] == {"before": "the cold start", "login": getpass.getuser()}
    assert "Anna B." in run("audit", "1").output


@pytest.mark.parametrize("name", ["", " ", "gate", "Annotune", "a\nb", "x" * 121])
def test_a_name_for_the_audit_log_is_one(run: Run, name: str) -> None:
    done = run("promote", "1", version(run), "--as", name)
    assert done.exit_code == 5 and "--as" in done.output


def test_a_rollback_does_not_wait_for_a_log_that_is_away(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, home = version(run), run.home  # type: ignore[attr-defined]
    assert run("promote", "1", made).exit_code == 0
    monkeypatch.setenv("ANNOTUNE_SYNC_LOG", f"sqlite:///{home}/nowhere/log.db")
    done = run("rollback", "1")
    assert done.exit_code == 0 and "on its next turn" in done.stderr
    assert run("audit", "1").exit_code == 3
    monkeypatch.delenv("ANNOTUNE_SYNC_LOG")
    told = json.loads(run("audit", "1", "--json").stdout)
    assert [e["what"] for e in told] == ["promoted", "rolled back"]


def test_forget_names_one_thing_that_is_there_and_says_what_went(run: Run) -> None:
    studio: FakeStudio = run.studio  # type: ignore[attr-defined]
    home: Path = run.home  # type: ignore[attr-defined]
    task = studio.add_task("a text to be forgotten")
    connected(run)
    assert run("once", "1").exit_code == 3, "it heard the task; the backend is away"
    for wrong in ((), ("--task", "1", "--annotation", "1"), ("--annotator", str(2**63))):
        assert run("forget", "1", *wrong).exit_code == 2
    assert run("forget", "1", "--task", "99").exit_code == 4
    assert run("forget", "1", "--annotator", "1", "--there").exit_code == 5
    done = run("forget", "1", "--task", str(task), "--why", "asked for", "--json")
    said = json.loads(done.stdout)
    assert (said["forgotten"], said["retired"], said["answers"]) == (f"task {task}", [], 0)
    assert said["backups"] == [] and task in studio.tasks
    assert b"to be forgotten" not in (home / "log.db").read_bytes()
    assert run("forget", "1", "--task", str(task)).exit_code == 4, "it knows no such task any more"
    told = json.loads(run("audit", "1", "--json").stdout)
    assert [(e["subject"], e["why"]) for e in told if e["what"] == "forgot"] == [
        (f"task {task}", "asked for")
    ]


def test_beside_a_running_sync_a_wish_is_noted_and_sync_does_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio: FakeStudio = run.studio  # type: ignore[attr-defined]
    home: Path = run.home  # type: ignore[attr-defined]
    task = studio.add_task("a text to be forgotten")
    connected(run)
    assert run("once", "1").exit_code == 3
    monkeypatch.setattr("sync.cli_forget.WAIT_S", 0.0)
    with (home / "sync.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("forget", "1", "--task", str(task))
    assert done.exit_code == 5 and "it is noted" in done.output
    assert run("once", "1").exit_code == 3
    told = json.loads(run("audit", "1", "--json").stdout)
    assert [e["subject"] for e in told if e["what"] == "forgot"] == [f"task {task}"]


def test_one_version_and_two_side_by_side_are_shown(run: Run) -> None:
    one, two = version(run, 1), version(run, 2)
    assert json.loads(run("show", "1", one, "--json").stdout)["state"] == "kept back"
    assert "(it has no card)" in run("show", "1", one).output
    said = json.loads(run("diff", "1", one, two, "--json").stdout)
    assert said["versions"] == [one, two]
    assert f"{one} -> {two}" in run("diff", "1", one, two).output
    for wrong in (("show", "1", "v9-00000000"), ("diff", "1", one, "v9-00000000")):
        assert run(*wrong).exit_code == 4


def test_check_says_control_by_control_what_is_predicted(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.xml"
    file.write_text(CONFIG)
    done = run("check", str(file))
    assert done.exit_code == 0 and "intent <Choices>: predicts one of 2 labels" in done.output
    assert "base: minilm" in done.output
    file.write_text(CONFIG.replace("</View>", '<TextArea name="why" toName="text"/></View>'))
    done = run("check", str(file), "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["predicted"]) == (1, False)
    assert [c["predicted"] for c in said["controls"]] == [True, False]
    assert said["controls"][1]["reason"] == "needs a causal base"


def test_check_recommends_a_kind_of_base_with_the_reason(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.xml"
    file.write_text(CONFIG)
    done = run("check", str(file))
    assert "recommended: an encoder base (minilm)\n    because: nothing has to be" in done.output
    file.write_text(CONFIG.replace("</View>", '<TextArea name="why" toName="text"/></View>'))
    said = json.loads(run("check", str(file), "--json").stdout)["recommended"]
    assert (said["kind"], said["now"]["base"]) == ("causal", "minilm")
    assert "ANNOTUNE_TRAIN_BASES=smollm" in said["next"][0] and said["costs"]
    studio: FakeStudio = run.studio  # type: ignore[attr-defined]
    for text in ("short", "a longer text"):
        studio.add_task(text)
    connected(run)
    said = json.loads(run("check", "1", "--json").stdout)["recommended"]
    assert said["sizes"] == {"labels": 2, "answers": 0, "text": 9, "longest": 13}
    assert said["found"]["cores"] >= 1


def test_check_reads_a_template_of_label_studios_gallery(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(f"title: any\nconfig: |\n  {CONFIG}\n")
    assert run("check", str(file)).exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xml", b"<View", "cannot be read"),
        ("a.xml", b"\xff\xfe\x00", "is no UTF-8 text"),
        ("a.yml", b"- 1", "no text under `config`"),
        ("a.yml", b"config: [", "is no YAML"),
        ("a.yml", b"config: 2001-99-99", "is no YAML"),
        ("a.yml", b"[" * 3000, "is no YAML"),
        ("a.xml", b" " * 4_000_001, "far smaller"),
    ],
)
def test_check_says_what_it_cannot_read(
    run: Run, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("check", str(tmp_path / name))
    assert done.exit_code == 2 and words in done.output
    assert run("check", "9" * 300).exit_code == 4, "no such project, and no file's name"
    for none in (str(tmp_path / "nowhere.xml"), "a" * 300):
        assert [run(word, none).exit_code for word in ("check", "replay")] == [2, 2]


def test_check_of_a_project_compares_its_config_with_a_task(run: Run) -> None:
    studio: FakeStudio = run.studio  # type: ignore[attr-defined]
    assert run("check", "1").exit_code == 0, "a project without tasks has its config"
    studio.add_task("hello")
    assert run("check", "1").exit_code == 0
    wrong = CONFIG.replace("<View>", '<View annotune-base="other/base">').replace("$text", "$body")
    studio.change_config(wrong)
    done = run("check", "1")
    assert done.exit_code == 1
    assert "data key 'body' is absent" in done.output and "'other/base'" in done.output
    said = json.loads(run("check", "1", "--json").stdout)
    assert (said["base"], said["task"]) == ("minilm", 1)
    assert said["lacking"] == ["data key 'body' is absent"]


@pytest.mark.parametrize("bases", ["minilm", "minilm,minilm", " , "])
def test_compare_wants_two_bases(run: Run, bases: str) -> None:
    connected(run)
    done = run("compare", "1", "--bases", bases)
    assert done.exit_code == 2 and "name two or more, each once" in done.output


def test_compare_refuses_what_ops_do_not_allow_and_leaves_signals_alone(run: Run) -> None:
    assert run("compare", "1", "--bases", "minilm,smollm").exit_code == 4, "nobody connected it"
    connected(run)
    before = signal.getsignal(signal.SIGTERM)
    done = run("compare", "1", "--bases", "minilm,smollm")
    assert done.exit_code == 5 and "ANNOTUNE_TRAIN_BASES" in done.output
    assert signal.getsignal(signal.SIGTERM) == before


def test_augment_says_what_is_missing(run: Run) -> None:
    connected(run)
    done = run("augment", "1")
    assert done.exit_code == 5 and "has no round yet" in done.output


def test_templates_are_listed_and_printed(run: Run, tmp_path: Path) -> None:
    names = [t["name"] for t in json.loads(run("templates", "--json").stdout)]
    assert "support-intents" in names and "support-intents" in run("templates").output
    printed = run("templates", "support-intents").output
    (tmp_path / "config.xml").write_text(printed)
    assert run("check", str(tmp_path / "config.xml")).exit_code == 0
    assert json.loads(run("templates", names[0], "--json").stdout)["tasks"]
    assert run("templates", "nothing").exit_code == 2


def test_export_writes_a_version_that_exists(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []
    monkeypatch.setattr("lora.export.export", lambda *given: written.append(given[1:]))
    out = tmp_path / "out"
    assert run("export", "v9-00000000", "--project", "1", "--out", str(out)).exit_code == 4
    made = version(run)
    done = run("export", made, "--project", "1", "--out", str(out), "--merged", "--json")
    assert json.loads(done.stdout)["out"] == str(out)
    assert written == [(made, out, True)]


def test_train_leaves_a_note_for_sync(run: Run) -> None:
    connected(run)
    assert run("train", "1").exit_code == 0
    home: Path = run.home  # type: ignore[attr-defined]
    assert Store(home / "store").project("1").asked() is not None


def test_once_says_the_decision_and_which_neighbour_is_missing(run: Run) -> None:
    connected(run)
    done = run("once", "1", "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["trains"]) == (3, False)
    assert "does not answer /setup" in said["problems"][0]


@pytest.mark.parametrize(
    ("error", "code"), [(StudioDown("it is down"), 3), (NoSuchProject("it is gone"), 4)]
)
def test_a_neighbour_that_fails_has_its_exit_code(
    run: Run, error: StudioError, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(FakeStudio, "project", fail)
    done = run("connect", "1")
    assert (done.exit_code, done.output.strip()) == (code, f"Error: {error}")


def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_TRAIN_EVERY", "often")
    done = run("status")
    assert done.exit_code == 2 and "ANNOTUNE_TRAIN_EVERY='often'" in done.output


def test_an_environment_file_is_read_and_a_broken_one_named(run: Run, tmp_path: Path) -> None:
    good = tmp_path / "env"
    good.write_text("# a comment\n\nANNOTUNE_TRAIN_EVERY=0\n")
    done = run("--env-file", str(good), "status")
    assert done.exit_code == 2 and "must be 1 or more" in done.output
    good.write_text("ANNOTUNE_TRAIN_EVERY\n")
    assert f"{good}:1 is not NAME=value" in run("--env-file", str(good), "status").output


def test_a_project_id_that_could_leave_the_store_is_refused(run: Run) -> None:
    assert run("versions", "../../etc").exit_code == 2


def test_an_empty_project_id_is_not_taken_for_none(run: Run) -> None:
    for words in (["status", ""], ["once", ""], ["logs", "--training", "--project="]):
        done = run(*words)
        assert done.exit_code == 2 and "project id '' is not one" in done.output, words
    assert run("logs", "--project=").exit_code == 2


def test_a_token_is_needed_to_reach_label_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANNOTUNE_STUDIO_TOKEN", raising=False)
    done = CliRunner().invoke(main, ["status"])
    assert done.exit_code == 2 and "ANNOTUNE_STUDIO_TOKEN_FILE" in done.output


def test_once_refuses_to_turn_beside_a_running_sync(run: Run) -> None:
    connected(run)
    home: Path = run.home  # type: ignore[attr-defined]
    with (home / "sync.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("once", "1")
    assert done.exit_code == 5 and "already runs" in done.output
