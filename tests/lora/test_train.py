"""`python -m lora.train`: files, card and report, or a reason."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from label_config import Example, Snapshot, Written, read_schema
from lora.adapter import digest_files
from lora.errors import LoraError
from lora.lineage import code_version
from lora.progress import read_progress
from lora.recipe import recipe_for
from lora.store import ProjectStore, Store
from lora.train import main, predictable, report_path, run
from settings import Train
from tests.lora.made import CONFIG


@pytest.fixture
def settings(tiny_folder: Path) -> Train:
    return Train(base=str(tiny_folder), steps=5, rank=4, device="cpu")


@pytest.fixture
def snapshot(project: ProjectStore, examples: list[Example]) -> str:
    return project.put_snapshot(Snapshot("1", CONFIG, tuple(examples), ({"text": "stop"},)))


@pytest.mark.model  # trains: seconds
def test_a_run_leaves_an_adapter_that_commits_and_a_report_that_judges(
    store: Store, project: ProjectStore, snapshot: str, settings: Train
) -> None:
    out = project.staging()
    report = run(store.root, "1", snapshot, out, None, settings)
    assert sorted(p.name for p in out.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "heads.json",
        "heads.safetensors",
        "lineage.json",
    ]
    assert json.loads(report_path(out).read_text()) == json.loads(json.dumps(report))
    assert report["recipe"] == asdict(recipe_for(settings.base, snapshot, settings))
    assert (report["labels"], report["train"], report["holdout"]) == (30, 24, 6)
    assert report["memory_mb"]["main"] > 100
    scores = report["scores"]
    assert scores["champion"] is None
    assert scores["candidate"]["controls"]["what"]["n"] == 6
    assert scores["candidate"]["right"].keys() == scores["cold"]["right"].keys()
    labels = scores["candidate"]["by_label"]["what"]["labels"]
    assert sum(rows for rows, *_ in labels.values()) == 6
    noted = read_progress(project.folder, snapshot)
    assert noted and noted["stage"] == "judge"


@pytest.mark.model  # trains: seconds
def test_the_champion_is_judged_in_the_same_run(
    store: Store, project: ProjectStore, snapshot: str, settings: Train
) -> None:
    out = project.staging()
    run(store.root, "1", snapshot, out, None, settings)
    recipe = recipe_for(settings.base, snapshot, settings)
    schema = "0" * 64
    champion = project.commit(
        out, recipe, schema=schema, config=CONFIG, labels=30, parent=None, scores={}
    )
    report = run(store.root, "1", snapshot, project.staging(), champion.version, settings)
    scores = report["scores"]
    assert scores["champion"] == scores["candidate"]

    (project.adapter_folder(champion.version) / "heads.json").unlink()
    report = run(store.root, "1", snapshot, project.staging(), champion.version, settings)
    assert report["scores"]["champion"] is None
    assert "champion could not be judged" in report["notes"][-1]


@pytest.mark.model  # trains four times: seconds
def test_rows_answered_since_are_judged_by_models_that_never_saw_them(
    store: Store, project: ProjectStore, settings: Train, examples: list[Example]
) -> None:
    known = [e for e in examples if e.side == "holdout" or int(e.task) % 2]
    before = project.put_snapshot(Snapshot("1", CONFIG, tuple(known)))
    out = project.staging()
    run(store.root, "1", before, out, None, settings)
    recipe = recipe_for(settings.base, before, settings)
    more = {"schema": "0" * 64, "config": CONFIG, "labels": 18, "parent": None, "scores": {}}
    champion = project.commit(out, recipe, **more)
    shown = [replace(e, origin=replace(e.origin, shown=True)) for e in examples]
    shown[0] = replace(shown[0], texts={"other": "no text that any control reads"})
    after = project.put_snapshot(Snapshot("1", CONFIG, tuple(shown)))
    asked = replace(settings, folds=2)
    report = run(store.root, "1", after, project.staging(), champion.version, asked)
    since, fresh = report["since"], {e.id for e in examples} - {e.id for e in known}
    assert (since["rows"], since["shown"], since["folds"]) == (len(fresh), len(fresh), 2)
    assert since["right"]["candidate"].keys() == since["right"]["champion"].keys() == fresh
    assert report["temperatures"].keys() == {"what"} and report["temperatures"]["what"] > 0
    assert list((project.folder / "adapters").glob(".*-fold-*")) == []
    cards = [p.read_text() for p in (project.folder / "adapters").glob("*/README.md")]
    said = "calibrated on out-of-fold answers (temperatures: `what`"
    assert sorted(said in card for card in cards) == [False, True]
    assert recipe_for(settings.base, after, asked) != recipe_for(settings.base, after, settings)
    assert "folds" not in recipe_for(settings.base, after, settings).settings
    (project.folder / "snapshots" / f"{before}.json").unlink()
    report = run(store.root, "1", after, project.staging(), champion.version, asked)
    assert report["since"] is None, "nobody can tell any more what it learned from"


@pytest.mark.model  # trains: seconds
def test_the_card_names_what_the_adapter_is_made_from_and_no_text(
    store: Store, project: ProjectStore, snapshot: str, settings: Train, examples: list[Example]
) -> None:
    out = project.staging()
    run(store.root, "1", snapshot, out, None, settings)
    card = (out / "README.md").read_text()
    assert card.startswith("---\nbase_model: ")
    for fact in (snapshot, recipe_for(settings.base, snapshot, settings).base_revision):
        assert fact in card
    lineage = (out / "lineage.json").read_text()
    assert not any(e.texts["text"] in card + lineage for e in examples)
    assert {r["id"] for r in json.loads(lineage)["rows"]} == {e.id for e in examples}
    assert "| parent | the cold start |" in card and code_version()["sources"] in card
    assert "(ECE, 15 bins" in card and re.search(r"- `what`: 0\.\d{3} \(.*\) on 6 rows", card)


@pytest.mark.model  # trains: seconds
def test_another_process_makes_the_same_adapter_bit_by_bit(
    store: Store, project: ProjectStore, snapshot: str, settings: Train
) -> None:
    """The same snapshot and seed, though hashes of strings fall otherwise there."""
    here, there = project.staging(), project.staging()
    run(store.root, "1", snapshot, here, None, settings)
    argv = arguments(store, there, snapshot, json.dumps(asdict(settings)))
    env = {**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "lora.train", *argv], env=env, capture_output=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    files = digest_files(here)
    assert len(files) == 6 and digest_files(there) == files


@pytest.mark.model  # trains: seconds
def test_the_holdout_changes_nothing_but_the_scores(
    store: Store, project: ProjectStore, settings: Train, examples: list[Example]
) -> None:
    def tensors(rows: list[Example]) -> tuple[bytes, bytes]:
        out = project.staging()
        digest = project.put_snapshot(Snapshot("1", CONFIG, tuple(rows)))
        run(store.root, "1", digest, out, None, settings)
        names = ("adapter_model.safetensors", "heads.safetensors")
        one, two = ((out / name).read_bytes() for name in names)
        return one, two

    assert tensors(examples) == tensors([e for e in examples if e.side == "train"])


WRITES = CONFIG.replace("</View>", '<TextArea name="why" toName="t"/></View>')


def test_texts_are_learned_only_where_they_are_predicted(examples: list[Example]) -> None:
    why = Written("why", "t", "because")
    both = replace(examples[0], answers=(*examples[0].answers, why))
    alone, marked = replace(examples[1], answers=(why,)), replace(examples[2], answers=())
    rows, schema = [both, alone, marked], read_schema(WRITES)
    assert predictable(schema.served_by("causal"), rows) == rows
    assert predictable(schema.served_by("encoder"), rows) == [examples[0], marked]


@pytest.mark.model  # trains: seconds
def test_an_encoder_is_trained_and_judged_without_the_texts(
    store: Store, project: ProjectStore, settings: Train, examples: list[Example]
) -> None:
    why = Written("why", "t", "because")
    rows = [replace(e, answers=(*e.answers, why)) for e in examples[:-1]]
    blind = replace(examples[-1], side="holdout", answers=(why,))
    digest = project.put_snapshot(Snapshot("1", WRITES, (*rows, blind)))
    out = project.staging()
    report = run(store.root, "1", digest, out, None, settings)
    assert (report["labels"], report["train"], report["holdout"]) == (29, 24, 5)
    assert set(report["scores"]["candidate"]["controls"]) == {"what", "parts"}
    assert "`why`" not in (out / "README.md").read_text()


def arguments(store: Store, out: Path, snapshot: str, settings: str) -> list[str]:
    given = {"--store": str(store.root), "--project": "1", "--snapshot": snapshot}
    given |= {"--out": str(out), "--settings": settings}
    return [part for pair in given.items() for part in pair]


@pytest.mark.parametrize(
    ("settings", "said"),
    [('{"stepz": 1}', "settings.Train"), ('{"base": "nowhere"}', "neither bundled"), ("{", "")],
)
def test_what_cannot_be_trained_ends_with_a_reason(
    store: Store,
    project: ProjectStore,
    snapshot: str,
    caplog: pytest.LogCaptureFixture,
    settings: str,
    said: str,
) -> None:
    assert main(arguments(store, project.staging(), snapshot, settings)) == 2
    assert said in caplog.text


def test_an_unknown_snapshot_ends_with_a_reason(store: Store, project: ProjectStore) -> None:
    assert main(arguments(store, project.staging(), "a" * 64, "{}")) == 2


def test_a_snapshot_of_the_holdout_alone_is_refused(
    store: Store, project: ProjectStore, settings: Train, examples: list[Example]
) -> None:
    blind = tuple(e for e in examples if e.side == "holdout")
    digest = project.put_snapshot(Snapshot("1", CONFIG, blind))
    with pytest.raises((LoraError, ValueError), match="nothing to learn from"):
        run(store.root, "1", digest, project.staging(), None, settings)
