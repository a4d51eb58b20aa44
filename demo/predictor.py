"""The demo's own questions to the running backend's /predict, as Label Studio would put them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

BULK = {"X-Annotune-Priority": "bulk"}


class PredictFailed(RuntimeError):
    """The backend gave no valid answer; the message says what came."""


@dataclass(frozen=True)
class Answer:
    """One item of a reply: the version, the task's score and its regions as on the wire."""

    version: str
    score: float
    result: list[dict[str, Any]] = field(hash=False)


@dataclass(frozen=True)
class Backend:
    """Where the backend listens, and what it wants to hear with each request."""

    url: str
    user: str
    password: str = field(repr=False)
    project: str
    config: str

    def client(self, timeout_s: float = 60.0) -> httpx.Client:
        auth = (self.user, self.password)
        return httpx.Client(base_url=self.url, auth=auth, timeout=timeout_s, trust_env=False)

    def predict(
        self, http: httpx.Client, texts: Sequence[str], first_id: int, bulk: bool = False
    ) -> list[Answer]:
        """One answer per text, in order; raises PredictFailed on anything else.

        `first_id` must lie beyond every real task: unlisted ids are never blind.
        """
        body = {
            "tasks": [{"id": first_id + i, "data": {"text": t}} for i, t in enumerate(texts)],
            "project": f"{self.project}.0",
            "label_config": self.config,
            "params": {"login": None, "password": None, "context": None},  # nosec B105  # no password
        }
        try:
            reply = http.post("/predict", json=body, headers=BULK if bulk else {})
        except httpx.HTTPError as error:
            raise PredictFailed(f"{type(error).__name__} from {self.url}/predict") from error
        if reply.status_code != 200:
            raise PredictFailed(f"{reply.status_code} from {self.url}/predict")
        return _read(reply, len(texts))


def _read(reply: httpx.Response, asked: int) -> list[Answer]:
    try:
        items = reply.json()["results"]
        answers = [
            Answer(str(i["model_version"]), float(i["score"]), list(i["result"])) for i in items
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise PredictFailed(f"the reply holds no valid predictions: {error!r}") from error
    if len(answers) != asked or not all(a.version for a in answers):
        raise PredictFailed(f"{asked} tasks were asked for, {len(answers)} answers came")
    return answers
