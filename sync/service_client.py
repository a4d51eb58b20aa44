"""The running sync as another process of ours sees it: what its last turns ran into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from sync.backend_client import certificates
from sync.receiver import SECRET_HEADER

TIMEOUT_S = 5.0


class SyncDown(Exception):
    """Sync did not answer as it should; the message says how."""


@dataclass(frozen=True)
class SyncClient:
    """Asks its /health. `url`: as Label Studio reaches it, too."""

    url: str
    secret: str = field(repr=False)

    def problem(self, project: str) -> str | None:
        """What a project's last turn ran into, or why there are none. Raises SyncDown."""
        told = self._health()
        if told.get("log") not in (None, "answers"):
            return str(told["log"])
        projects = told.get("projects")
        own = projects.get(project) if isinstance(projects, Mapping) else None
        found = own.get("problem") if isinstance(own, Mapping) else None
        return str(found) if found else None

    def _health(self) -> Mapping[str, Any]:
        address = f"{self.url.rstrip('/')}/health"
        how: dict[str, Any] = {"timeout": TIMEOUT_S, "trust_env": False, "verify": certificates()}
        try:
            answer = httpx.get(address, headers={SECRET_HEADER: self.secret}, **how)
            answer.raise_for_status()
            return dict(answer.json())
        except (httpx.HTTPError, ValueError, TypeError) as error:
            kind = type(error).__name__
            raise SyncDown(
                f"sync at {self.url} does not answer /health as it should ({kind}): until it does, "
                "nothing is heard, trained or shown; annotune up runs it"
            ) from error
