"""What a check found, and how checks are run: beside each other, each with a time of its own.

A check that fails, or never ends, is a finding too; it hides no other one.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal

Level = Literal["ok", "warning", "problem"]
AT_MOST_S = 20.0  # of one check, unless it says otherwise


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `fix`: the command or setting that would do; `pains`: which of
    the fifteen in docs/operations.md it is about."""

    check: str
    level: Level
    seen: str
    fix: str = ""
    pains: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "level": self.level,
            "seen": self.seen,
            "fix": self.fix,
            "pains": list(self.pains),
        }


def ok(check: str, seen: str, *pains: int) -> Finding:
    return Finding(check, "ok", seen, "", pains)


def warning(check: str, seen: str, fix: str, *pains: int) -> Finding:
    return Finding(check, "warning", seen, fix, pains)


def problem(check: str, seen: str, fix: str, *pains: int) -> Finding:
    return Finding(check, "problem", seen, fix, pains)


@dataclass(frozen=True)
class Check:
    """Something to look at, and how long that may take."""

    name: str
    look: Callable[[], Iterable[Finding]]
    within_s: float = AT_MOST_S


@dataclass
class _Running:
    check: Check
    began: float
    found: list[Finding] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        name = self.check.name
        try:
            for finding in self.check.look():
                self.found.append(finding)
        except Exception as error:  # the edge of a check: one that breaks must not hide the others
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{at.filename.rpartition('/')[2]}:{at.lineno}"
            seen = f"the check itself failed: {type(error).__name__} at {where}"
            self.found.append(problem(name, seen, "this is a bug of annotune: please report it"))
        finally:
            self.ended.set()

    def findings(self) -> list[Finding]:
        """What it found by its time; what came until then counts."""
        left = self.began + self.check.within_s - monotonic()
        if self.ended.wait(max(0.0, left)):
            return self.found
        seen = f"no end after {self.check.within_s:g} s"
        fix = "look at what it asks: is it there, and is it overloaded?"
        return [*self.found, problem(self.check.name, seen, fix)]


def in_time(call: Callable[[], list[str]], seconds: float = AT_MOST_S) -> list[str]:
    """What a call lists by then, else nothing; nobody waits for one that hangs."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(call()), daemon=True)
    thread.start()
    thread.join(seconds)
    return list(found)


def examine(checks: Sequence[Check]) -> list[Finding]:
    """Run them all at once; what they found, in their order."""
    running = [_Running(check, monotonic()) for check in checks]
    for one in running:
        threading.Thread(target=one.run, name=f"doctor-{one.check.name}", daemon=True).start()
    return [finding for one in running for finding in one.findings()]
