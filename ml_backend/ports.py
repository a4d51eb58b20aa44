"""What this room asks of its neighbours, as narrow Protocols.

lora.live.Live, jobs.Jobs and lora.store.Store fit them; the tests bring fakes of a few lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from label_config import Prediction, Schema, Task


class LiveLike(Protocol):
    """The serving model. `version` and `health` answer at once; `predict` waits for the lane."""

    def version(self, project: str, schema: Schema) -> str:
        """The version that predictions for this project and schema carry now."""
        ...

    def predict(
        self,
        project: str,
        schema: Schema,
        tasks: Sequence[Task],
        *,
        bulk: bool = False,
        timeout_s: float = 60,
    ) -> list[Prediction]:
        """One prediction per task, in order, all of one version.

        Raises lora.errors.NotReady or Overloaded before any work.
        """
        ...

    def health(self) -> Mapping[str, Any]:
        """What /health says of the model: base, ready, projects, queue."""
        ...


class JobsLike(Protocol):
    """The queue's door; `enqueue` raises jobs.QueueDown."""

    def enqueue(self, function: str, *args: str, job_id: str | None = None) -> str: ...


class VersionsLike(Protocol):
    """The versions that /versions lists, oldest first."""

    def __call__(self) -> Sequence[str]: ...
