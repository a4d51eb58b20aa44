"""The most memory a process has held: what a fit, or serving, takes of a machine."""

from __future__ import annotations

import resource
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
MB = 1_000_000


def peak_mb(device: str = "cpu") -> dict[str, int]:
    """Peaks of this process so far in MB: of main memory, and of the GPU where it used one."""
    found = {"main": _main(STATUS) // MB}
    if device != "cpu":
        found["gpu"] = int(torch.cuda.max_memory_reserved()) // MB
    return found


def _main(status: Path) -> int:
    """Bytes. The kernel's high-water mark of this program alone; `getrusage`, where there is none,
    also counts what the parent held before the program began."""
    try:
        lines = status.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    held = next((line for line in lines if line.startswith("VmHWM:")), None)
    kilobytes = int(held.split()[1]) if held else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024
