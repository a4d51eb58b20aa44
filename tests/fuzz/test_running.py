"""The runner itself: it ends what hangs, tells all that was found, and goes on where it was."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.fuzz.running import Hang, fuzz, limited


def test_what_hangs_is_ended_busy_or_waiting() -> None:
    with pytest.raises(Hang), limited(cpu_s=0.05, wall_s=60):
        while True:
            pass
    with pytest.raises(Hang), limited(cpu_s=60, wall_s=0.05):
        threading.Event().wait(60)


def test_a_finding_does_not_hide_the_next() -> None:
    def case(number: int) -> str:
        if number % 3 == 1:
            raise ValueError(f"case {number}")
        if number == 2:
            raise Hang("too long")
        return "fine"

    with pytest.raises(AssertionError, match=r"(?s)4 finding.*fuzzer 1: .*fuzzer 2: Hang.*case 7"):
        fuzz("fuzzer", 8, case, environ={})


def test_a_long_run_is_counted_and_goes_on_where_it_was(tmp_path: Path) -> None:
    tried: list[int] = []
    environ = {"ANNOTUNE_FUZZ": "5", "ANNOTUNE_FUZZ_REPORT": str(tmp_path)}
    said = fuzz("fuzzer", 1, lambda n: tried.append(n) or "fine", environ=environ).said
    assert tried == [0, 1, 2, 3, 4] and said == {"fine": 5}
    written = json.loads((tmp_path / "fuzzer.json").read_text(encoding="utf-8"))
    assert (written["fuzzer"], written["cases"], written["findings"]) == ("fuzzer", 5, {})
    environ["ANNOTUNE_FUZZ"] = "7"
    assert fuzz("fuzzer", 1, lambda n: tried.append(n), environ=environ).cases == 7
    assert tried == [0, 1, 2, 3, 4, 5, 6]
    short = {**environ, "ANNOTUNE_FUZZ": "14", "ANNOTUNE_FUZZ_REPORT": ""}
    assert fuzz("fuzzer", 1, lambda _: "fine", share=5, environ=short).cases == 3


def test_what_was_found_is_tried_first_and_goes_once_it_is_mended(tmp_path: Path) -> None:
    tried, broken = list[int](), {1, 3}

    def case(number: int) -> str:
        tried.append(number)
        if number in broken:
            raise ValueError(f"case {number}")
        return "fine"

    environ = {"ANNOTUNE_FUZZ": "5", "ANNOTUNE_FUZZ_REPORT": str(tmp_path)}
    with pytest.raises(AssertionError, match="2 finding"):
        fuzz("fuzzer", 1, case, environ=environ)
    broken.remove(1)
    tried.clear()
    with pytest.raises(AssertionError, match=r"1 finding.*\n.*case 3"):
        fuzz("fuzzer", 1, case, environ=environ | {"ANNOTUNE_FUZZ": "7"})
    assert tried == [1, 3, 5, 6]
    broken.clear()
    report = fuzz("fuzzer", 1, case, environ=environ | {"ANNOTUNE_FUZZ": "7"})
    assert (report.cases, report.said, report.findings) == (7, {"fine": 7}, {})


def test_single_cases_are_tried_again_and_are_no_run() -> None:
    environ = {"ANNOTUNE_FUZZ_CASES": "2,0"}
    with pytest.raises(ZeroDivisionError):  # as it is, with its own traceback
        fuzz("fuzzer", 1, lambda n: 1 // n, environ=environ)
    with pytest.raises(AssertionError, match="fuzzer: no finding, but only .* 2: even, 0: even"):
        fuzz("fuzzer", 1, lambda n: "odd" if n % 2 else "even", environ=environ)
