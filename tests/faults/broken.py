"""`python -m tests.faults.broken`: builds broken on purpose, each of which must fail the tests.

Each is a copy of the checkout with one piece of code turned wrong; the tests named with it are run
there. A build that passes them survives: then the suite has a hole. `--old`: with the tests that
were there before this file, to see what these alone would have let through.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Broken:
    """One wrong piece of code: `changes` are (file, right, wrong), each right one there once."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]
    old: tuple[str, ...] = ()


CURSOR_LAST = """            if states:
                last = max(s.updated_at for s in states)
                _move_cursor(db, project, min(last, clock) if clock else last)
"""
CURSOR_FIRST = """        if states:
            with self._write() as db:
                _move_cursor(db, project, max(s.updated_at for s in states))
"""
APPEND = "        at, total = t.now(), Appended()\n        with self._write() as db:\n"
APPEND += "            for part in t.chunks(states):\n"
MANIFEST_LAST = "            self.place.publish(staging, manifest)\n"
POINTER_FIRST = """            stamp = datetime.now(timezone.utc).isoformat()
            early = Current(manifest.version, stamp, "gate", "", self.current().version)
            self.place.swap("CURRENT.json", json.dumps(early.__dict__))
"""
WAY_OUT = "        wait = engine.lane.submit(loaded, rows, bulk=bulk, within_s=left)\n"
PAST_LANE = """        from lora.answer import answer

        def wait(seconds: float) -> list[Answer | None]:
            return list(answer(engine.side, loaded, rows))  # type: ignore[attr-defined]

"""
PROMOTE = '        with tracing.span("promotion", project=store.name, version=manifest.version):\n'
EARLY = "        _write(store, snapshot, manifest, True, verdict.reason, {})\n"
CUT_OFF, ONE_THREAD = "tests/faults/test_cut_off.py", "tests/faults/test_one_thread.py"
LIVE = ("tests/lora/test_live.py::test_no_answer_mixes_two_versions",)
PULL = ("tests/sync/test_pull.py", "tests/sync/test_interleavings.py")
STORE = ("tests/lora/test_store.py", "tests/sync/test_train_job.py")

BUILDS = (
    Broken(
        "the cursor moves before the append",
        (
            ("sync/log.py", CURSOR_LAST, ""),
            ("sync/log.py", APPEND, CURSOR_FIRST + APPEND),
        ),
        (CUT_OFF,),
        PULL,
    ),
    Broken(
        "CURRENT moves before the manifest is written",
        (("lora/store.py", MANIFEST_LAST, POINTER_FIRST + MANIFEST_LAST),),
        (CUT_OFF,),
        STORE,
    ),
    Broken(
        "requests are answered past the lane",
        (("lora/live.py", WAY_OUT, PAST_LANE),),
        (ONE_THREAD,),
        LIVE,
    ),
    Broken(
        "the watcher swaps on the lane's network",
        (
            (
                "lora/engine.py",
                "        return ready(self.side, opened, schema, pool, cold)\n",
                "        made = ready(self.side, opened, schema, pool, cold)\n"
                "        self.lane.network.activate(made, made.tensors)  # type: ignore\n"
                "        return made\n",
            ),
            (
                "lora/lane.py",
                '        """Hand the network to the lane\'s own thread."""\n',
                '        """Hand the network to the lane\'s own thread."""\n'
                "        self.network = network\n",
            ),
        ),
        (ONE_THREAD,),
        LIVE,
    ),
    Broken(
        "a batch takes chunks of any version",
        (("lora/lane.py", "for c in queue if c.loaded is batch[0].loaded]", "for c in queue]"),),
        ("tests/lora/test_lane.py", *LIVE),
        ("tests/lora/test_lane.py", *LIVE),
    ),
    Broken(
        "the verdict is written before CURRENT moves",
        (("sync/jobs.py", PROMOTE, EARLY + PROMOTE),),
        (CUT_OFF,),
        STORE,
    ),
    Broken(
        "CURRENT moves whatever it is",
        (("lora/store.py", "            if now.version != expect:\n", "            if False:\n"),),
        ("tests/lora/test_store.py",),
        STORE,
    ),
    Broken(
        "files are written in place",
        (
            (
                "lora/atomic.py",
                "        os.replace(temporary, path)\n",
                "        path.write_text(text)\n",
            ),
        ),
        ("tests/lora/test_store.py", CUT_OFF),
        STORE,
    ),
    Broken(
        "a recipe is committed again under another number",
        (
            (
                "lora/store.py",
                "            existing = self.find(recipe)\n",
                "            existing = None\n",
            ),
        ),
        (CUT_OFF,),
        STORE,
    ),
    Broken(
        "blind tasks are published after the pull",
        (
            (
                "sync/loop.py",
                "share, sweep, publish, memory)",
                "share, sweep, memory=memory)\n        publish()",
            ),
            (
                "sync/loop.py",
                "        publish(sweep)  # what an interrupted turn left unsaid\n",
                "",
            ),
        ),
        ("tests/sync/test_interleavings.py", "tests/sync/test_loop.py"),
        ("tests/sync/test_interleavings.py", "tests/sync/test_loop.py"),
    ),
    Broken(
        "a killed trainer waits ten minutes",
        (("sync/loop.py", "START_S = 30.0", "START_S = 600.0"),),
        ("tests/faults/test_recovery.py",),
        ("tests/sync/test_loop.py",),
    ),
    Broken(
        "a job that kills its worker is tried for ever",
        (
            (
                "sync/loop.py",
                'if state in {"started", "ended"} and wanted.attempts >=',
                "if False and wanted.attempts >=",
            ),
        ),
        ("tests/sync/test_loop.py",),
        ("tests/sync/test_loop.py",),
    ),
)


def copy(build: Broken, folder: Path) -> None:
    """The checkout with this code turned wrong; raises ValueError where it is not there."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if name.endswith((".py", ".toml", ".in", ".txt", ".json", ".xml", ".yml")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for name, right, wrong in build.changes:
        path = folder / name
        path.write_text(turned(path.read_text(encoding="utf-8"), name, right, wrong))


def turned(text: str, name: str, right: str, wrong: str) -> str:
    """The text with its one right piece turned wrong."""
    if text.count(right) != 1:
        raise ValueError(f"{name} has {text.count(right)} times, not once:\n{right}")
    return text.replace(right, wrong)


def caught(build: Broken, tests: Sequence[str]) -> list[str]:
    """The tests that fail on this build; raises RuntimeError where they do not even run."""
    with tempfile.TemporaryDirectory(prefix="annotune-broken-") as named:
        copy(build, Path(named))
        argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(argv, cwd=named, capture_output=True, text=True, timeout=3600)
    if done.returncode not in (0, 1):
        raise RuntimeError(
            f"{build.name}: pytest ended with {done.returncode}\n{done.stdout[-3000:]}"
        )
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    return [line.removeprefix("FAILED ")[:200] for line in failed]


def main(argv: Sequence[str] | None = None) -> int:
    """0: every broken build was caught; 1: one survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.broken", description=__doc__)
    parser.add_argument("--old", action="store_true", help="only with the tests of before")
    parser.add_argument("--only", default="", help="builds whose name holds this")
    given = parser.parse_args(argv)
    survived = 0
    for build in (b for b in BUILDS if given.only in b.name):
        tests = build.old if given.old else build.tests
        if not tests:
            continue
        failed = caught(build, tests)
        survived += not failed
        print(f"{build.name}: {failed[0] if failed else 'SURVIVED'}", flush=True)
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main())
