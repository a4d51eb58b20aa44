"""What ops read: the table of versions, one version, two side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from label_config import Choice, Example, Snapshot
from label_config.values import Origin
from lora.lineage import lineage_of, project_key, write_lineage
from lora.store import ProjectStore, Store
from sync.lineage import DIFFERENT_ROWS, Became, compared, shown, versions
from sync.operate import NoSuchVersion, Person, promote, rollback
from tests.sync.house import CONFIG
from tests.sync.versioned import committed

WIDER = CONFIG.replace('<Choice value="B"/>', '<Choice value="C"/>')


@pytest.fixture
def store(tmp_path: Path) -> ProjectStore:
    return Store(tmp_path).project("1")


def row(n: int, label: str, side: str = "train") -> Example:
    answers = (Choice("intent", "text", (label,)),)
    origin = Origin("human", annotation=n)
    return Example(f"annotation-{n}", n, f"g{n}", side, {"text": f"t{n}"}, answers, origin)  # type: ignore[arg-type]


def scored(candidate: float, champion: float | None, rows: int, blind: int) -> dict[str, object]:
    control = {"intent": {"metric": "accuracy", "value": candidate, "n": blind}}
    found: dict[str, object] = {"candidate": {"mean": candidate, "controls": control}}
    found |= {"champion": {"mean": champion} if champion is not None else None}
    return found | {"cold": {"mean": 0.1}, "train": rows, "holdout": blind}


@pytest.fixture
def two(store: ProjectStore) -> tuple[str, str]:
    """The second has another label, one row more, one corrected, one less, and a blind one more."""
    first = [row(1, "A"), row(2, "A"), row(3, "A"), row(9, "A", "holdout")]
    second = [row(1, "A"), row(2, "C"), row(4, "A"), row(5, "A")]
    second += [row(9, "A", "holdout"), row(10, "A", "holdout")]
    made: list[str] = []
    for seed, (rows, config, scores) in enumerate(
        ((first, CONFIG, scored(0.5, None, 3, 1)), (second, WIDER, scored(0.75, 0.5, 4, 2))), 1
    ):
        snapshot = store.put_snapshot(Snapshot("1", config, tuple(rows)))
        settings = {"rank": 8 * seed, "steps": 40}
        given = {"config": config, "scores": scores, "settings": settings}
        version = committed(store, seed, snapshot, **given)
        frozen = store.snapshot(snapshot)
        verdict = {"version": version, "promoted": True, "reason": f"reason {seed}"}
        store.put_verdict(snapshot, verdict)
        promote(store, version, Person("root", "Anna"), f"why {seed}")
        assert lineage_of(frozen, snapshot, project_key(store))
        made.append(version)
    return made[0], made[1]


def test_the_table_says_of_each_version_what_ops_ask(
    store: ProjectStore, two: tuple[str, str]
) -> None:
    one, other = versions(store)
    assert [one["version"], other["version"]] == list(two)
    assert [one["state"], other["state"]] == ["replaced", "serving"]
    assert (other["parent"], other["labels"], other["blind_labels"]) == (two[0], 50, 2)
    assert other["scores"] == {"candidate": 0.75, "champion": 0.5, "cold": 0.1}
    assert (other["reason"], one["scores"]) == ("reason 2", {"candidate": 0.5, "cold": 0.1})
    assert other["served_since"] == store.current().moved_at


def test_each_state_has_its_word(store: ProjectStore, two: tuple[str, str]) -> None:
    kept = committed(store, 3)
    assert Became(store).state(kept) == "kept back"
    store.quarantine(two[1], "broken")
    assert Became(store).state(two[1]) == "does not load"
    rollback(store, Person("root"))
    assert Became(store).state(two[1]) == "quarantined"
    store.quarantine(two[1], None)
    assert [Became(store).state(v) for v in two] == ["serving", "rolled back"]


def test_one_version_is_shown_with_who_moved_it_and_its_card(
    store: ProjectStore, two: tuple[str, str]
) -> None:
    (store.adapter_folder(two[1]) / "README.md").write_text("# the card\n")
    facts, lines = shown(store, two[1])
    text = "\n".join(lines)
    assert f"{two[1]}: serving" in text and "# the card" in text
    assert f"Anna: promoted, {two[0]} -> {two[1]}: why 2" in text and "verdict: reason 2" in text
    assert facts["lineage"]["snapshot"] == facts["snapshot"]
    assert facts["recipe"]["settings"] == {"rank": 16, "steps": 40}
    with pytest.raises(NoSuchVersion, match="it has"):
        shown(store, "v9-00000000")


def test_two_versions_differ_in_settings_rows_labels_and_scores(
    store: ProjectStore, two: tuple[str, str]
) -> None:
    found, lines = compared(store, *two)
    assert found["settings"] == {"rank": [8, 16], "seed": [1, 2]}
    assert found["rows"] == {"added": 3, "removed": 1, "changed": 1}
    assert found["labels"] == {"intent": {"added": ["C"], "removed": ["B"]}}
    assert found["scores"]["candidate"] == [0.5, 0.75]
    assert found["counts"]["train"] == [3, 4] and found["same_holdout"] is False
    text = "\n".join(lines)
    assert "setting rank: 8 -> 16" in text and DIFFERENT_ROWS in text
    assert "intent: label 'C' added" in text and "human rows: 3 added, 1 removed, 1 changed" in text


def test_versions_of_another_key_or_of_nothing_known_still_compare(
    store: ProjectStore, two: tuple[str, str]
) -> None:
    frozen = store.snapshot(versions(store)[0]["snapshot"])
    other = lineage_of(frozen, frozen.hash, b"another store's key")
    write_lineage(store.adapter_folder(two[0]), other)
    assert compared(store, *two)[0]["rows"] is None
    for path in (store.folder / "snapshots").iterdir():
        path.unlink()
    found, _ = compared(store, *two)
    assert found["rows"] is None and found["same_holdout"] is None


def test_a_version_judged_again_beside_another_says_that_its_card_is_older(
    store: ProjectStore, two: tuple[str, str]
) -> None:
    """CURRENT moved while it was judged: the folder is of the first look, the verdict not."""
    assert not any("earlier look" in line for line in shown(store, two[1])[1])
    snapshot = next(m.recipe.snapshot for m in store.versions() if m.version == two[1])
    verdict = {"version": two[1], "promoted": False, "reason": "below", "champion": None}
    store.put_verdict(snapshot, verdict)
    assert any(f"earlier look, beside {two[0]}" in line for line in shown(store, two[1])[1])
