"""The most memory a process held, by the kernel's mark or, without it, by its own account."""

from __future__ import annotations

from pathlib import Path

import psutil

from lora.peak import MB, _main, peak_mb


def test_the_kernels_mark_counts(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmPeak:\t  9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 7 kB\n")
    assert _main(status) == 2048 * 1024


def test_without_it_there_is_still_a_number(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\n")
    assert _main(status) > 10_000_000
    assert _main(tmp_path / "nowhere") > 10_000_000


def test_it_is_at_least_what_the_process_holds_now() -> None:
    held = psutil.Process().memory_info().rss / MB
    found = peak_mb()
    assert set(found) == {"main"} and found["main"] >= held - 1
