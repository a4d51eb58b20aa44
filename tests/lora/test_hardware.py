"""What a machine has is read from the kernel; torch is asked only where a GPU may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lora import hardware
from lora.hardware import bf16, find_machine, free_memory


def test_a_container_may_have_less_than_the_machine(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    assert free_memory(tmp_path) == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) > 1_000_000


@pytest.mark.parametrize(
    ("words", "fast"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 amx_tile", True),
        ("flags\t\t: fpu avx2 notbf16", False),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("model name : bf16 something", False),
    ],
)
def test_bf16_is_told_by_the_processors_flags(tmp_path: Path, words: str, fast: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{words}\n")
    assert bf16(tmp_path / "cpuinfo") is fast
    assert not bf16(tmp_path / "nothing")


def test_torch_is_not_loaded_where_there_can_be_no_gpu() -> None:
    code = (
        "import sys; from lora.hardware import find_machine\n"
        "found = find_machine([])\n"
        "assert 'torch' not in sys.modules, 'it takes seconds'\n"
        "print(found.cores, found.memory_mb, repr(found.gpu))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    assert int(said[0]) == len(os.sched_getaffinity(0)) and int(said[1]) > 0 and said[2] == "''"


def test_a_gpu_is_asked_for_where_its_device_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_gpu", lambda: ("a GPU", 8000))
    device = tmp_path / "nvidia0"
    assert find_machine([str(device)]).gpu == ""
    device.touch()
    found = find_machine([str(device)])
    assert (found.gpu, found.gpu_mb) == ("a GPU", 8000)
