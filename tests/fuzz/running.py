"""Runs the cases of a fuzzer: each within a time limit, all counted, none hiding the next.

A few cases in `make test`, always the same ones. `make fuzz FUZZ=50000` tries that many of each
fuzzer, and writes how far it came into fuzz-report/NAME.json, so that it can be stopped and goes on
there, what was found first (ANNOTUNE_FUZZ, ANNOTUNE_FUZZ_REPORT). `python -m tests.fuzz.running
FOLDER` prints the table.
ANNOTUNE_FUZZ_CASES=498,689 tries these cases alone and raises the first finding as it is, else says
what came of each; it never passes, as that is no run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
Case = Callable[[int], object]
"""Tries one case and says in a word what came of it; raises where that must not be."""
CPU_S = 10.0  # processor time of one case, all threads
WALL_S = 120.0  # of one case: what waits for ever uses no processor; busy machines are slow
FINDINGS = 20  # after so many a fuzzer stops
KEEP = 100  # cases between two writes of the report


class Hang(BaseException):
    """A case took too long; no handler of ours for Exception may turn it into an answer."""


@dataclass
class Report:
    """How far one fuzzer came. `said`: how often each word came; `findings`: by case."""

    fuzzer: str
    cases: int = 0
    cpu_s: float = 0.0
    slowest_s: float = 0.0
    said: dict[str, int] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)


def fuzz(
    name: str, few: int, case: Case, share: int = 1, environ: Mapping[str, str] = os.environ
) -> Report:
    """Try the cases of a fuzzer that are due, and fail with all that was found. `share`: of a long
    run it tries one case in so many, as one of its cases is hundreds."""
    if again := environ.get("ANNOTUNE_FUZZ_CASES"):
        said = [f"{n}: {case(int(n))}" for n in again.split(",")]
        raise AssertionError(f"{name}: no finding, but only these were tried: {', '.join(said)}")
    most = -(-int(environ.get("ANNOTUNE_FUZZ") or 0) // share)
    folder = environ.get("ANNOTUNE_FUZZ_REPORT")
    path = Path(folder) / f"{name}.json" if folder and most else None
    report = _read(path, name)
    _try_again(report, case)
    for number in range(report.cases, most or few):
        if len(report.findings) >= FINDINGS:
            break
        _try(report, number, case)
        if path and (report.cases % KEEP == 0 or report.cases == most):
            _write(path, report)
    if path:
        _write(path, report)
    told = "\n".join(f"{name} {n}: {what}" for n, what in report.findings.items())
    assert not report.findings, f"{len(report.findings)} finding(s)\n{told}"
    return report


def _try_again(report: Report, case: Case) -> None:
    """The findings of before come first: what no longer fails was mended, and is none."""
    for number in sorted(report.findings, key=int):
        del report.findings[number]
        report.said["finding"] -= 1
        _try(report, int(number), case)
    report.said = {word: n for word, n in report.said.items() if n}


def _try(report: Report, number: int, case: Case) -> None:
    """Count one case; `cases` says how far it came, so a case of before leaves it alone."""
    began = time.process_time()
    try:
        with limited():
            word = str(case(number))
    except (Exception, Hang) as error:  # the next case is tried all the same
        frames = traceback.extract_tb(error.__traceback__)
        last = [
            f for f in frames if Path(f.filename).is_relative_to(ROOT) and ".venv" not in f.filename
        ][-1]
        at = f"{Path(last.filename).relative_to(ROOT)}:{last.lineno}"
        report.findings[str(number)] = f"{type(error).__name__} at {at}: {str(error)[:300]}"
        word = "finding"
    took = time.process_time() - began
    report.cases = max(report.cases, number + 1)
    report.cpu_s = round(report.cpu_s + took, 3)
    report.slowest_s = max(report.slowest_s, round(took, 3))
    report.said = dict(sorted(Counter(report.said | {word: report.said.get(word, 0) + 1}).items()))


@contextmanager
def limited(cpu_s: float = CPU_S, wall_s: float = WALL_S) -> Iterator[None]:
    """Raise Hang in the main thread where the body takes longer than that."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"longer than {cpu_s:g} s of processor time or {wall_s:g} s in all")

    clocks = (
        (signal.ITIMER_PROF, signal.SIGPROF, cpu_s),
        (signal.ITIMER_REAL, signal.SIGALRM, wall_s),
    )
    before = [signal.signal(number, stop) for _, number, _ in clocks]
    try:
        for clock, _, seconds in clocks:
            signal.setitimer(clock, seconds)
        yield
    finally:
        for clock, _, _ in clocks:
            signal.setitimer(clock, 0)
        for (_, number, _), handler in zip(clocks, before, strict=True):
            signal.signal(number, handler)


def _read(path: Path | None, name: str) -> Report:
    if path is None or not path.exists():
        return Report(name)
    return Report(**json.loads(path.read_text(encoding="utf-8")))


def _write(path: Path, report: Report) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    text = json.dumps(asdict(report), indent=1)  # ASCII: a finding may hold half a character
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(path)


def main(folder: Path) -> None:
    """Print what the reports of a folder say, a line a fuzzer."""
    for path in sorted(folder.glob("*.json")):
        report = _read(path, path.stem)
        said = ", ".join(f"{word} {n:,}" for word, n in report.said.items())
        found = len(report.findings)
        print(f"| {report.fuzzer} | {report.cases:,} | {said} | {report.slowest_s} s | {found} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
