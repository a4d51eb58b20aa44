"""Two backends, two workers, sync, PostgreSQL, Redis, S3 and Label Studio, each on a host of its
own (a network namespace); cables are pulled in the middle of things.

PostgreSQL, Redis and all of annotune are real; S3 is moto's server, Label Studio a scripted one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sync.loop import START_S
from tests.faults.kills.running import wait
from tests.hosts.net import NoHosts, network
from tests.hosts.town import BACKENDS, HOSTS, LEASE_S, PATIENCE_S, WORKERS, Town, town_on
from tests.lora.conftest import tiny_folder

__all__ = ["tiny_folder"]  # a fixture of that room

pytestmark = pytest.mark.real
TAKEN_OVER_S = START_S + LEASE_S + 30.0  # as docs/scaling.md says; the rest is a busy machine's


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Iterator[Town]:
    with ExitStack() as kept:
        try:
            net = kept.enter_context(network(HOSTS))
        except NoHosts as why:
            pytest.skip(f"NO MULTI-HOST TEST ON THIS MACHINE: {why}")
        yield kept.enter_context(town_on(net, tmp_path_factory.mktemp("town"), tiny_folder))


@pytest.fixture(autouse=True)
def plugged(town: Town) -> Iterator[None]:
    """Whatever a test did, the next one finds every cable plugged in."""
    yield
    town.server.before = lambda method, path: None
    for name in HOSTS:
        town.net.plug(name)


def promoted_since(town: Town, before: str) -> str:
    found = wait(lambda: {town.version} - {before, None}, PATIENCE_S, "nothing was promoted")
    return str(found.pop())


def noted_once(town: Town, version: str) -> bool:
    """In the store, in the log's rounds, and in its audit."""
    moved = Counter(m.version for m in town.store.moves())[version]
    told = [e for e in town.log.audit("1") if (e.what, e.subject) == ("promoted", version)]
    rounds = [r for r in town.log.rounds("1") if (r["verdict"] or {}).get("version") == version]
    return (moved, len(told), len(rounds)) == (1, 1, 1)


def test_what_people_teach_is_trained_on_one_host_and_served_by_two(town: Town) -> None:
    version = wait(lambda: town.version, PATIENCE_S, "nothing was promoted")
    for name in BACKENDS:
        town.serves(name, version)
        assert set(town.answers(name, near=False)) == {version}
    assert town.at_rest() == version == town.people.model_version()
    assert noted_once(town, version)


def test_a_worker_cut_off_in_a_training_is_replaced_and_its_late_result_is_dropped(
    town: Town,
) -> None:
    before = town.at_rest()
    town.everybody_changes_their_mind()
    lost = wait(lambda: next(filter(town.fits, WORKERS), None), PATIENCE_S, "nobody trains")
    town.net.cut(lost)
    (other,) = set(WORKERS) - {lost}
    began = time.monotonic()
    wait(lambda: town.below_worker("trainer", other), PATIENCE_S, "nobody takes over")
    took = time.monotonic() - began
    assert took < TAKEN_OVER_S
    version = promoted_since(town, before)
    print(f"{lost} was cut off, {other} trained after {took:.0f} s")
    town.net.plug(lost)
    late = f"was judged meanwhile by another worker, as {version}; what was fitted here is dropped"
    worker = town.services[lost]
    wait(lambda: late in town.log_of(lost) or not worker.alive, PATIENCE_S, f"{lost} is silent")
    if not worker.alive:  # its job ended before it heard of Redis again
        print(f"{lost} ended: {worker.log_tail(300)}")
        assert late in town.log_of(lost) or "rq.worker" in worker.log_tail(20_000)
        town.start(lost)  # as a container's runtime does
    for name in BACKENDS:
        town.serves(name, version)
    assert town.at_rest() == version and noted_once(town, version)


def test_sync_a_backend_and_the_worker_cut_off_in_a_promotion_come_back_to_it(town: Town) -> None:
    before, cut = town.at_rest(), list[str]()

    def pull(method: str, path: str) -> None:
        """Sync's cable as the candidate becomes a version; the others' as CURRENT is put: it will
        be done, and the worker not hear of it."""
        gone: list[str] = []
        if method == "PUT" and path.endswith("/manifest.json") and not cut:
            gone = ["sync"]
        elif method == "PUT" and path.endswith("/CURRENT.json") and "b1" not in cut:
            gone = ["b1", *town.at_work()]
        for name in gone:
            town.net.cut(name)
            cut.append(name)

    town.server.before = pull
    town.everybody_changes_their_mind()
    version = promoted_since(town, before)
    assert cut[:2] == ["sync", "b1"] and len(cut) == 3
    town.serves("b2", version)
    wait(lambda: "s3://town/store" in town.missed("b1"), PATIENCE_S, "b1 misses nothing")
    assert town.project_of("b1")["version"] == before
    assert set(town.answers("b1")) == {before}
    wait(lambda: town.told("sync").get("status") == "DEGRADED", PATIENCE_S, "sync misses nothing")
    (snapshot,) = (m.recipe.snapshot for m in town.store.versions() if m.version == version)
    assert town.store.verdict(snapshot) is None, "the worker is between CURRENT and verdict"
    for name in cut:
        town.net.plug(name)
    town.serves("b1", version)
    assert town.at_rest() == version and noted_once(town, version)
    judged = town.store.verdict(snapshot)
    assert judged is not None and judged["promoted"] is True
