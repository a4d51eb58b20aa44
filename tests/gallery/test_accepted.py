"""Label Studio, with its check of predictions switched on, takes what we predict and write.

For every template of its gallery with a text; and by hand for every kind of region, because a
model that has not been trained marks no spans.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from label_studio_sdk.label_interface import LabelInterface

from label_config import read_schema
from label_config.templates import load_template, template_names
from label_config.wire import read_result, write_result
from sync.start.api import StudioRefused
from tests.gallery.strict import DATA, KINDS, StrictProject, everything
from tests.gallery.templates import gallery

Make = Callable[[str, dict[str, Any]], StrictProject]
pytestmark = pytest.mark.real
WITH_TEXT = {
    name: config
    for name, config in gallery().items()
    if re.search(r"<(Text|HyperText|Paragraphs)\b", config)
}
OWN = {f"own/{n}": load_template(n) for n in template_names()}


def sample(config: str) -> dict[str, Any]:
    """A task for a config: Label Studio's own example under each key, labels where it asks."""
    task: dict[str, Any] = LabelInterface(config).generate_sample_task()
    for control in read_schema(config).controls:
        if control.options:
            task[control.options] = [{"value": "One"}, {"value": "Two"}]
    items = [{"id": 1, "title": "an item"}]  # the SDK has no example of a <List>
    return {k: items if v is None else v for k, v in task.items() if re.fullmatch(r"\w+", k)}


@pytest.mark.parametrize("name", sorted({**WITH_TEXT, **OWN}))
def test_the_answer_to_a_sample_task_is_accepted(
    name: str, backend: FlaskClient, project: Make
) -> None:
    config = OWN[name].config if name in OWN else WITH_TEXT[name]
    data = dict(OWN[name].tasks[0]) if name in OWN else sample(config)
    here = project(config, data)
    body = {"project": f"{here.id}.1", "label_config": here.config, "tasks": [here.task]}
    answer = backend.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    (prediction,) = answer.json["results"]
    stored = here.push(prediction)
    assert [p["result"] for p in stored] == [prediction["result"]] * 2
    schema = read_schema(here.config)
    assert (schema.admin, schema.notes) == (read_schema(config).admin, read_schema(config).notes)
    answered = {r["from_name"] for r in prediction["result"]}
    sure = {c.name for c in schema.controls if c.form == "one" and not c.when and not c.options}
    assert sure <= answered  # a single choice is answered from the first minute


def test_every_kind_of_region_is_accepted_and_comes_back_as_it_went(project: Make) -> None:
    here = project(KINDS, DATA)
    schema = read_schema(here.config)
    assert {c.kind for c in schema.controls} == {c.kind for c in read_schema(KINDS).controls}
    result = write_result(schema, 1, everything(), DATA)
    stored = here.push({"result": result, "score": 0.5, "model_version": "v1"})
    assert len(stored) == 2
    for prediction in stored:
        read = read_result(schema, here.task["data"], prediction["result"])
        assert (read.regions, read.dropped) == (everything(), ())


BROKEN = [
    {"type": "choices", "from_name": "one", "to_name": "a", "value": {"choices": ["z"]}},
    {"type": "rating", "from_name": "stars", "to_name": "p", "value": {"rating": 9}},
    {"type": "taxonomy", "from_name": "tree", "to_name": "a", "value": {"taxonomy": ["r"]}},
    {"type": "choices", "from_name": "gone", "to_name": "a", "value": {"choices": ["x"]}},
    {
        **{"type": "hypertextlabels", "from_name": "html", "to_name": "h"},
        "value": {"start": "", "end": "", "startOffset": -1, "hypertextlabels": ["w"]},
    },
]


@pytest.mark.parametrize("region", BROKEN)
def test_a_broken_region_is_refused_so_the_check_is_on(
    region: dict[str, Any], project: Make
) -> None:
    here = project(KINDS, DATA)
    with pytest.raises(StudioRefused, match="400"):
        here.push({"result": [region], "score": 0.5, "model_version": "v1"})


def test_our_attributes_survive_label_studios_save(project: Make) -> None:
    here = project(KINDS, DATA)
    again = here.api.call("GET", f"/api/projects/{here.id}/")["label_config"]
    assert read_schema(again).admin == read_schema(KINDS).admin
    assert read_schema(again).admin.target == 0.9
    changed = again.replace('"90%"', '"80%"')
    here.api.call("PATCH", f"/api/projects/{here.id}/", json={"label_config": changed})
    saved = here.api.call("GET", f"/api/projects/{here.id}/")["label_config"]
    assert read_schema(saved).admin.target == 0.8
