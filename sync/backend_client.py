"""The ML backend as sync sees it: one question, which version its predictions carry now."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

TIMEOUT_S = 5.0


class BackendDown(Exception):
    """The backend did not answer as it should; the message says how."""


@dataclass(frozen=True)
class BackendClient:
    """Asks `/setup` as Label Studio does, so that both hear the same version."""

    url: str
    user: str
    password: str = field(repr=False)

    def version(self, project: str, config: str) -> str:
        """The version that predictions for this project and config carry. Raises BackendDown."""
        auth = (self.user, self.password) if self.password else None
        body = {"project": project, "schema": config}
        try:
            answer = httpx.post(
                f"{self.url}/setup", json=body, auth=auth, timeout=TIMEOUT_S, trust_env=False
            )
            answer.raise_for_status()
            return str(answer.json()["model_version"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise BackendDown(
                f"the backend at {self.url} does not answer /setup as it should: "
                f"{type(error).__name__} {error}"
            ) from error
