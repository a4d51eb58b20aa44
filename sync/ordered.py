"""How the queue of a project was ordered last, for `annotune status` in another process. A note in
the store: lost, it is written anew with the next version."""

from __future__ import annotations

import json

from lora.atomic import read_json
from lora.errors import BrokenFile
from lora.store import ProjectStore
from sync.push import Pushed
from sync.typical import Way

FILE = "order.json"
WORDS: dict[Way, str] = {
    "typical": "typical tasks first, until about two answers a label",
    "spread": "the least sure, one of each cluster of like texts",
    "turns": "one of each predicted answer in turn: what answers knows no vectors of the texts",
}


def note_order(store: ProjectStore, pushed: Pushed) -> None:
    """Keep how the front of the queue was ordered, where this push did that."""
    if pushed.way:
        note = {"version": pushed.version, "way": pushed.way}
        store.place.write(FILE, json.dumps(note))


def order_of(store: ProjectStore) -> str | None:
    """In words; None while nothing was pushed that takes an order."""
    try:
        raw = read_json(store.folder / FILE, None)
    except BrokenFile:
        return None
    way = raw.get("way") if isinstance(raw, dict) else None
    return f"{WORDS[way]} ({raw.get('version')})" if way in WORDS else None
