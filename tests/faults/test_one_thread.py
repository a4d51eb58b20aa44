"""A network belongs to one thread: whoever swaps, or answers, past the lane is caught at once.

That no answer mixes versions (tests/lora/test_live.py) shows a breach only when two threads meet
within a pass; here it is enough that a second one touches the network.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from label_config.controls import Schema
from lora.base import Base
from lora.live import Live
from lora.network import Network, Tree
from lora.store import Store
from tests.lora.conftest import make_version, project, schema, store, tiny
from tests.lora.made import MakeVersion
from tests.lora.test_live import TEXTS, serving, tasks, until, version

__all__ = ["make_version", "project", "schema", "store", "tiny"]  # fixtures of that room


def serves(live: Live, schema: Schema, wanted: str) -> bool:
    return version(live, schema) == wanted


def test_only_the_lane_swaps_and_answers_and_only_the_watcher_prepares(
    store: Store,
    tiny: Base,
    schema: Schema,
    make_version: MakeVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: defaultdict[int, set[str]] = defaultdict(set)
    seen: list[Tree] = []  # kept, so that no other network gets its id

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: Tree, *args: Any, **how: Any) -> Any:
            if self.base is tiny:  # another Live may serve the gallery's tests
                seen.append(self)
                used[id(self)].add(threading.current_thread().name)
            return real(self, *args, **how)

        return noted

    versions = [make_version(1).version, make_version(2, rank=8).version]
    with serving(store, tiny) as live:
        version(live, schema)  # the thread that loads a base warms its network up, then hands it on
        for owner, name in ((Tree, "activate"), (Network, "encode")):
            monkeypatch.setattr(owner, name, noting(getattr(owner, name)))
        for before, to in pairwise([None, *versions * 2]):
            assert to is not None
            store.project("1").move_current(before, to, "test", "")
            until(partial(serves, live, schema, to))
            live.predict("1", schema, tasks(*TEXTS))
    assert sorted(map(sorted, used.values())) == [["annotune-lane-tiny"], ["annotune-watcher"]]
