"""The Dockerfile as `.ci/image_steps.py` reads it; running its steps is `make image-steps`."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def image_steps() -> ModuleType:
    spec = importlib.util.spec_from_file_location("image_steps", ROOT / ".ci" / "image_steps.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["image_steps"] = module
    spec.loader.exec_module(module)
    return module


def test_every_step_of_the_dockerfile_is_known_and_copies_what_is_there(
    image_steps: ModuleType, tmp_path: Path
) -> None:
    found = list(image_steps.steps((ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")))
    assert [s.word for s in found][0] == "FROM" and found[-1].word == "ENV"
    assert any("pip install --no-deps" in s.rest and "useradd" in s.rest for s in found)
    image = image_steps.Image(tmp_path, ROOT)
    for step in found:
        if step.word in {"WORKDIR", "COPY", "ENV"}:
            image.do(step)
    assert (tmp_path / "app" / "sync" / "cli.py").is_file()
    assert not list(tmp_path.rglob("__pycache__")) and not (tmp_path / "app" / "tests").exists()
    assert image.env["ANNOTUNE_HOME"] == "/data" and image.folder == "/app"


def test_what_dockerignore_keeps_out_or_nobody_knows_is_no_step(
    image_steps: ModuleType, tmp_path: Path
) -> None:
    image = image_steps.Image(tmp_path, ROOT)
    for source in ("tests", ".env", "nothing", "tests/conftest.py"):
        with pytest.raises(image_steps.WrongStep, match="not in the build"):
            image.do(image_steps.Step(1, "COPY", f"{source} ./"))
    with pytest.raises(image_steps.WrongStep, match="line 2: SHELL"):
        list(image_steps.steps("# a comment\nSHELL x"))
    with pytest.raises(image_steps.WrongStep, match="would be root's"):
        image.do(image_steps.Step(1, "VOLUME", "/data"))


BUSY = """ENV PATH=/usr/bin:/bin
WORKDIR /made
RUN (while :; do mkdir $(date +%s%N); done) & touch /made/going && wait
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="image-steps makes a chroot, as root")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_cut_off_leaves_no_folder_and_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    where, context = tmp_path / "tmp", tmp_path / "context"
    where.mkdir()
    (context / "docker").mkdir(parents=True)
    (context / "docker" / "Dockerfile").write_text(BUSY)
    program = [sys.executable, str(ROOT / ".ci" / "image_steps.py"), str(context)]
    with subprocess.Popen(
        program, env={**os.environ, "TMPDIR": str(where)}, stderr=subprocess.PIPE, text=True
    ) as run:
        until = time.monotonic() + 60
        while not list(where.glob("annotune-image-*/made/going")):
            assert run.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 1 and f"ended by {number.name}" in said
    assert not list(where.iterdir())
