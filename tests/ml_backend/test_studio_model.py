"""Our model as a LabelStudioMLBase: against label-studio-ml 1.0.9 itself, and without it.

1.0.9 pins an old Flask, so it is installed with --no-deps into an environment of its own that
borrows everything else from this one. It is kept in ANNOTUNE_TEST_CACHE (~/.cache/annotune-tests).
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.ml_backend.fakes import ROOT

PACKAGES = ["label-studio-ml==1.0.9", "label-studio-tools==0.0.4"]
BORROWED_OR_ADDED = ["colorama", "attrs", "lxml", "pillow", "requests"]

SCRIPT = """
from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from ml_backend.studio_model import studio_model
from tests.ml_backend.fakes import XML, FirstLabelLive, ListedJobs

live, jobs = FirstLabelLive(), ListedJobs()
made = studio_model(live, jobs)
assert issubclass(made, LabelStudioMLBase)

tasks = [{"id": 1, "project": 7, "data": {"text": "Alice came"}}, None]
model = made(label_config=XML, train_output={}, hostname="http://ls", access_token="s3cret")
assert model.access_token == "" and set(model.parsed_label_config) == {"mood", "ner"}
assert model.setup() == "v1-0a1b2c3d"
first, second = model.predict(tasks, login=None, password=None, context=None)
assert [r["from_name"] for r in first["result"]] == ["mood", "ner"], first
assert second["result"] == [] and second["model_version"] == "v1-0a1b2c3d"
assert live.asked[-1][0] == "7"

event = {"action": "START_TRAINING", "project": {"id": 7}}
assert model.process_event("START_TRAINING", event, "job", {}) == {"job": "ask-7"}
assert model.process_event("ANNOTATION_CREATED", {"project": {"id": 7}}, "job", {}) is None
assert model.fit("START_TRAINING", event) == {"job": "ask-7"}  # as 2.x calls it
assert model.fit(tasks, "/tmp/workdir") == {}  # as its trainer calls it
assert jobs.asked == [("sync.jobs.ask", ("7",), "ask-7")] * 2

client = init_app(made).test_client()  # and under its own server
assert client.post("/setup", json={"project": "7.1", "schema": XML}).status_code == 200
call = {"project": "7.1", "label_config": XML, "tasks": tasks[:1], "params": {"context": None}}
answer = client.post("/predict", json=call).get_json()
assert answer["results"] == [first], answer
print("all of it holds")
"""


@pytest.fixture(scope="module")
def python_with_label_studio_ml() -> Path:
    """An interpreter that has label-studio-ml 1.0.9 and everything this one has."""
    cache = os.environ.get("ANNOTUNE_TEST_CACHE") or Path.home() / ".cache" / "annotune-tests"
    folder = Path(cache) / f"label-studio-ml-1.0.9-py{sys.version_info[0]}{sys.version_info[1]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, "--no-deps", *PACKAGES], check=True)
        missing = [p for p in BORROWED_OR_ADDED if not find_spec(_module(p))]
        if missing:
            subprocess.run([*pip, *missing], check=True)
        (folder / "complete").touch()
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def _module(package: str) -> str:
    return {"attrs": "attr", "pillow": "PIL"}.get(package, package)


def test_without_the_package_the_message_says_what_to_do() -> None:
    if find_spec("label_studio_ml"):
        pytest.skip("label_studio_ml is installed here, so its absence cannot be shown")
    with pytest.raises(ImportError, match="pip install --no-deps label-studio-ml==1.0.9"):
        import ml_backend.studio_model  # noqa: F401


@pytest.mark.real
def test_the_pypi_release_takes_our_model(python_with_label_studio_ml: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("ANNOTUNE_")}
    env |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python_with_label_studio_ml, "-c", SCRIPT],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "all of it holds"), done.stderr[-3000:]
