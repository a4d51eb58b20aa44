"""The ML backend as sync sees it: which version its predictions carry now, and what it refused."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

TIMEOUT_S = 5.0


@cache
def certificates() -> ssl.SSLContext:
    """Whom we believe to be a backend; read once, since reading it took 20 ms of each request."""
    return httpx.create_ssl_context(trust_env=False)


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
        told = self._ask("POST", "/setup", {"project": project, "schema": config})
        try:
            return str(told["model_version"])
        except KeyError as error:
            raise self._odd("/setup", error) from error

    def health(self) -> Mapping[str, Any]:
        """What it says of itself and of what it serves. Raises BackendDown."""
        return self._ask("GET", "/health")

    def _ask(self, method: str, path: str, body: object = None) -> Mapping[str, Any]:
        auth = (self.user, self.password) if self.password else None
        how: dict[str, Any] = {"json": body} if body is not None else {}
        try:
            how |= {"auth": auth, "timeout": TIMEOUT_S, "trust_env": False}
            how |= {"verify": certificates()}
            answer = httpx.request(method, f"{self.url}{path}", **how)
            answer.raise_for_status()
            return dict(answer.json())
        except (httpx.HTTPError, ValueError, TypeError) as error:
            raise self._odd(path, error) from error

    def _odd(self, path: str, error: Exception) -> BackendDown:
        return BackendDown(
            f"the backend at {self.url} does not answer {path} as it should: "
            f"{type(error).__name__} {error}"
        )
