"""A worker whose host was cut off for longer than its lease comes back with what it fitted.

Two machines on moto's bucket (see test_s3.py); the fit takes no time and is a fake.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lora.opened import open_store
from settings import Gate
from sync import jobs
from sync.budget import read_looks
from tests.bucket.conftest import Machines
from tests.sync.test_train_job import frozen, trainer


@pytest.mark.parametrize("better", [True, False])
def test_a_late_worker_leaves_the_word_of_the_one_that_took_over(
    bucket: Machines,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    better: bool,
) -> None:
    late = replace(bucket.settings("late"), gate=Gate(least_blind=10))
    quick = replace(bucket.settings("quick"), gate=late.gate)
    quick = replace(quick, s3=replace(quick.s3, lease_s=-5.0))  # to it the late one's is over
    snapshot = open_store(late).project("1").put_snapshot(frozen(*range(18)))
    fit, there = trainer(snapshot, 12 if better else 3), list[Any]()

    def use(settings: Any, run: Any) -> None:
        monkeypatch.setattr(jobs, "load", lambda environ: settings)
        monkeypatch.setattr(jobs, "_run_trainer", run)

    def taken_over(*args: Any) -> dict[str, Any]:
        use(quick, fit)
        jobs.train("1", snapshot)
        there.append(open_store(quick).project("1").verdict(snapshot))
        return fit(*args)

    use(late, taken_over)
    said = jobs.train("1", snapshot)
    store = open_store(late).project("1")
    store.place.refresh()
    assert store.verdict(snapshot) == there[0] and there[0]["promoted"] is better
    assert said == there[0]["reason"]
    assert f"snapshot {snapshot[:8]} was judged meanwhile by another worker" in caplog.text
    assert [m.version for m in store.versions()] == [there[0]["version"]]
    assert [m.version for m in store.moves()] == [there[0]["version"]] * better
    assert len(read_looks(store)) == 1
