"""What an adapter was made of: every row named, no text given away."""

from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace

import pytest

from label_config import Example, Snapshot
from label_config.values import Origin
from lora.adapter import Recipe
from lora.card import add_verdict, write_card
from lora.lineage import (
    KEY,
    code_version,
    lineage_of,
    project_key,
    read_lineage,
    row_digest,
    spans_of,
    write_lineage,
)
from lora.store import ProjectStore, Store
from tests.lora.made import CONFIG, MakeVersion

CHILD = Origin("synthetic", None, "e000", "rewrite", "smollm", "0123456789abcdef", 7, 0.5, 3)


def snapshot_of(examples: list[Example]) -> Snapshot:
    rows = [replace(e, origin=Origin("human", annotation=100 + e.task)) for e in examples]
    child = replace(rows[0], id="synthetic-1", texts={"text": "a made one"}, origin=CHILD)
    return Snapshot("1", CONFIG, (*rows, child), ({"text": "stop"},))


def test_every_row_is_named_with_its_annotation_and_no_text(
    project: ProjectStore, examples: list[Example]
) -> None:
    frozen = snapshot_of(examples)
    made = lineage_of(frozen, frozen.hash, project_key(project))
    assert len(made["rows"]) == 30 and {r["side"] for r in made["rows"]} == {"train", "holdout"}
    assert made["rows"][3]["annotation"] == 103 and made["pool"] == 1
    (child,) = made["synthetic"]
    assert (child["parent"], child["prompt"], child["approved_by"]) == (
        "e000",
        "0123456789abcdef",
        3,
    )
    text = json.dumps(made)
    assert not any(t in text for e in frozen.examples for t in e.texts.values())


def test_a_digest_needs_the_projects_key(store: Store, examples: list[Example]) -> None:
    one, two = store.project("1"), store.project("2")
    row = examples[0]
    assert row_digest(project_key(one), row) == row_digest(project_key(one), row)
    assert row_digest(project_key(one), row) != row_digest(project_key(two), row)
    other = replace(row, answers=examples[-1].answers)
    assert row_digest(project_key(one), row) != row_digest(project_key(one), other)


def test_the_key_is_one_though_many_ask_at_once_and_nobody_else_reads_it(
    project: ProjectStore,
) -> None:
    found: list[bytes] = []
    gate = threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        found.append(project_key(project))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1 and len(found[0]) == 32
    assert stat.S_IMODE(os.stat(project.folder / KEY).st_mode) == 0o600
    assert [p.name for p in project.folder.iterdir()] == [KEY]


def test_a_version_older_than_the_file_is_read_from_its_snapshot(
    project: ProjectStore, make_version: MakeVersion, examples: list[Example]
) -> None:
    made = make_version(1)
    assert read_lineage(project, made.version) is None, "its snapshot is not there"
    frozen = snapshot_of(examples)
    staging = project.staging()
    (staging / "heads.json").write_text("{}")
    recipe = Recipe("tiny", "r", project.put_snapshot(frozen), {}, 0)
    old = project.commit(
        staging, recipe, schema="s", config=CONFIG, labels=1, parent=None, scores={}
    )
    read = read_lineage(project, old.version)
    assert read is not None and len(read["rows"]) == 30 and read["code"] == {}


def test_what_was_written_is_read_back(
    project: ProjectStore, make_version: MakeVersion, examples: list[Example]
) -> None:
    frozen = snapshot_of(examples)
    made = lineage_of(frozen, frozen.hash, project_key(project))
    version = make_version(1).version
    write_lineage(project.adapter_folder(version), made)
    assert read_lineage(project, version) == made


@pytest.mark.parametrize(
    ("numbers", "words"), [([], ""), ([5], "5"), ([9, 3, 4, 5, 4], "3-5, 9"), ([1, 2], "1-2")]
)
def test_numbers_are_written_as_people_do(numbers: list[int], words: str) -> None:
    assert spans_of(numbers) == words


def test_the_code_is_named_by_its_content(project: ProjectStore) -> None:
    code = code_version()
    assert len(code["sources"]) == 12 and code["torch"] != "none"


def test_the_card_says_all_of_it_and_is_one_that_the_hub_reads(
    project: ProjectStore, examples: list[Example]
) -> None:
    from huggingface_hub import ModelCard

    from label_config import read_schema

    frozen = snapshot_of(examples)
    made = lineage_of(frozen, frozen.hash, project_key(project))
    one = {"controls": {"what": {"metric": "accuracy", "value": 0.5, "n": 6}}, "mean": 0.5}
    report = {"scores": {"candidate": one, "champion": one, "cold": one}, "train": 25, "holdout": 6}
    recipe = Recipe("/models: mine", "f" * 64, frozen.hash, {"rank": 4}, 11)
    text = write_card(recipe, "/models: mine", read_schema(CONFIG), report, made, "v3-1a2b3c4d")
    folder = project.staging()
    (folder / "README.md").write_text(text)
    add_verdict(folder, True, "0.500 beats the cold start's 0.250 on 6 blind labels")
    card = ModelCard.load(folder / "README.md")
    assert card.data.base_model == "/models: mine" and card.data.library_name == "peft"
    for fact in (
        *("f" * 64, frozen.hash, '{"rank": 4}', "| seed | 11 |", "`v3-1a2b3c4d`", made["key"]),
        *("100-103, 105-108", "104, 109", "1 by rewrite of `smollm`, prompt `0123456789abcdef`"),
        *("25, of which 1 synthetic", "Passed the gate: 0.500 beats", code_version()["sources"]),
        "| what | accuracy | 0.500 | 0.500 | 0.500 | 6 |",
    ):
        assert fact in card.content, fact
