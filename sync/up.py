"""Which processes `annotune up` runs, and with what environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from settings import Settings
from sync.logs import log_file
from sync.processes import Command


def commands(settings: Settings, environ: Mapping[str, str]) -> list[Command]:
    """Backend first: sync asks it for the serving version."""
    env = {
        **environ,
        # Two threads on two busy cores were measured up to 30 times slower than one.
        "OMP_NUM_THREADS": environ.get("OMP_NUM_THREADS", "1"),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    python = [sys.executable, "-m"]
    return [
        Command("backend", [*python, "ml_backend"], env, log_file(settings.home, "backend")),
        Command("sync", [*python, "sync.cli", "sync"], env, log_file(settings.home, "sync")),
        Command("worker", [*python, "sync.cli", "worker"], env, log_file(settings.home, "worker")),
    ]
