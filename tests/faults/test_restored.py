"""A backup made while real processes run, the home folder lost, the backup put back: it goes on."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from random import Random

import pytest

from sync.start.process import wait_until
from tests.faults.kills.held import PATIENCE_S, House, logged, the_log_is_the_truth
from tests.faults.kills.people import CONFIG
from tests.faults.kills.run import scripted_house
from tests.faults.kills.running import wait
from tests.lora.conftest import tiny_folder

__all__ = ["tiny_folder"]  # a fixture of that room
OURS = ("worker", "sync", "backend")
TEXTS = {10**9: "play the red song", 10**9 + 1: "buy a coat now"}


def answers(house: House, version: str) -> list[object]:
    """What the backend answers, once it is of this version."""

    def asked() -> list[object]:
        got = house.running.predict(CONFIG, TEXTS)
        right = {p["model_version"] for p in got} == {version}
        return [(p["result"], p["score"]) for p in got] if right else []

    found: list[object] = wait(asked, PATIENCE_S, f"the backend does not serve {version}")
    return found


@pytest.mark.real
def test_after_a_wiped_home_and_a_restore_the_same_version_serves_and_sync_goes_on(
    tmp_path: Path, tiny_folder: Path
) -> None:
    draw = Random(8)
    with scripted_house(tmp_path, tiny_folder) as house:
        running, people = house.running, house.people
        running.nudge()
        wait(lambda: running.store.versions(), PATIENCE_S, "no version was made")
        wait(lambda: not running.in_hand(), PATIENCE_S, "the round has no end")
        version = running.store.versions()[-1].version
        if running.store.current().version != version:  # of so few blind labels a tie is likely
            running.cli("promote", running.project, version)
        before = answers(house, version)

        working = threading.Thread(target=people.work, args=(draw, 6))  # sync hears them meanwhile
        working.start()
        running.nudge()
        kept = running.cli("backup")
        working.join()
        people.work(draw, 3)  # after the backup: Label Studio alone will know
        assert kept["projects"][running.project]["serving"] == version

        for name in OURS:
            running.services[name].stop(10)
        running.log.close()
        shutil.rmtree(running.settings.home)
        restored = running.cli("restore", kept["file"])
        assert restored["projects"] == kept["projects"] and restored["aside"] is None
        held = logged(running)[0]
        assert held and held != people.truth()[0], "else what follows would show nothing"

        for name in reversed(OURS):
            running.start(name)
        wait_until(running.services["backend"], running.ready, PATIENCE_S)
        assert answers(house, version) == before
        assert the_log_is_the_truth(house) is None
        assert running.store.current().version == version
        people.work(draw, 1)
        running.nudge()
        assert the_log_is_the_truth(house) is None
