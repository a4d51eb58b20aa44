"""What machine this is, found without a model library unless there may be a GPU."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from lora.advise import Machine

DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")
"""One of these is there where torch could find a CUDA (or ROCm) device."""
CPU, CGROUP = Path("/proc/cpuinfo"), Path("/sys/fs/cgroup")
BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # as lora/base.py asks torch
MB = 1_000_000


def find_machine(devices: Iterable[str] = DEVICES) -> Machine:
    """The machine that this process runs on."""
    gpu, gpu_mb = _gpu() if any(map(os.path.exists, devices)) else ("", 0)
    return Machine(len(os.sched_getaffinity(0)), free_memory() // MB, bf16(), gpu, gpu_mb)


def bf16(cpuinfo: Path = CPU) -> bool:
    """Whether the processor multiplies bf16 natively, by what the kernel says of it."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return bool(BF16 & set(flags.partition(":")[2].split()))


def free_memory(root: Path = CGROUP) -> int:
    """Bytes that this process may still take, within a container's own limit."""
    return min([int(psutil.virtual_memory().available), *_cgroup(root)])


def _cgroup(root: Path) -> Iterable[int]:
    """What a container's limit leaves, where there is one (cgroup 2, then 1)."""
    pairs = (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    )
    for limit, used in pairs:
        try:
            yield max(0, int((root / limit).read_text()) - int((root / used).read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue


def _gpu() -> tuple[str, int]:
    import torch  # here: it takes seconds, and most machines have no such device

    if not torch.cuda.is_available():
        return "", 0
    return str(torch.cuda.get_device_name(0)), int(torch.cuda.mem_get_info(0)[1]) // MB
