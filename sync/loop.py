"""THE STORY: a reader who opens only this file understands the product.

One turn of one project, one verb a line. Every step may be cut off by a crash and is safe to
repeat: what must last is in the log and the store, and each turn looks there, not at memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import tracing
from jobs import Jobs, QueueDown
from label_config import InvalidConfig
from lora.doubts import JUDGED, Doubts
from lora.expansions import Expansions
from lora.store import Store
from settings import Settings
from sync.audit import hear_moves, hear_settings, leave_broken
from sync.backend_client import BackendClient, BackendDown
from sync.backups import Backups
from sync.challenge import Challenge, human_snapshot, makes_children, next_step
from sync.decide import Decision, Situation, decide, due, resting
from sync.forget import grant
from sync.freeze import freeze
from sync.hooks import mend
from sync.log import Log
from sync.ordered import note_order
from sync.pool import renew_pool
from sync.pull import Changes, Memory, pull
from sync.push import Pushed, push, retire
from sync.resting import drift, plateau
from sync.review import Reviewer
from sync.service_client import SyncClient
from sync.studio_values import ProjectInfo, StudioError, StudioLike
from sync.tabs import keep_tabs
from sync.terms import Terms, read_terms, terms_or_default

TRAIN = "sync.jobs.train"
EXPAND = "sync.jobs.expand"
DOUBT = "sync.jobs.doubt"
JOBS = (TRAIN, EXPAND, DOUBT, "sync.jobs.ask")  # all that a worker runs
QUIET_S = 20.0  # old predictions are removed when nobody answered for so long
START_S = 30.0  # a worker forks and imports this long before it holds the trainer's lock
AGAIN_S = 1800.0  # an expansion that was killed, or failed, is taken up again after so long
HEAR_S = 1.0  # who connects may be hearing all of a large project: the others go on meanwhile
PAUSE_S = 60.0  # nobody answered for so long: the next training is not what people wait for


class HeardElsewhere(Exception):
    """Another process reads the project's tasks into the log; the message names the project."""


@dataclass(frozen=True)
class World:
    """The neighbours of the loop; `sync/bootstrap.py` builds it, tests build it with fakes."""

    settings: Settings
    store: Store
    log: Log
    studio: StudioLike
    jobs: Jobs
    backend: BackendClient
    service: SyncClient | None = None
    """The running sync, for other processes that say how it is."""
    published: dict[Path, int] = field(default_factory=dict)
    """By project's folder: `Log.drawn` of the blind list that this process published last."""
    memory: Memory = field(default_factory=dict)

    def close(self) -> None:
        """Let go of connections."""
        self.studio.close()
        self.log.close()


@dataclass
class Turn:
    """What one turn did, and what stood in its way (the next turn tries again)."""

    changes: Changes
    decision: Decision
    pushed: Pushed | None = None
    mended: str | None = None
    problems: list[str] = field(default_factory=list)


def turn(world: World, project: str, sweep: bool = False) -> Turn:
    """One turn: forget, hear, mend the webhook, adopt, keep account, publish the pool, decide,
    train, review, expand, doubt, push, retire, show again."""
    unforgotten = forget(world, project)
    changes, info = hear(world, project, sweep)
    mended = set_back(changes) or (mend_hook(world, project) if sweep else None)
    adopt(world, project)
    terms = read_terms(world.settings, info.config)
    keep_account(world, project, terms)
    publish_pool(world, project, terms)
    decision = time_to_train(world, project, terms)
    problems = [unforgotten] if unforgotten else []
    done = Turn(changes, decision, mended=mended, problems=problems)
    if decision.train:
        want(world, project, terms, decision)
    try:
        review(world, project)
    except (StudioError, InvalidConfig) as problem:
        done.problems.append(f"the review of children waits: {problem}")
    try:
        keep_training(world, project)
        expand(world, project, terms)
        doubt(world, project, terms)
    except QueueDown as down:
        done.problems.append(str(down))
    try:
        done.pushed = push_predictions(world, project, terms)
        if done.pushed and done.pushed.problem:
            done.problems.append(done.pushed.problem)
    except BackendDown as down:
        done.problems.append(str(down))
    retire(world.log, world.studio, project, world.settings.studio.lock_s, QUIET_S)
    try:
        show_again(world, project, terms, sweep)
    except StudioError as problem:
        done.problems.append(f"the tabs of what to look at again wait: {problem}")
    return done


def forget(world: World, project: str) -> str | None:
    """Forget what a person asked to have forgotten, before anything of it is heard again; returns
    why that waits. Nothing new is trained until it is done."""
    try:
        backups = Backups.of(world.settings)
        return grant(world.log, world.studio, world.store.project(project), backups)
    except StudioError as problem:  # say, it may not delete there: people go on annotating
        return f"forgetting is not over: {problem}"


def hear(
    world: World, project: str, sweep: bool, patience_s: float = HEAR_S
) -> tuple[Changes, ProjectInfo]:
    """Pull what changed into the log; publish which tasks are blind before anyone is shown them.

    One process at a time, else two would draw sides without seeing each other's tasks, and a list
    of blind ones could overwrite a longer one. Raises HeardElsewhere.
    """
    info, store = world.studio.project(project), world.store.project(project)

    def publish(always: bool = False) -> None:
        drawn = world.log.drawn(project)  # first: what is drawn meanwhile is published next time
        if always or world.published.get(store.folder) != drawn:
            store.publish_blind(world.log.blind_tasks(project))
            world.published[store.folder] = drawn

    share = terms_or_default(world.settings, info.config).settings.blind.share
    place = f"hear {project}"
    with store.hearing(patience_s) as here, world.log.alone(place) as alone:
        if not here or not alone:
            raise HeardElsewhere(
                f"project {project} is being read by another process: annotune connect, or a "
                "second sync; its turn comes when that has ended"
            )
        publish(sweep)  # what an interrupted turn left unsaid
        studio, log, memory = world.studio, world.log, world.memory
        changes = pull(studio, log, project, share, sweep, publish, memory)
    return changes, info


def set_back(changes: Changes) -> str | None:
    """What to say where Label Studio's clock was set back; None: it was not."""
    if not changes.set_back_s:
        return None
    seconds = f"{changes.set_back_s:.0f} s"
    return f"Label Studio's clock was set back by at least {seconds}: all was heard again"


def mend_hook(world: World, project: str) -> str | None:
    """Set our webhook up again where it must be; returns what was wrong with it. A project that is
    being connected is left alone: two who register at once remove each other's, or leave two."""
    with world.store.project(project).connecting(patience_s=0) as free:
        return mend(world.settings, world.studio, project) if free else None


def adopt(world: World, project: str) -> None:
    """Copy the verdict that a worker left in the store into the log."""
    wanted = world.log.wanted(project)
    verdict = world.store.project(project).verdict(wanted.snapshot) if wanted else None
    if wanted and verdict:
        world.log.settle(project, wanted.snapshot, verdict)


def keep_account(world: World, project: str, terms: Terms) -> None:
    """Leave a version that does not load; enter in the audit log who moved CURRENT and which
    settings changed; tell workers and commands whether a named person must promote."""
    store = world.store.project(project)
    store.publish_regulated(terms.regulated)
    leave_broken(store)
    hear_moves(world.log, store)
    hear_settings(world.log, project, terms)


def publish_pool(world: World, project: str, terms: Terms) -> None:
    """Publish a sample of the texts nobody has answered: the cold start reads labels against it."""
    renew_pool(world.log, world.store.project(project), project, terms)


def time_to_train(world: World, project: str, terms: Terms) -> Decision:
    """Enough new answers, old ones, or a person's word; never two trainings at once. It rests at
    the target and on a plateau, until corrections rise."""
    store, log = world.store.project(project), world.log
    counts, wanted, asked = log.counts(project), log.wanted(project), store.asked()
    serving = store.current()
    scores = next((m.scores for m in store.versions() if m.version == serving.version), {})
    own = terms.settings.gate
    judged = log.judged_rounds(project, own.plateau)
    situation = Situation(
        answers=counts.answers,
        new=counts.new,
        oldest_s=counts.oldest_new_s,
        asked_by=asked["by"] if asked else None,
        in_hand=wanted.snapshot if wanted else None,
        best=(scores.get("candidate") or {}).get("mean"),
        plateau=plateau(judged, serving.version, counts.answers, counts.new, own.plateau),
    )
    if resting(situation, own) and due(situation, terms.settings.train) and serving.moved_at:
        since = datetime.fromisoformat(serving.moved_at)
        situation = replace(situation, drift=drift(log, project, terms.schema, since))
    return decide(situation, terms.settings.train, own)


def want(world: World, project: str, terms: Terms, decision: Decision) -> None:
    """Freeze what people answered so far, and note that this snapshot is to be trained."""
    store = world.store.project(project)
    tracing.link((store.asked() or {}).get("trace", ""))  # it may have come while the turn was on
    store.sweep()
    snapshot, report = freeze(world.log, project, terms)
    digest = store.put_snapshot(snapshot, clean=True)  # forgetting went first
    store.drop_verdict(digest)  # asked for again: settings may have changed; the log keeps a copy
    world.log.want(project, digest, decision.reason, report)
    store.answer_ask()


def keep_training(world: World, project: str) -> None:
    """See to it that the wanted snapshot is being trained, whatever was killed or wiped meanwhile.

    Raises QueueDown.
    """
    wanted, store = world.log.wanted(project), world.store.project(project)
    if wanted is None or store.is_training() or store.verdict(wanted.snapshot):
        return
    if store.wishes():
        return
    job_id = f"train-{project}-{wanted.snapshot[:16]}"
    state, seconds = world.jobs.state(job_id)
    if state == "waiting" or (state == "started" and seconds < START_S):
        return
    if state in {"started", "ended"} and wanted.attempts >= world.settings.sync.attempts:
        reason = f"{wanted.attempts} trainings ended without a verdict"
        world.log.park(project, wanted.snapshot, reason)
        return
    world.jobs.forget(job_id)
    world.log.tried(project, wanted.snapshot)
    world.jobs.enqueue(TRAIN, project, wanted.snapshot, job_id=job_id)


def review(world: World, project: str) -> None:
    """Where people approve children, show these to them, and make the challenger of what they let
    in. Raises StudioError."""
    store = world.store.project(project)
    Reviewer(world.log, world.studio, store, world.settings, project).advance()


def expand(world: World, project: str, terms: Terms) -> None:
    """After a round is judged, have children made of its rows, and train with them beside: the
    human-only candidate never waits for that. Raises QueueDown."""
    log, store, makes = world.log, world.store.project(project), makes_children(terms)
    if store.wishes():  # what is to be forgotten goes first
        return
    reviewing = log.waiting_review(project) is not None
    rounds = log.rounds(project)
    step = next_step(rounds, store, reviewing=reviewing, regulated=terms.regulated)
    if isinstance(step, Challenge):
        if makes or step.approved:  # what people looked at is not forgotten
            world.log.want(project, step.snapshot, step.reason, step)
    elif step is not None and makes:
        job_id = f"expand-{project}-{step[:16]}"
        state, seconds = world.jobs.state(job_id)
        over = state != "waiting" and seconds > AGAIN_S and not Expansions(store).is_expanding()
        if state == "unknown" or over:
            world.jobs.forget(job_id)
            world.jobs.enqueue(EXPAND, project, step, job_id=job_id)


def doubt(world: World, project: str, terms: Terms) -> None:
    """After a round is judged, have models read the answers of rows they never saw, unless people
    are about to bring the next training: that goes first. Raises QueueDown."""
    log, store = world.log, world.store.project(project)
    rounds = log.rounds(project)
    asked = world.settings.sync.tabs and any(c.form in JUDGED for c in terms.schema.controls)
    if not asked or not rounds or rounds[-1]["state"] != "settled" or store.wishes():
        return
    snapshot = human_snapshot(rounds[-1])
    soon = 2 * log.counts(project).new >= terms.settings.train.every
    if Doubts(store).has(snapshot) or (soon and log.quiet_for(project) < PAUSE_S):
        return
    job_id = f"doubt-{project}-{snapshot[:16]}"
    state, seconds = world.jobs.state(job_id)
    if state == "unknown" or (state != "waiting" and seconds > AGAIN_S):
        world.jobs.forget(job_id)
        world.jobs.enqueue(DOUBT, project, snapshot, job_id=job_id)


def show_again(world: World, project: str, terms: Terms, look: bool) -> None:
    """Keep the tabs of what people should look at again, and of the blind audit. Raises
    StudioError."""
    if world.settings.sync.tabs:
        store = world.store.project(project)
        keep_tabs(world.log, world.studio, store, project, terms, look)


def push_predictions(world: World, project: str, terms: Terms) -> Pushed | None:
    """Give Label Studio the serving version's predictions, in the order that teaches most; None
    while the project is being connected, which names the backend's title, too, or another sync on
    this log gives them.

    Raises BackendDown.
    """
    store = world.store.project(project)
    place = f"push {project}"
    with store.connecting(patience_s=0) as free, world.log.alone(place) as alone:
        if not free or not alone:
            return None
        version = world.backend.version(project, terms.config)
        pushed = push(world.log, world.studio, project, terms, version)
        note_order(store, pushed)
        return pushed
