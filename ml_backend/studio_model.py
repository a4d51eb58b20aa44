"""Our model as a LabelStudioMLBase subclass, for people who run label_studio_ml themselves.

The one file that imports label_studio_ml, which is no dependency of ours (docs/decisions/0001);
contract-tested against its PyPI release 1.0.9. Its manager and its server are not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from label_config import Schema
from ml_backend.configs import Configs
from ml_backend.model import AnnotuneModel
from ml_backend.ports import JobsLike, LiveLike

try:
    from label_studio_ml.model import LabelStudioMLBase
except ImportError as error:
    raise ImportError(
        f"label_studio_ml cannot be imported ({error}); `python -m ml_backend` needs none of it. "
        "To use it all the same: pip install --no-deps label-studio-ml==1.0.9 "
        "label-studio-tools==0.0.4, and redis rq colorama attrs lxml pillow requests"
    ) from error


def studio_model(live: LiveLike, jobs: JobsLike) -> type[LabelStudioMLBase]:
    """A model class, bound to our collaborators, that label_studio_ml can build per project.

    Its constructor takes what 1.0.9 (label_config, train_output) and 2.x (project_id,
    label_config) pass; hostname and access_token are let go of.
    """
    configs = Configs()

    class AnnotuneStudioModel(LabelStudioMLBase):  # type: ignore[misc]  # untyped package
        TRAIN_EVENTS = ("START_TRAINING",)  # sync counts annotations; only the button asks here

        def __init__(
            self,
            label_config: str | None = None,
            train_output: Mapping[str, Any] | None = None,
            project_id: str | None = None,
            **_: object,
        ) -> None:
            self._project = str(project_id or "0")
            self._schema = configs.schema(label_config) if label_config else Schema(())
            super().__init__(label_config=label_config)

        def _model(self, project: object = None) -> AnnotuneModel:
            name = str(project or self._project).split(".", 1)[0]
            return AnnotuneModel(live, jobs, name, self._schema)

        def setup(self) -> str:
            return self._model().setup()

        def predict(
            self,
            tasks: Sequence[Any],
            context: Mapping[str, object] | None = None,
            **kwargs: object,
        ) -> list[dict[str, Any]]:
            first = tasks[0] if tasks and isinstance(tasks[0], Mapping) else {}
            return self._model(first.get("project")).predict(tasks, context)

        def fit(self, *args: object, **kwargs: Any) -> dict[str, str]:
            """2.x: fit(event, data); 1.0.9: fit((), event=..., data=...)."""
            event = kwargs.get("event") or (args[0] if args else None)
            data = kwargs.get("data") or (args[1] if len(args) > 1 else None) or {}
            project = data.get("project") if isinstance(data, Mapping) else None
            number = project.get("id") if isinstance(project, Mapping) else project
            job = self._model(number).fit(event) if isinstance(event, str) else None
            return {"job": job} if job else {}

    return AnnotuneStudioModel
