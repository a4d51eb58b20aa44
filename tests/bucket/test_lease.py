"""Who trains, between machines: a lease in the bucket, renewed while it is held.

The server is moto's (see test_s3.py).
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lora import lease
from lora.opened import open_store
from lora.s3 import S3
from lora.store import ProjectStore
from settings_store import S3 as S3Settings
from tests.bucket.conftest import Machines


def leasing(bucket: Machines, name: str, lease_s: float) -> ProjectStore:
    """A machine with another idea of how long a lease lasts than the settings allow."""
    own = bucket.settings(name)
    return open_store(replace(own, s3=replace(own.s3, lease_s=lease_s))).project("1")


def test_a_lease_outlives_no_dead_machine(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = bucket.project("here"), bucket.project("there")
    monkeypatch.setattr(lease._Keeper, "stop", lambda self: self._over.set())  # as if killed
    with here.training() as ours:
        assert ours
    other.place.refresh()
    assert other.is_training()
    with other.training(patience_s=0) as theirs:
        assert not theirs
    with here.training() as ours:
        assert ours, "the same machine, whose file lock says that nobody trains there"
    later = leasing(bucket, "there", -5.0)
    later.place.refresh()
    assert not later.is_training()
    with later.training(patience_s=0) as theirs:
        assert theirs


def test_a_lease_is_renewed_while_it_is_held(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[str] = []
    put = S3.put

    def counted(self: S3, key: str, raw: bytes, **how: Any) -> str:
        done = put(self, key, raw, **how)
        renewed.append(key)
        return done

    monkeypatch.setattr(S3, "put", counted)
    here = leasing(bucket, "here", 0.04)
    with here.training():
        end = time.monotonic() + 20
        while renewed.count("projects/1/train.lease") < 4 and time.monotonic() < end:
            time.sleep(0.01)
    assert renewed.count("projects/1/train.lease") >= 4


def test_an_old_lease_by_the_servers_clock_alone(bucket: Machines) -> None:
    here = bucket.project("here")
    with here.training():
        here.place.refresh()
        seen = here.place._seen  # type: ignore[attr-defined]
        aged = {n: s for n, s in seen.files.items()}
        later = seen.now + timedelta(seconds=S3Settings().lease_s + 5)
        here.place._seen = type(seen)(aged, later)  # type: ignore[attr-defined]
        assert not here.place.is_leased("train")
