"""What tests of reviews share: children of a judged round, and what people say of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from augment.values import Made
from label_config.snapshot_json import region_to_dict
from label_config.values import Example, Snapshot
from lora.expansions import Expansions
from sync.loop import Turn, turn
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import CONFIG, House

REGULATED = CONFIG.replace("<View>", '<View annotune-regulated="true">', 1)
KEPT, EXPERTS = 4, 2


def says(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    return [{"from_name": "intent", "to_name": "text", "type": "choices", "value": value}]


def children(frozen: Snapshot) -> list[Example]:
    parents = frozen.train
    made = []
    for n in range(KEPT + EXPERTS):
        parent = parents[n % len(parents)]
        text = {"text": f"child {n} of {parent.texts['text']}"}
        child = Made(parent.id, text, parent.answers, "rewrite", "smollm", f"{n:016x}", n)
        made.append(child.as_example(parent, 0.5))
    return made


def shown(child: Example) -> dict[str, Any]:
    raw = {"id": child.id, "texts": dict(child.texts), "origin": asdict(child.origin)}
    return raw | {"answers": [region_to_dict(r) for r in child.answers]}


def go(house: House) -> Turn:
    done = turn(house.world, "1")
    return done


def record_of(house: House, snapshot: str) -> None:
    store = house.world.store.project("1")
    made = children(store.snapshot(snapshot))
    record = {"snapshot": snapshot, "policy": {"review": True}, "challenger": None}
    record |= {"kept": [shown(c) for c in made[:KEPT]]}
    record |= {"experts_first": [shown(c) for c in made[KEPT:]]}
    Expansions(store).put(snapshot, record)


def reviewed(house: House) -> FakeStudio:
    return house.studio.others["100"]


def snapshots(house: House) -> set[str]:
    folder = house.world.store.project("1").folder
    return {p.stem for p in (folder / "snapshots").glob("*.json")}


def synthetic(house: House) -> dict[str, Example]:
    """Every synthetic row of every snapshot there is."""
    store = house.world.store.project("1")
    frozen = [store.snapshot(digest) for digest in snapshots(house)]
    return {e.id: e for s in frozen for e in s.examples if e.origin.kind == "synthetic"}
