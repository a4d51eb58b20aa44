"""An expansion from a snapshot to its challenger: the real rooms, the bundled base."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from augment.gains import Gain
from label_config.values import Choice, Example, Origin, Snapshot
from lora.expansions import Expansions, Interrupted
from lora.store import ProjectStore, Store
from lora.wishes import Wish
from settings import Augment, Gate, Settings, Train
from sync import jobs
from sync.expand import main, preview, run
from sync.review import children_of
from tests.lora.causal.made import causal_base

pytestmark = pytest.mark.model  # embeds with MiniLM: seconds

CONFIG = (
    '<View><Text name="t" value="$text"/><Choices name="c" toName="t">'
    '<Choice value="refund"/><Choice value="delivery"/></Choices></View>'
)
SAID = {
    "refund": "please give me back the ${} that i don't owe for order 8823{}, it's from 12 May",
    "delivery": "where is the parcel {} that you sent on 3 June at 14:{}5, it's late isn't it",
}


def example(n: int, side: str = "train") -> Example:
    label = ("refund", "delivery")[n % 2]
    apart = f"can somebody look at lamp {n * 37} of mine, the light flickers"
    said = SAID[label].format(100 + 7 * n, n % 6)
    text = {"text": said if side == "train" else apart}
    name = f"annotation-{n}"
    answer = (Choice("c", "t", (label,)),)
    return Example(name, n, f"g{n}", side, text, answer, Origin("human", annotation=n))  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    own = Augment(sources="noise,substitute")
    return Settings(home=tmp_path, augment=own)


@pytest.fixture
def place(tmp_path: Path) -> ProjectStore:
    return Store(tmp_path / "store").project("1")


def frozen(place: ProjectStore, count: int = 24, blind: int = 6) -> str:
    rows = [example(n) for n in range(count)]
    rows += [example(n, "holdout") for n in range(90, 90 + blind)]
    return place.put_snapshot(Snapshot("1", CONFIG, tuple(rows), ({"text": "is it there yet"},)))


def test_children_of_human_train_rows_stand_beside_them_in_the_challenger(
    settings: Settings, place: ProjectStore
) -> None:
    human = frozen(place)
    record = run(place, human, settings)
    assert record == Expansions(place).get(human) or json.loads(json.dumps(record)) == (
        Expansions(place).get(human)
    )
    challenger = place.snapshot(record["challenger"])
    own = place.snapshot(human)
    made = [e for e in challenger.examples if e.origin.kind == "synthetic"]
    assert [e for e in challenger.examples if e.origin.kind == "human"] == list(own.examples)
    parents = {e.id: e for e in own.train}
    assert made and all(e.origin.parent in parents for e in made)
    for child in made:
        parent = parents[child.origin.parent or ""]
        assert (child.answers, child.group, child.side) == (parent.answers, parent.group, "train")
        assert child.texts != parent.texts and 0 < (child.origin.weight or 0) <= 0.5
    funnel = record["funnel"]
    assert funnel["kept"] == len(made) == len(record["kept"])
    assert funnel["made"] == funnel["kept"] + sum(s["refused"] for s in funnel["steps"])
    assert "synthesise" in record["policy"]["reason"]
    assert Expansions(place).human_of(record["challenger"]) == human


def test_the_same_snapshot_brings_the_same_challenger(
    settings: Settings, place: ProjectStore
) -> None:
    human = frozen(place)
    first, again = run(place, human, settings), run(place, human, settings)
    assert first["challenger"] == again["challenger"] and first["kept"] == again["kept"]


@pytest.mark.parametrize("how", ["regulated", "review"])
def test_where_people_approve_no_child_reaches_a_snapshot(
    settings: Settings, place: ProjectStore, how: str
) -> None:
    human = frozen(place)
    own = replace(settings, augment=replace(settings.augment, review=how == "review"))
    record = run(place, human, own, regulated=how == "regulated")
    assert record["challenger"] is None and record["kept"] and record["policy"]["review"]
    assert [p.stem for p in (place.folder / "snapshots").glob("*.json")] == [human]


def test_children_refused_for_their_label_alone_come_before_experts_first(
    settings: Settings, place: ProjectStore
) -> None:
    """What judges that never saw the parent read otherwise is what the model gets wrong."""
    usual = place.snapshot(frozen(place))
    odd = {e.id for e in usual.train[0:6:2]}  # they ask for a refund
    wrong = (Choice("c", "t", ("delivery",)),)
    rows = [replace(e, answers=wrong) if e.id in odd else e for e in usual.examples]
    human = place.put_snapshot(replace(usual, examples=tuple(rows)))
    own = replace(settings, augment=replace(settings.augment, review=True))
    record = run(place, human, own)
    first = record["experts_first"]
    assert first and {e["origin"]["parent"] for e in first} <= odd
    steps = {s["name"]: s["refused"] for s in record["funnel"]["steps"]}
    assert len(first) <= steps["consistent"] and record["funnel"]["experts_first"] == len(first)
    shown = [c.id for c in children_of(place, human)]
    assert shown == [e["id"] for e in (*first, *record["kept"])]
    assert not {e["id"] for e in first} & {e["id"] for e in record["kept"]}


def test_gains_that_faded_stop_it_with_the_reason(settings: Settings, place: ProjectStore) -> None:
    past = [Gain(20, -0.01, 0.02), Gain(22, 0.0, 0.02)]
    record = run(place, frozen(place), settings, past=past)
    assert record["challenger"] is None and "funnel" not in record
    assert "the last 2 rounds brought no gain" in record["policy"]["reason"]


def test_a_writer_that_was_cut_off_is_not_asked_twice(
    settings: Settings, place: ProjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lora.causal.write import Writer

    asked: list[int] = []
    answer = Writer._some

    def counted(self: Writer, prompts: Any) -> Any:
        asked.append(len(prompts))
        return answer(self, prompts)

    monkeypatch.setattr(Writer, "_some", counted)
    llama, load = causal_base("llama"), __import__("lora.base", fromlist=["load_base"]).load_base
    named = lambda name, **how: llama if name == "writes" else load(name, **how)  # noqa: E731
    monkeypatch.setattr("lora.base.load_base", named)
    own = replace(settings, augment=Augment(sources="generate", generator="writes"))
    human = frozen(place)
    turns = iter([True, True, False])
    with pytest.raises(Interrupted):
        run(place, human, own, go_on=lambda: next(turns))
    before = sum(asked)
    assert Expansions(place).get(human) is None and before == 32
    record = run(place, human, own)
    assert sum(asked) == len(record["prompts"]), "each prompt once over both runs"
    other = Store(tmp_path / "other").project("1")
    assert run(other, frozen(other), own)["kept"] == record["kept"]


def test_what_experts_said_is_told_to_the_writer_and_stands_in_no_child(
    settings: Settings, place: ProjectStore
) -> None:
    human = frozen(place)
    own = place.snapshot(human)
    said = [replace(e, context=(f"a secret of the {e.side}",)) for e in own.examples]
    told = place.put_snapshot(replace(own, examples=tuple(said)))
    writes = replace(settings, augment=Augment(sources="generate", generator="smollm"))
    asked = preview(place, told, writes)["asked"]
    assert asked["samples"] and all("a secret of the train" in s for s in asked["samples"])
    assert "a secret of the holdout" not in str(asked)
    before = preview(place, human, writes)["asked"]
    assert before["prompts"] == asked["prompts"] and "secret" not in str(before)
    assert run(place, told, settings)["kept"] == run(place, human, settings)["kept"] != []


def test_the_process_writes_its_record_and_says_what_it_did(
    tmp_path: Path, place: ProjectStore
) -> None:
    human = frozen(place)
    environ = {**os.environ, "ANNOTUNE_HOME": str(tmp_path)}
    environ["ANNOTUNE_AUGMENT_SOURCES"] = "substitute"
    argv = [sys.executable, "-m", "sync.expand", "--project", "1", "--snapshot", human]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    record = Expansions(place).get(human)
    assert record and f"{len(record['kept'])} children kept" in done.stderr
    argv[-1] = "f" * 64
    gone = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120)
    assert gone.returncode == 2 and "ERROR" in gone.stderr


def test_a_challenger_is_judged_beside_the_human_only_version(
    settings: Settings, place: ProjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    human = frozen(place, blind=12)
    short = Train(steps=8, rank=2)
    own = replace(settings, home=tmp_path, train=short, gate=Gate(least_blind=10))
    monkeypatch.setattr(jobs, "load", lambda environ: own)
    jobs.train("1", human)
    first = place.verdict(human)
    assert first is not None and "gain" not in first and "human" not in first["scores"]
    record = run(place, human, own)
    reason = jobs.train("1", record["challenger"])
    verdict = place.verdict(record["challenger"])
    assert verdict is not None and verdict["reason"] == reason
    scores, gain = verdict["scores"], verdict["gain"]
    assert scores["human"]["right"].keys() == scores["candidate"]["right"].keys()
    assert gain["difference"] == pytest.approx(
        scores["candidate"]["mean"] - scores["human"]["mean"], abs=1e-3
    )
    assert gain["answers"] == 24 and Expansions(place).past() == [gain]
    assert verdict["labels"] == first["labels"], "children are nobody's answers"
    assert any("synthetic examples together weigh" in note for note in verdict["notes"])
    looks = {one["look"]["against"]: one for one in verdict["gate"]["looks"]}
    assert {"cold", "human"} <= looks.keys() and verdict["gate"]["learned"]["known"] in {0, 24}
    assert looks["human"]["look"]["value"] == pytest.approx(gain["difference"], abs=1e-3)
    assert verdict["promoted"] is all(one["passed"] for one in looks.values())


def test_a_writer_hears_nothing_once_something_is_to_be_forgotten(
    tmp_path: Path, place: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    human, asked = frozen(place), list[str]()
    monkeypatch.setattr("sync.expand.run", lambda *_, **__: asked.append("run"))
    monkeypatch.setenv("ANNOTUNE_HOME", str(tmp_path))
    place.wish(Wish("task", 1, "2026-01-01T00:00:00+00:00", "Anna"))
    assert main(["--project", "1", "--snapshot", human]) == 0
    assert asked == [] and Expansions(place).get(human) is None
