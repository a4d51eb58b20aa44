"""The sync process: one thread turns the loop for every connected project, one serves webhooks.

A project whose turn fails is tried again later and said so on /health; the others go on. While the
log's database does not answer, none is turned and /health says so; then all go on by themselves.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

import listening
import tracing
from label_config import InvalidConfig
from lora.errors import BrokenFile, StoreDown
from sync.log import LogDown
from sync.loop import HeardElsewhere, Turn, World, turn
from sync.metrics import SyncMetrics
from sync.page.views import make_page
from sync.receiver import LARGEST, Secret, create_app
from sync.release import own_release
from sync.studio_values import NoSuchProject, StudioError

logger = logging.getLogger(__name__)

LINKS = 32  # webhooks that a turn names in its trace
GONE_S = 300.0  # a deleted project is looked for again this often: it may be a wrong token


@dataclass
class _Seen:
    """How a project's last turn went. `rest_s`: until the next look, if nothing stirs; `stamp`: of
    its part of the store before that turn."""

    turned_at: float = 0.0
    rest_s: float = 0.0
    stamp: tuple[int, ...] = ()
    ok_at: float = 0.0
    swept_at: float = 0.0
    pause_s: float = 0.0
    problem: str | None = None
    decision: str = ""
    mended: dict[str, Any] | None = None


@dataclass
class Service:
    """Turns the loop until `stop`. `nudge` wakes it for one project at once."""

    world: World
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _nudged: dict[str, bool] = field(default_factory=dict)
    _woken: dict[str, list[str]] = field(default_factory=dict)
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _stopped: bool = False
    _log_down: str | None = None

    def nudge(self, project: str, deletions: bool) -> bool:
        """Ask for a turn of this project now; False when it is not connected."""
        if project not in self._seen:
            return False
        with self._wake:
            self._nudged[project] = self._nudged.get(project, False) or deletions
            woken = self._woken.setdefault(project, [])
            if len(woken) < LINKS and (trace := tracing.carried()):
                woken.append(trace)
            self._wake.notify()
        return True

    def stop(self) -> None:
        """Ask `run` to return after the step in hand."""
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def run(self) -> None:
        """Turn due projects until stopped."""
        while not self._stopped:
            projects = self._projects()
            for project in projects:
                if not self._stopped and self._due(project):
                    self.turn(project)
            with self._wake:
                if not self._stopped and not any(self._due(p) for p in projects):
                    self._wake.wait(min(1.0, self.world.settings.sync.poll_s))

    def _projects(self) -> list[str]:
        """Those in the loop; none while the log does not answer, asked again each second."""
        try:
            found = self.world.log.connected()
        except LogDown as down:
            if self._log_down is None:
                logger.warning("%s; nothing is turned until it does", down)
            self._log_down = str(down)
            return []
        if self._log_down is not None:
            logger.warning("the log answers again")
        self._log_down = None
        return found

    def _due(self, project: str) -> bool:
        seen = self._seen.setdefault(project, _Seen())
        waited = time.monotonic() - seen.turned_at
        if seen.pause_s:
            return waited >= seen.pause_s
        if project in self._nudged or waited >= seen.rest_s:
            return True
        stirred = self.world.store.project(project).stamp() != seen.stamp
        return stirred and waited >= self.world.settings.sync.poll_s

    def turn(self, project: str) -> None:
        """One turn of one project; whatever goes wrong is noted and paused for, never raised."""
        with self._wake:
            deletions = self._nudged.pop(project, False)
            woken = self._woken.pop(project, [])
        woken = [*self._asked_in(project), *woken]
        parent = woken[0] if woken else None
        with tracing.span("turn", parent, woken[1:], project=project) as told:
            told.kept = bool(woken)  # others matter where they start something
            trains = self._turn(project, deletions)
            told.tell(trains=trains, problem=bool(self._seen[project].problem))

    def _asked_in(self, project: str) -> list[str]:
        """The trace in which a person asked for a training that is not decided yet."""
        try:
            asked: dict[str, Any] = self.world.store.project(project).asked() or {}
        except (BrokenFile, StoreDown, OSError):
            return []  # the turn itself will say what is wrong
        trace = asked.get("trace")
        return [trace] if isinstance(trace, str) else []

    def _turn(self, project: str, deletions: bool) -> bool:
        """Whether a training was decided on."""
        seen = self._seen.setdefault(project, _Seen())
        trains = False
        before, seen.stamp = seen.problem, self.world.store.project(project).stamp()
        sweep = deletions or time.monotonic() - seen.swept_at >= self.world.settings.sync.sweep_s
        try:
            done = turn(self.world, project, sweep=sweep)
            rest_s = self._rest(project, seen, done)
        except NoSuchProject as gone:
            self._pause(seen, GONE_S, str(gone))
        except (
            StudioError,
            InvalidConfig,
            BrokenFile,
            HeardElsewhere,
            LogDown,
            StoreDown,
        ) as problem:
            self._pause(seen, min(60.0, max(1.0, seen.pause_s * 2)), str(problem))
        except OSError as problem:  # a full disk, say; paths and reasons hold no task's text
            where = f": {problem.filename}" if problem.filename else ""
            why = f"{problem.strerror or type(problem).__name__}{where}"
            self._pause(seen, min(60.0, max(1.0, seen.pause_s * 2)), why)
        except Exception as problem:  # the process edge: one broken project must not stop the rest
            frames = "".join(traceback.format_tb(problem.__traceback__))  # the message may quote
            logger.error("project %s: a turn failed\n%s%s", project, frames, type(problem).__name__)
            self._pause(seen, min(60.0, max(1.0, seen.pause_s * 2)), type(problem).__name__)
        else:
            seen.pause_s, seen.ok_at = 0.0, time.time()
            if done.mended:
                seen.mended = {"what": done.mended, "at": seen.ok_at}
                logger.warning("project %s: %s", project, done.mended)
            seen.rest_s = rest_s
            seen.problem = "; ".join(done.problems) or None
            if done.decision.train or seen.problem != before:
                logger.info("project %s: %s", project, seen.problem or done.decision.reason)
            if done.pushed and done.pushed.switched:
                logger.info("project %s shows %s", project, done.pushed.version)
            seen.decision, trains = done.decision.reason, done.decision.train
            if sweep:
                seen.swept_at = time.monotonic()
            if done.pushed and done.pushed.left:
                with self._wake:  # the push stopped at its time budget: go on at once
                    self._nudged.setdefault(project, False)
        seen.turned_at = time.monotonic()
        return trains

    def _rest(self, project: str, seen: _Seen, done: Turn) -> float:
        """How long a project is left alone: longer each time that nothing happened there, since
        twenty quiet ones asked every few seconds keep a Label Studio busy (measured: eight, every
        2 s, a third of a core)."""
        own, pushed = self.world.settings.sync, done.pushed
        busy = done.changes.any or done.decision.train or bool(done.problems)
        busy = busy or pushed is None or bool(pushed.shown or pushed.left or pushed.switched)
        if busy or self.world.log.wanted(project):
            return own.poll_s
        return max(own.poll_s, min(own.quiet_s, 2 * seen.rest_s))

    @staticmethod
    def _pause(seen: _Seen, seconds: float, problem: str) -> None:
        if problem != seen.problem:
            logger.warning("%s; trying again in %.0f s", problem, seconds)
        seen.pause_s, seen.problem = seconds, problem

    def health(self) -> dict[str, Any]:
        """For /health: nothing secret, nothing of any task."""
        projects = {
            p: {
                "ok_at": s.ok_at,
                "problem": s.problem,
                "decision": s.decision,
                "mended": s.mended,
            }
            for p, s in list(self._seen.items())  # the loop's thread may add one
        }
        fine = self._log_down is None and all(p["problem"] is None for p in projects.values())
        status = "UP" if fine else "DEGRADED"
        return {"status": status, "log": self._log_down or "answers", "projects": projects}


def serve(world: World, stop: threading.Event) -> None:
    """Run receiver and loop until `stop` is set; returns when both have ended."""
    service = Service(world)
    own = world.settings.sync
    metrics = SyncMetrics(world, service.health, own_release())
    server = listening.make_server(
        create_app(
            own.secret,
            service.nudge,
            service.health,
            page=make_page(world, service.health),
            metering=metrics,
        ),
        own.host,
        own.port,
        threads=8,
        max_body=LARGEST,
        allows=Secret(own.secret).is_in,
    )
    web = threading.Thread(target=server.run, name="receiver", daemon=True)
    loop = threading.Thread(target=service.run, name="loop")
    web.start()
    loop.start()
    try:
        while not stop.wait(0.5):
            if not loop.is_alive():
                raise RuntimeError("the loop's thread has ended; see the log")
    finally:
        service.stop()
        loop.join()
        server.close()
        world.close()
