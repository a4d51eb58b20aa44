"""A backup made while all runs, the home folder lost, the backup put back: the loop goes on."""

from __future__ import annotations

import shutil
import threading
from typing import Any

import pytest

pytestmark = pytest.mark.real


def test_after_a_wiped_home_and_a_restore_the_same_version_serves_and_sync_goes_on(
    annotune: Any, wait_for: Any
) -> None:
    store, project, texts = annotune.store, annotune.project, list(annotune.gold)[:5]
    annotune.answer(12)
    version = annotune.settled(1)["last_verdict"]["version"]
    if store.current().version != version:  # a few blind labels may well be a tie
        annotune.cli("promote", project, version)
    wait_for(lambda: annotune.predict(texts)["model_version"] == version, 30, "no swap")
    before = annotune.predict(texts)["results"]

    people = threading.Thread(target=annotune.answer, args=(6,))  # sync hears them meanwhile
    people.start()
    kept = annotune.cli("backup")
    people.join()
    annotune.answer(2)  # after the backup, so only Label Studio has them
    wait_for(lambda: annotune.logged() == annotune.annotations(), 60, "log and truth differ")
    assert kept["projects"][project]["serving"] == version

    annotune.cli("restore", kept["file"], code=5)  # it runs
    annotune.stop()
    shutil.rmtree(annotune.home)
    restored = annotune.cli("restore", kept["file"])
    assert restored["aside"] is None and restored["projects"] == kept["projects"]
    annotune.start()
    wait_for(lambda: annotune.predict(texts)["model_version"] == version, 60, "not served")
    assert [r["result"] for r in annotune.predict(texts)["results"]] == [
        r["result"] for r in before
    ]
    wait_for(lambda: annotune.logged() == annotune.annotations(), 60, "log and truth differ")
    (made,) = annotune.answer(1)
    wait_for(lambda: made in annotune.logged()[0] or annotune.logged()[1], 60, "sync stands still")
    assert [m.version for m in store.versions()] == [version]
    assert store.current().version == version
