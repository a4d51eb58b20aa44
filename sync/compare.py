"""`annotune compare`: several bases trained and judged on one snapshot, in one run.

All of it happens in a folder of its own, gone afterwards: the project's store, its CURRENT and the
queue are only read. What is said of the results is in sync/compared.py.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from label_config import Snapshot
from lora import speed
from lora.recipe import kind_of
from lora.store import Store
from lora.train import report_path
from settings import Settings
from sync.children import TrainingFailed, run_child, trainer
from sync.compared import Compared, Contestant
from sync.freeze import freeze
from sync.loop import World
from sync.operate import Impossible
from sync.terms import Terms, allowed_bases, base_allowed, read_terms

logger = logging.getLogger(__name__)

SCRATCH, LOCK = ".compare-", "lock"
STALE_S = 60.0  # a folder without its lock that is older was left by a killed run


@dataclass(frozen=True)
class _Place:
    """The folder of one comparison: a store of its own with one snapshot."""

    store: Store
    project: str
    digest: str


def compare(world: World, project: str, bases: Sequence[str], seeds: int = 1) -> Compared:
    """Train every base `seeds` times on what sync would freeze now, judge all on the same blind
    answers, and time the first adapter of each.

    Raises Impossible (a base that is not allowed or predicts nothing here, too few answers, a
    training that failed), BaseUnavailable and InvalidConfig.
    """
    settings = world.settings
    _check_allowed(settings, bases)
    kinds = {base: kind_of(base) for base in bases}  # says at once which is not there
    config = world.log.config(project)
    if not config:
        raise Impossible(f"project {project} was never pulled; run: annotune once {project}")
    terms = {base: read_terms(settings, config, base) for base in bases}
    _check_served(terms)
    widest = max(terms.values(), key=lambda t: len(t.schema.controls))
    snapshot, _ = freeze(world.log, project, widest)  # what any of them can learn from
    _check_enough(project, snapshot)
    ours = world.store.project(project)
    busy = ours.is_training()
    made: list[Contestant] = []
    with scratch(settings.home) as folder:
        store = Store(folder / "store")
        store.project(project).publish_pool(ours.pool())
        digest = store.project(project).put_snapshot(snapshot)
        place = _Place(store, project, digest)
        fits = {base: _fits(terms[base].settings, place, seeds) for base in bases}
        for base, ((first, _), *_rest) in fits.items():  # one after the other, close in time
            pace = _pace(terms[base].settings, place, first)
            reports = tuple(report for _, report in fits[base])
            schema = terms[base].schema
            made.append(Contestant(base, kinds[base], schema, reports, pace, size_of(first)))
    found = Compared(project, digest, snapshot, tuple(made), settings.gate.least_blind)
    return replace(found, disturbed=busy or ours.is_training())


def _check_allowed(settings: Settings, bases: Sequence[str]) -> None:
    refused = [base for base in bases if not base_allowed(settings, base)]
    if refused:
        may = ", ".join(allowed_bases(settings))
        raise Impossible(
            f"base {refused[0]!r} is not allowed here, {may} may be compared; ops can add it to "
            "ANNOTUNE_TRAIN_BASES"
        )


def _check_served(terms: Mapping[str, Terms]) -> None:
    nothing = [base for base, its in terms.items() if not its.schema.controls]
    if nothing:
        raise Impossible(
            f"base {nothing[0]!r} predicts none of this project's controls, so there is nothing "
            "to compare it by; an encoder writes no texts"
        )


def _check_enough(project: str, snapshot: Snapshot) -> None:
    for what, rows in (("to learn from", snapshot.train), ("to judge on", snapshot.holdout)):
        if not rows:
            blind = "blind " if what == "to judge on" else ""
            raise Impossible(
                f"project {project} has no {blind}answers {what}; annotate more tasks (one in "
                "ANNOTUNE_BLIND_FIRST_IN is blind) and let sync hear of them"
            )


def _fits(settings: Settings, place: _Place, seeds: int) -> list[tuple[Path, dict[str, Any]]]:
    """Each seed's adapter folder and the trainer's report."""
    base = settings.train.base
    made: list[tuple[Path, dict[str, Any]]] = []
    for n in range(seeds):
        train = replace(settings.train, seed=settings.train.seed + n)
        logger.info("compare: fitting %s, %d of %d", base, n + 1, seeds)
        out = place.store.project(place.project).staging()
        own = replace(settings, train=train)
        argv = trainer(own, place.store.root, place.project, place.digest, out, None)
        report = _run(settings, argv, report_path(out), train.threads)
        made.append((out, report))
    return made


def _pace(settings: Settings, place: _Place, adapter: Path) -> dict[str, Any]:
    """How fast the adapter answers where a server would answer with it."""
    own, base = settings.backend, settings.train.base
    lane = {"queue": own.queue, "gather_s": own.gather_ms / 1000, "serve": own.serve}
    lane |= {"dtype": own.dtype, "answer_tokens": own.answer_tokens, "answer_s": own.answer_s}
    threads = max(1, (os.cpu_count() or 2) // 2)  # as the backend has (ml_backend/serve.py)
    report = adapter.parent / f"{adapter.name}.speed.json"
    logger.info("compare: timing %s", base)
    argv = speed.command(
        place.store.root,
        place.project,
        place.digest,
        adapter,
        base,
        report,
        lane=lane,
        threads=threads,
        quantize=own.quantize,
    )
    return _run(settings, argv, report, threads)


def _run(settings: Settings, argv: list[str], report: Path, threads: int) -> dict[str, Any]:
    """The log lies in the scratch folder, so its last words are all that is kept of it."""
    log = report.with_suffix(".log")
    try:
        return run_child(argv, report, log, threads=threads, timeout_s=settings.queue.timeout_s)
    except TrainingFailed as error:
        why = str(error).removesuffix(f" (see {log})")
        raise Impossible(f"{settings.train.base} cannot be compared: {why}") from error


def size_of(folder: Path) -> int:
    """Bytes of an adapter's files, without its card."""
    return sum(p.stat().st_size for p in folder.iterdir() if p.name != "README.md")


@contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """A folder in `home` that is gone afterwards. What a SIGKILL left is swept by the next one."""
    for left in home.glob(f"{SCRATCH}*"):
        with suppress(OSError), (left / LOCK).open("a") as lock:
            if time.time() - left.stat().st_mtime > STALE_S:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=home))
    try:
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
