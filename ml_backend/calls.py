"""What Label Studio 1.23.2 sends us, read once into values.

Only a body that is malformed as a whole is refused, with a message that names what came; the tasks
inside are the model's to judge. `access_token`, `hostname` and `extra_params` of /setup are not
read, so they cannot be kept or logged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from label_config.schema import MAX_CONFIG

PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_TASKS = 50_000  # Label Studio needs 68 s to store 1000; nobody waits for more in one call


class BadBody(ValueError):
    """A request's body is not what the route reads; the message says what came."""

    status = 400


class TooManyTasks(BadBody):
    """One call names more tasks than anybody can wait for."""

    status = 413


@dataclass(frozen=True)
class SetupCall:
    """POST /setup: a project and its labelling XML."""

    project: str
    config: str


@dataclass(frozen=True)
class PredictCall:
    """POST /predict: tasks as they came; `config` is None where the body has none."""

    project: str
    config: str | None
    tasks: list[object]
    context: Mapping[str, object] | None


@dataclass(frozen=True)
class WebhookCall:
    """POST /webhook: the action, and the project's id where it can be read."""

    action: str
    project: str | None


def read_body(raw: bytes) -> Mapping[str, object]:
    """The JSON object in a body; raises BadBody on anything else."""
    try:
        body = json.loads(raw)
    except RecursionError as error:
        raise BadBody("the body nests too deeply; Label Studio's bodies do not") from error
    except ValueError as error:  # broken JSON, broken UTF-8, a number of more than 4300 digits
        kind = "empty" if not raw.strip() else f"{len(raw)} bytes that are not JSON"
        raise BadBody(f"the body is {kind}; send a JSON object") from error
    if not isinstance(body, Mapping):
        raise BadBody(f"the body is a JSON {_kind(body)}; send an object")
    return body


def read_setup(body: Mapping[str, object]) -> SetupCall:
    """Raises BadBody without a project or a schema."""
    config = body.get("schema")
    if not isinstance(config, str):
        raise BadBody(f"schema is {_kind(config)}; send the labelling XML as a string")
    _check_length(config)
    return SetupCall(_project(body.get("project")), config)


def read_predict(body: Mapping[str, object]) -> PredictCall:
    """Raises BadBody without a project or a list of tasks."""
    tasks, config, params = body.get("tasks"), body.get("label_config"), body.get("params")
    if not isinstance(tasks, list):
        raise BadBody(f"tasks is {_kind(tasks)}; send a list of tasks")
    if len(tasks) > MAX_TASKS:
        raise TooManyTasks(f"tasks holds {len(tasks)}; at most {MAX_TASKS} are answered at once")
    if config is not None and not isinstance(config, str):
        raise BadBody(f"label_config is {_kind(config)}; send the labelling XML as a string")
    _check_length(config or "")
    context = params.get("context") if isinstance(params, Mapping) else None
    return PredictCall(
        _project(body.get("project")),
        config,
        tasks,
        context if isinstance(context, Mapping) else None,
    )


def read_webhook(body: Mapping[str, object]) -> WebhookCall:
    """Raises BadBody without an action, or on a START_TRAINING that names no project."""
    action, project = body.get("action"), body.get("project")
    if not isinstance(action, str):
        raise BadBody(f"action is {_kind(action)}; send its name as a string")
    number = project.get("id") if isinstance(project, Mapping) else project
    if action == "START_TRAINING":
        return WebhookCall(action, _project(number))
    return WebhookCall(action, None)


def _check_length(config: str) -> None:
    if len(config) > MAX_CONFIG:
        raise BadBody(
            f"the labelling XML has {len(config)} characters; at most {MAX_CONFIG} are read"
        )


def _project(raw: object) -> str:
    """The project's id: Label Studio writes `<id>.<unix seconds of its creation>`."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str):
        raise BadBody(f'project is {_kind(raw)}; send its id, such as "1.1795331829"')
    project = raw.split(".", 1)[0]
    if not PROJECT.fullmatch(project):
        raise BadBody(f'project {raw[:80]!r} is no id; send one such as "1.1795331829"')
    return project


def _kind(value: object) -> str:
    if value is None:
        return "absent or null"
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
