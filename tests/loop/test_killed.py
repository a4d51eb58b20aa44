"""SIGKILL at several points of a round: nothing is lost, nothing is done twice, somebody serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.asking import Asking

pytestmark = pytest.mark.real


@contextmanager
def asked(annotune: Any) -> Iterator[Asking]:
    texts = list(annotune.gold)[:4]
    with Asking(lambda: annotune.predict(texts)["results"], len(texts)) as asking:
        yield asking


def test_killed_at_every_step_the_loop_ends_as_if_nothing_had_happened(
    annotune: Any, wait_for: Any
) -> None:
    store = annotune.store
    with asked(annotune) as asking:
        annotune.answer(12)
        wait_for(store.is_training, 60, "no training began")
        annotune.kill("worker")  # while its trainer works, which must not live on unseen
        wait_for(lambda: not annotune.trainers(), 10, "the trainer outlived its worker")
        annotune.settled(1)

        annotune.answer(15, wrong_every=6)
        wait_for(store.is_training, 60, "no training began")
        annotune.kill_trainer()
        annotune.kill("sync")
        annotune.settled(2)

        before = store.current().version
        annotune.answer(14)
        wait_for(
            lambda: store.current().version != before or _rounds(annotune) >= 3, 200, "no verdict"
        )
        annotune.kill("backend")  # while it should swap
        annotune.kill("sync")  # while it should push
        state = annotune.settled(3)
        wait_for(lambda: annotune.logged() == annotune.annotations(), 60, "log and truth differ")
        serving = state["version"] or ""
        wait_for(lambda: asking.versions[-1].startswith(serving or "cold-"), 60, "no swap")

    assert annotune.logged() == annotune.annotations()
    manifests = store.versions()
    snapshots = [m.recipe.snapshot for m in manifests]
    assert len(snapshots) == len(set(snapshots)) >= 3, "one version per snapshot"
    promoted = {m.version for m in manifests if store.verdict(m.recipe.snapshot)["promoted"]}
    assert promoted, "no adapter was ever promoted: the test would show nothing"
    assert asking.wrong == []
    served = {v for v in asking.versions if not v.startswith("cold-")}
    assert served <= promoted, "an adapter served that was never promoted"
    numbers = [int(v[1:].split("-")[0]) if v.startswith("v") else 0 for v in asking.versions]
    assert numbers == sorted(numbers), f"an older version came back: {asking.versions}"


def _rounds(annotune: Any) -> int:
    return sum(1 for p in (annotune.store.folder / "verdicts").glob("*.json"))
