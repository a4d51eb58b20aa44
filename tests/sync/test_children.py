"""A child gives its report, or says why not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lora.errors import LoraError
from sync.children import TrainingFailed, run_child


def run(folder: Path, code: str, timeout_s: float = 30) -> dict[str, object]:
    argv = [sys.executable, "-c", code]
    report, log = folder / "report.json", folder / "logs" / "child.log"
    return run_child(argv, report, log, threads=3, timeout_s=timeout_s)


def test_its_report_is_read_and_it_has_its_threads(tmp_path: Path) -> None:
    code = (
        "import json, os; threads = os.environ['OMP_NUM_THREADS']; "
        f"open({str(tmp_path / 'report.json')!r}, 'w').write(json.dumps({{'t': threads}}))"
    )
    assert run(tmp_path, code) == {"t": "3"}


def test_its_last_words_are_passed_on(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="ended with 2: no room, sorry .see .*child.log"):
        run(tmp_path, "import sys; print('first'); print('no room, sorry'); sys.exit(2)")


def test_one_that_takes_too_long_is_stopped_and_the_setting_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="ANNOTUNE_QUEUE_TIMEOUT_S"):
        run(tmp_path, "import time; time.sleep(60)", timeout_s=0.3)


def test_an_interrupt_while_it_is_being_started_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's hooks around a fork would swallow it; here it comes right before one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # `make test &` ignores it
    begun: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **more: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            super().__init__(*args, **more)
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, "import time; time.sleep(60)")
        assert begun[0].poll() is not None, "the child was started, and killed"
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_one_without_a_report_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(LoraError, match="report.json cannot be read"):
        run(tmp_path, "pass")
