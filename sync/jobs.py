"""The jobs a worker runs, by dotted name: `sync.jobs.train`, `.expand`, `.doubt` and `.ask`.

A worker needs the store and the base, never the log: it reads a snapshot, has a subprocess fit
and judge a candidate, takes the gate's word, and writes version, CURRENT and verdict. Each step
may be cut off by a SIGKILL; running the job again ends in the same place.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import tracing
from lora.adapter import Manifest, Recipe
from lora.approved import unapproved
from lora.card import add_verdict
from lora.doubts import Doubts
from lora.errors import Moved
from lora.expansions import Expansions
from lora.moves import GATE
from lora.opened import open_store
from lora.recipe import recipe_for
from lora.store import ProjectStore
from settings import Settings, load
from sync.challenge import makes_children
from sync.children import TrainingFailed, run, run_child, trainer
from sync.processes import die_with_parent
from sync.promoting import Outcome, promote_or_wait
from sync.terms import read_terms
from sync.trainings import log_of
from sync.weigh import weigh, without_labels

logger = logging.getLogger(__name__)

REJUDGE = 2  # CURRENT moved while we trained: judge against the new champion, at most so often


def ask(project: str) -> str:
    """Note in the store that a person pressed Start Training; sync decides on its next turn."""
    settings = load(os.environ)
    open_store(settings, worker=True).project(project).ask(
        by="Label Studio's Start Training", trace=tracing.carried()
    )
    return project


def train(project: str, snapshot: str) -> str:
    """Train, judge and, if better, promote the candidate of one snapshot; returns the reason.

    A snapshot that has its verdict, or whose project is being trained by another process, is left
    alone.
    """
    die_with_parent()  # rq gives its work-horse a group of its own: it outlives a killed worker
    settings = load(os.environ)
    store = open_store(settings, worker=True).project(project)
    with store.training() as free:
        if not free:
            return "another trainer of this project is at work"
        done = store.verdict(snapshot)
        if done:
            return str(done["reason"])
        return train_here(settings, store, snapshot)


def expand(project: str, snapshot: str) -> str:
    """Make children of a snapshot's human rows; what became of it is in the store.

    Gives way to newer answers, and to what is to be forgotten: then there is no record, and what
    writers said so far is kept.
    """
    die_with_parent()
    settings = load(os.environ)
    store = open_store(settings, worker=True).project(project)
    place = Expansions(store)
    if place.get(snapshot):
        return "it has been expanded"
    argv = [sys.executable, "-m", "sync.expand", "--project", project, "--snapshot", snapshot]
    argv += ["--past", json.dumps(place.past())]
    log = settings.home / "logs" / f"expand-{project}-{snapshot[:8]}.log"
    threads, timeout_s = settings.train.threads, settings.queue.timeout_s
    run(argv, log, threads=threads, timeout_s=timeout_s)
    record = place.get(snapshot)
    if record is None:
        return "it gave way to something that matters more, or to another expansion at work"
    return str(record["policy"]["reason"])


def doubt(project: str, snapshot: str) -> str:
    """Find the answers of a snapshot that a model which never saw them would not have given."""
    die_with_parent()
    settings = load(os.environ)
    place = Doubts(open_store(settings, worker=True).project(project))
    if place.get(snapshot) is None:
        argv = [sys.executable, "-m", "sync.doubt", "--project", project, "--snapshot", snapshot]
        log = settings.home / "logs" / f"doubt-{project}-{snapshot[:8]}.log"
        run(argv, log, threads=settings.train.threads, timeout_s=settings.queue.timeout_s)
    found = place.get(snapshot)
    if found is None:
        return "its snapshot was forgotten, or another worker looks"
    return f"{len(found)} answers are doubted"


def human_version(store: ProjectStore, snapshot: str) -> str | None:
    """The version of the human rows alone, where `snapshot` has synthetic ones too."""
    human = Expansions(store).human_of(snapshot)
    verdict = store.verdict(human) if human else None
    return str(verdict["version"]) if verdict and verdict.get("version") else None


def train_here(settings: Settings, store: ProjectStore, snapshot: str) -> str:
    """The same for a snapshot of any store, whose one trainer this is; returns the reason.

    Raises TrainingFailed.
    """
    frozen = store.snapshot(snapshot)
    terms = read_terms(settings, frozen.config)
    settings = terms.settings  # the project's base
    if terms.regulated and (refused := unapproved(frozen)):
        raise TrainingFailed(f"the project is regulated, and snapshot {snapshot[:8]} has {refused}")
    for _ in range(REJUDGE):
        champion = store.current().version
        finished = _promoted_but_unwritten(settings, store, snapshot, champion)
        if finished:
            return finished
        staging = store.staging()
        report_path = staging.parent / f"{staging.name}.report.json"
        try:
            report = _run_trainer(settings, store, snapshot, staging, report_path, champion)
            with tracing.span("verdict", project=store.name, champion=champion or "") as told:
                return _settle(settings, store, snapshot, staging, report, champion, told)
        except Moved as moved:
            if quicker := _judged_meanwhile(store, snapshot):
                return quicker
            logger.warning("project %s: %s; judging again", store.name, moved)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            report_path.unlink(missing_ok=True)
    raise TrainingFailed(f"CURRENT of project {store.name} kept moving while it was judged")


def _judged_meanwhile(store: ProjectStore, snapshot: str) -> str | None:
    """The reason that another worker wrote, which took over while our host was cut off: its word
    stands, and what was fitted here is dropped."""
    done = store.verdict(snapshot)
    if done is None:
        return None
    logger.warning(
        "project %s: snapshot %s was judged meanwhile by another worker, as %s; what was fitted "
        "here is dropped",
        store.name,
        snapshot[:8],
        done["version"],
    )
    return str(done["reason"])


def _promoted_but_unwritten(
    settings: Settings, store: ProjectStore, snapshot: str, champion: str | None
) -> str | None:
    """A run killed between promotion and verdict: write the verdict it owed. What somebody let in
    by hand is not made again either: judged against itself it would only use up error budget."""
    if champion is None:
        return None
    current = store.current()
    manifest = store.manifest(champion)
    recipe = recipe_for(settings.train.base, snapshot, settings.train)
    if manifest is None or manifest.recipe.id != recipe.id:
        return None
    scores = dict(manifest.scores)
    judged = {"champion": current.previous, "gate": scores.pop("gate", {}), "scores": scores}
    if manifest.parent != current.previous:  # the folder is of a run that had another champion
        judged |= {"gate": {}, "scores": {**scores, "champion": None}}
    why, by_gate = current.why, current.by == GATE
    if not by_gate:
        if champion in store.quarantined():  # then it is made anew
            return None
        why = f"{champion} serves already, as {current.by} decided; the same answers give it again"
    _write(store, snapshot, manifest, promoted=by_gate, reason=why, judged=judged)
    return why


def _settle(
    settings: Settings,
    store: ProjectStore,
    snapshot: str,
    staging: Path,
    report: dict[str, Any],
    champion: str | None,
    told: tracing.Told,
) -> str:
    """Gate, version folder, CURRENT, verdict; in this order, each one durable before the next."""
    store.place.refresh()  # the fit took long: what a bucket holds may be newer
    if quicker := _judged_meanwhile(store, snapshot):
        return quicker
    frozen = store.snapshot(snapshot)
    terms = read_terms(settings, frozen.config)
    verdict = weigh(
        store,
        snapshot,
        report,
        champion,
        least_blind=settings.gate.least_blind,
        children=makes_children(terms),
    )
    add_verdict(staging, verdict.promote, verdict.reason)
    scores = {who: without_labels(found) for who, found in report["scores"].items()}
    scores |= {"holdout": report["holdout"], "train": report["train"]}
    manifest = store.commit(
        staging,
        Recipe(**report["recipe"]),
        schema=terms.schema.digest,
        config=frozen.config,
        labels=int(report["labels"]),
        parent=champion,
        scores={**scores, "gate": verdict.numbers},
    )
    done = Outcome(False, verdict.reason)
    if verdict.promote:
        regulated = terms.regulated or store.regulated()
        with tracing.span("promotion", project=store.name, version=manifest.version):
            done = promote_or_wait(store, manifest, champion, verdict.reason, regulated)
    told.tell(version=manifest.version, promoted=done.promoted, waits=done.waits)
    # this run's champion and numbers: the folder may be an earlier run's, judged against another
    judged: dict[str, Any] = {"champion": champion, "scores": scores}
    judged["gate"] = verdict.numbers
    judged |= {key: report[key] for key in ("seconds", "notes", "gain") if key in report}
    judged |= {"waits": True} if done.waits else {}
    _write(store, snapshot, manifest, done.promoted, done.reason, judged)
    logger.info("project %s: %s %s", store.name, manifest.version, done.reason)
    return done.reason


def _write(
    store: ProjectStore,
    snapshot: str,
    manifest: Manifest,
    promoted: bool,
    reason: str,
    judged: dict[str, Any],
) -> None:
    store.put_verdict(
        snapshot,
        {
            "snapshot": snapshot,
            "version": manifest.version,
            "recipe": manifest.recipe.id,
            "promoted": promoted,
            "reason": reason,
            "labels": manifest.labels,
            **judged,
            "at": datetime.now(timezone.utc).isoformat(),
        },
    )


def _run_trainer(
    settings: Settings,
    store: ProjectStore,
    snapshot: str,
    out: Path,
    report: Path,
    champion: str | None,
) -> dict[str, Any]:
    """Fit and judge in a fresh process: this one stays free of torch, the GPU free of forks."""
    beside = human_version(store, snapshot)
    argv = trainer(settings, settings.store, store.name, snapshot, out, champion, beside)
    log = log_of(settings.home, store.name, snapshot)
    threads, timeout_s = settings.train.threads, settings.queue.timeout_s
    with tracing.span("fit and judge", project=store.name, snapshot=snapshot[:16]):
        return run_child(argv, report, log, threads=threads, timeout_s=timeout_s)
