"""Two processes that train together end where one alone does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lora.causal.crew import shares
from lora.causal.plan import plan_steps
from tests.lora.causal.made import causal_base
from tests.lora.causal.rowed import rows
from tests.lora.causal.together import fitted


def test_the_rows_of_a_step_are_shared_out() -> None:
    (step,) = plan_steps(rows(causal_base("llama")), 1, 0)
    parts = shares(step, 3)
    assert sorted(map(id, step)) == sorted(id(r) for p in parts for r in p)
    assert [len(p) for p in parts] == [3, 3, 2]


@pytest.mark.model  # two processes that train: some ten seconds
@pytest.mark.parametrize("how", ["ddp", "fsdp"])
def test_two_processes_train_what_one_does(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    line += ["-m", "tests.lora.causal.together", how, str(tmp_path / "two")]
    env = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(line, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    for module in ("loop", "learner"):  # `fitted` sets them; put back when the test ends
        monkeypatch.setattr(f"lora.causal.{module}.bf16_is_fast", lambda device: False)
    one, two = fitted(tmp_path / "one").plain.tensors, load_file(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[k], two[k], atol=1e-5) for k in one)
