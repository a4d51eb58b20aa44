"""Label Studio's task JSON as values: read defensively, since the server checks little of it.

An annotation that cannot be understood is still an annotation: its result is kept as it came.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from label_config.values import Task
from sync.studio_values import BackendInfo, SeenAnnotation, SeenPrediction, TaskState, WebhookInfo

BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)


def read_task_state(raw: Mapping[str, Any], project: str) -> TaskState:
    """A task with all that hangs on it, from one row of a task list with fields=all."""
    number, updated = int(raw["id"]), _time(raw.get("updated_at"))
    data = raw.get("data")
    return TaskState(
        task=Task(number, project, data if isinstance(data, dict) else {}),
        updated_at=updated,
        annotations=tuple(
            _annotation(a, number, updated) for a in raw.get("annotations") or () if "id" in a
        ),
        predictions=tuple(
            _prediction(p, number, updated) for p in raw.get("predictions") or () if "id" in p
        ),
    )


def read_webhook(w: Any) -> WebhookInfo:
    """A webhook, from the SDK's model of one."""
    return WebhookInfo(
        id=int(w.id),
        url=w.url,
        actions=tuple(str(a) for a in w.actions or ()),
        active=w.is_active is not False,
        headers={str(k): str(v) for k, v in (w.headers or {}).items()},
    )


def read_backend(b: Any) -> BackendInfo:
    """An ML backend, from the SDK's model of one."""
    return BackendInfo(
        id=int(b.id),
        url=b.url or "",
        title=b.title or "",
        version=b.model_version or "",
        connected=str(b.state) == "CO",
    )


def read_date(raw: str | None) -> datetime | None:
    """The time of an HTTP answer's Date, to the second; None where there is none."""
    try:
        return parsedate_to_datetime(raw or "").astimezone(timezone.utc)
    except ValueError:
        return None


def _annotation(a: Mapping[str, Any], task: int, fallback: datetime) -> SeenAnnotation:
    author, lead = a.get("completed_by"), a.get("lead_time")
    if isinstance(author, Mapping):
        author = author.get("id")
    return SeenAnnotation(
        id=int(a["id"]),
        task=task,
        result=a.get("result"),
        author=author if isinstance(author, int) else None,
        created_at=_time(a.get("created_at"), fallback),
        updated_at=_time(a.get("updated_at"), fallback),
        lead_time=_number(lead),
        ground_truth=bool(a.get("ground_truth")),
        cancelled=bool(a.get("was_cancelled")),
        parent_prediction=a.get("parent_prediction"),
        editor=_editor(a.get("updated_by")),
    )


def _number(raw: object) -> float | None:
    """JSON knows no bounds: a number that a float does not hold is none."""
    try:
        number = float(raw) if isinstance(raw, (int, float)) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _editor(raw: object) -> int | None:
    return raw if isinstance(raw, int) else None


def _prediction(p: Mapping[str, Any], task: int, fallback: datetime) -> SeenPrediction:
    score = p.get("score")
    return SeenPrediction(
        id=int(p["id"]),
        task=task,
        version=p.get("model_version") or "",
        created_at=_time(p.get("created_at"), fallback),
        score=_number(score),
        result=p.get("result"),
    )


def _time(raw: object, fallback: datetime = BEGINNING) -> datetime:
    if isinstance(raw, str):
        try:
            return datetime.fromisoformat(raw.replace("Z", "+00:00")).astimezone(timezone.utc)
        except (ValueError, OverflowError):  # OverflowError: before the year 1 in UTC
            pass
    return fallback
