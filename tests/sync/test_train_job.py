"""The training job ends in the same place wherever it was cut off: one version, one verdict."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from label_config import Choice, Example, Snapshot
from label_config.values import Side
from lora.adapter import Recipe
from lora.recipe import recipe_for
from lora.store import ProjectStore, Store
from settings import Gate, Settings
from sync import jobs
from sync.budget import read_looks
from sync.children import TrainingFailed
from tests.sync.judged import first
from tests.sync.judged import report as report_of
from tests.sync.versioned import committed

CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/></Choices></View>'
)


def example(n: int, side: Side = "train") -> Example:
    answer = (Choice("c", "t", ("a",)),)
    name = f"a{n}" if side == "train" else f"r{n:04d}"
    return Example(name, n, f"{side}{n}", side, {"text": f"text {n}"}, answer)


def frozen(*train: int) -> Snapshot:
    """Twelve blind rows beside these."""
    rows = [example(n) for n in train] + [example(n, "holdout") for n in range(12)]
    return Snapshot("1", CONFIG, tuple(rows))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, gate=Gate(least_blind=10))


@pytest.fixture
def store(settings: Settings) -> ProjectStore:
    return Store(settings.store).project("1")


@pytest.fixture
def snapshot(store: ProjectStore) -> str:
    return store.put_snapshot(frozen(*range(18)))


Trainer = Callable[..., dict[str, Any]]


def trainer(snapshot: str, candidate: int = 11, cold: int = 4, seed: int = 0) -> Trainer:
    """A trainer that writes one file and reports so many rows of twelve right; a champion has 8."""

    def run(
        settings: Settings, store: ProjectStore, wanted: str, out: Path, report: Path, champion: Any
    ) -> dict[str, Any]:
        (out / "heads.json").write_text("{}")
        beside = first(8, 12) if champion else None
        judged = report_of(candidate=first(candidate, 12), cold=first(cold, 12), champion=beside)
        recipe = replace(recipe_for("minilm", snapshot, settings.train), seed=seed)
        return {"recipe": asdict(recipe), "labels": 30, "train": 18, **judged}

    return run


@pytest.fixture
def train(
    settings: Settings, store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Trainer], str]:
    def run(snapshot: str, fake: Trainer) -> str:
        monkeypatch.setattr(jobs, "_run_trainer", fake)
        monkeypatch.setattr(jobs, "load", lambda environ: settings)
        return jobs.train("1", snapshot)

    return run


def test_a_better_candidate_is_promoted_with_its_verdict(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    reason = train(snapshot, trainer(snapshot))
    verdict = store.verdict(snapshot)
    assert verdict is not None
    assert (verdict["promoted"], verdict["reason"]) == (True, reason)
    assert store.current().version == verdict["version"]
    assert "beats the cold start" in reason


def unjudged(snapshot: str) -> Trainer:
    """One that could not load the champion, so that there is the cold start alone to beat."""

    def run(*args: Any) -> dict[str, Any]:
        return trainer(snapshot)(*args[:5], None)

    return run


@pytest.mark.parametrize("how", ["its base is missing", "a later annotune's", "unreadable"])
def test_what_may_serve_and_could_not_be_judged_stays_current(
    store: ProjectStore,
    snapshot: str,
    train: Callable[[str, Trainer], str],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """And costs no error budget: it may take rounds until somebody puts the worker right."""
    other = committed(store, 9)
    store.move_current(None, other, "gate", "better")
    manifest = store.adapter_folder(other) / "manifest.json"
    if how == "a later annotune's":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    if how == "unreadable":
        read = Path.read_text

        def refuse(path: Path, *args: Any, **more: Any) -> str:
            if path == manifest:
                raise PermissionError(13, "Permission denied", str(path))
            return read(path, *args, **more)

        monkeypatch.setattr(Path, "read_text", refuse)
    reason = train(snapshot, unjudged(snapshot))
    assert f"but {other}, which is current, could not be judged here" in reason
    verdict = store.verdict(snapshot)
    assert verdict is not None and verdict["promoted"] is False
    assert store.current().version == other
    assert not read_looks(store)


@pytest.mark.parametrize("how", ["changed", "quarantined"])
def test_what_nobody_can_load_is_no_hindrance_and_the_verdict_says_so(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str], how: str
) -> None:
    other = committed(store, 9)
    store.move_current(None, other, "gate", "better")
    if how == "changed":
        (store.adapter_folder(other) / "heads.json").write_text("[]")
    else:
        store.quarantine(other, "it does not load")
    reason = train(snapshot, unjudged(snapshot))
    assert reason.endswith(f"{other}, current until now, is broken")
    assert store.current().version != other


def test_the_verdict_has_the_numbers_of_every_look_and_no_rows_of_labels(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    train(snapshot, trainer(snapshot))
    verdict = store.verdict(snapshot)
    assert verdict is not None
    gate = verdict["gate"]
    assert [one["look"]["against"] for one in gate["looks"]] == ["cold"]
    assert gate["learned"] == {"known": 0, "new": 18}
    assert gate["error"]["own"] == 0.025 and len(read_looks(store)) == 1
    assert "labels" not in verdict["scores"]["candidate"]


def test_another_seed_of_the_same_answers_needs_more_than_luck(
    store: ProjectStore,
    snapshot: str,
    settings: Settings,
    train: Callable[[str, Trainer], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train(snapshot, trainer(snapshot, candidate=8))
    first_version = store.current().version
    store.drop_verdict(snapshot)  # asked for again, with another seed
    reseeded = replace(settings, train=replace(settings.train, seed=1))
    monkeypatch.setattr(jobs, "load", lambda environ: reseeded)
    monkeypatch.setattr(jobs, "_run_trainer", trainer(snapshot, candidate=10, seed=1))
    reason = jobs.train("1", snapshot)
    assert "learned from no new human answer" in reason and "beats" in reason
    assert store.current().version == first_version
    spent = [look.own for look in read_looks(store)]
    assert spent == [0.025, 0.0125], "no new blind label: half of what was left"


def test_in_a_regulated_project_it_waits_and_says_so_in_the_verdict(
    settings: Settings, store: ProjectStore, train: Callable[[str, Trainer], str]
) -> None:
    regulated = CONFIG.replace("<View>", '<View annotune-regulated="true">')
    snapshot = store.put_snapshot(replace(frozen(1), config=regulated))
    reason = train(snapshot, trainer(snapshot))
    verdict, waiting = store.verdict(snapshot), store.waiting()
    assert verdict is not None and waiting is not None
    assert (verdict["promoted"], verdict["waits"], store.current().version) == (False, True, None)
    assert waiting.version == verdict["version"] and "waits for a named person" in reason


def test_the_card_ends_with_the_gates_word(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    reason = train(snapshot, trainer(snapshot, candidate=3))
    (made,) = store.versions()
    card = (store.adapter_folder(made.version) / "README.md").read_text()
    assert f"Kept back by the gate: {reason}." in card
    assert "README.md" in made.files, "and its digest is in the manifest"


def test_a_worse_candidate_is_kept_unpromoted_with_the_reason(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    train(snapshot, trainer(snapshot, candidate=3))
    verdict = store.verdict(snapshot)
    assert verdict is not None and verdict["promoted"] is False
    assert store.current().version is None
    assert [m.version for m in store.versions()] == [verdict["version"]]


def test_a_snapshot_with_a_verdict_is_not_trained_again(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    train(snapshot, trainer(snapshot))

    def never(*_: Any) -> dict[str, Any]:
        raise AssertionError("it was trained again")

    train(snapshot, never)


def test_a_run_killed_between_promotion_and_verdict_only_writes_the_verdict(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    train(snapshot, trainer(snapshot))
    before = store.verdict(snapshot)
    (store.folder / "verdicts" / f"{snapshot}.json").unlink()

    def never(*_: Any) -> dict[str, Any]:
        raise AssertionError("it was trained again")

    train(snapshot, never)
    after = store.verdict(snapshot)
    assert before is not None and after is not None
    assert (after["version"], after["promoted"]) == (before["version"], True)
    assert (after["gate"], after["scores"]) == (before["gate"], before["scores"])


def test_what_a_person_let_in_is_not_made_and_judged_again(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    """Start Training without a new answer, or a kill between a candidate's wait and its verdict:
    a look at a version beside itself would take half of what is left of the error budget."""
    train(snapshot, trainer(snapshot, candidate=3))
    (made,) = store.versions()
    store.move_current(None, made.version, "anna", "by hand", by_hand=True)
    store.drop_verdict(snapshot)
    looks = read_looks(store)

    def never(*_: Any) -> dict[str, Any]:
        raise AssertionError("it was trained again")

    assert f"{made.version} serves already, as anna decided" in train(snapshot, never)
    verdict = store.verdict(snapshot)
    assert verdict is not None and not verdict["promoted"]
    assert read_looks(store) == looks
    store.drop_verdict(snapshot)
    store.quarantine(made.version, "heads.json is gone")
    train(snapshot, trainer(snapshot))
    assert len(store.versions()) == 2, "one that does not load is made anew"


def test_a_verdict_owed_names_what_served_then_and_no_numbers_against_another(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    """The folder is of a run that a move cut off: it was judged against the cold start."""
    train(snapshot, trainer(snapshot, candidate=3))
    (made,) = store.versions()
    other = committed(store, 9)
    store.move_current(None, other, "anna", "by hand", by_hand=True)
    store.move_current(other, made.version, "gate", "better")
    store.drop_verdict(snapshot)
    assert train(snapshot, trainer(snapshot)) == "better"
    verdict = store.verdict(snapshot)
    assert verdict is not None and verdict["promoted"]
    assert (verdict["champion"], verdict["gate"]) == (other, {})
    assert verdict["scores"]["champion"] is None and verdict["scores"]["candidate"]


def test_a_run_killed_before_promotion_ends_in_the_same_version(
    store: ProjectStore,
    snapshot: str,
    train: Callable[[str, Trainer], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(ProjectStore, "move_current", killed)
        train(snapshot, trainer(snapshot))
    assert store.current().version is None
    train(snapshot, trainer(snapshot))
    assert [m.version for m in store.versions()] == [store.current().version]


def test_a_champion_that_changed_meanwhile_is_judged_against(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    other = store.put_snapshot(frozen(1, 2))
    seen: list[Any] = []

    def meddled(*args: Any) -> dict[str, Any]:
        seen.append(args[5])
        if len(seen) == 1:  # while we train, another version is promoted
            folder = store.staging()
            (folder / "heads.json").write_text("{}")
            recipe = Recipe("minilm", "r" * 8, other, {"steps": 1}, 0)
            rival = store.commit(
                folder, recipe, schema="s", config=CONFIG, labels=9, parent=None, scores={}
            )
            store.move_current(None, rival.version, "gate", "rival")
        return trainer(snapshot)(*args)

    reason = train(snapshot, meddled)
    assert seen[0] is None and seen[1] is not None
    assert "beats the current adapter's 0.667" in reason
    verdict = store.verdict(snapshot)
    assert verdict is not None and verdict["champion"] == seen[1]
    assert verdict["scores"]["champion"]["mean"] == 8 / 12, "the numbers of the run that counted"


def test_a_trainer_that_fails_leaves_no_debris_and_no_verdict(
    store: ProjectStore, snapshot: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "load", lambda environ: settings)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TrainingFailed, match="ended with 1"):
        jobs.train("1", snapshot)
    assert store.verdict(snapshot) is None
    assert list((store.folder / "adapters").iterdir()) == []


def test_only_one_trainer_works_at_a_time(
    store: ProjectStore, snapshot: str, train: Callable[[str, Trainer], str]
) -> None:
    with store.training() as free:
        assert free
        assert train(snapshot, trainer(snapshot)) == "another trainer of this project is at work"
    assert store.verdict(snapshot) is None


def test_ask_leaves_a_note_for_sync(
    settings: Settings, store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "load", lambda environ: settings)
    jobs.ask("1")
    asked = store.asked()
    assert asked is not None and asked["by"] == "Label Studio's Start Training"


def test_settings_of_the_gate_are_obeyed(
    settings: Settings,
    store: ProjectStore,
    snapshot: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict = replace(settings, gate=Gate(least_blind=20))
    monkeypatch.setattr(jobs, "load", lambda environ: strict)
    monkeypatch.setattr(jobs, "_run_trainer", trainer(snapshot))
    assert "12 blind labels are too few" in jobs.train("1", snapshot)
    assert store.current().version is None


def test_the_project_is_trained_on_the_base_its_config_asks_for(
    settings: Settings, store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = CONFIG.replace("<View>", '<View annotune-base="/models/mine">')
    used: list[str] = []

    def run(given: Settings, place: ProjectStore, wanted: str, *rest: Any) -> dict[str, Any]:
        used.append(given.train.base)
        return trainer(wanted)(given, place, wanted, *rest)

    monkeypatch.setattr(jobs, "_run_trainer", run)
    for task, bases in ((1, "/models/mine"), (2, "")):
        snapshot = store.put_snapshot(replace(frozen(task), config=asking))
        allowed = replace(settings, train=replace(settings.train, bases=bases))
        monkeypatch.setattr(jobs, "load", lambda environ, allowed=allowed: allowed)
        jobs.train("1", snapshot)
    assert used == ["/models/mine", "minilm"]
