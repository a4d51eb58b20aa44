"""Label Studio's HTTP API as a plain user's program sees it: of `annotune start` and the demo.

Both token kinds work: a personal access token is exchanged for short-lived bearer tokens, a legacy
token is sent as it is.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import httpx

ACCESS_S = 240.0  # Label Studio's access tokens live for 300 s


class StudioRefused(RuntimeError):
    """Label Studio answered with an error; the message holds method, path, status and reason."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class StudioApi:
    """A signed-in client; `call` returns the decoded JSON of the answer."""

    def __init__(self, url: str, token: str, timeout_s: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._access: tuple[str, float] = ("", 0.0)
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> StudioApi:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One request; raises StudioRefused on an answer outside 2xx (404 included), or on none."""
        try:
            answer = self._http.request(method, path, headers=self._headers(), **options)
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise StudioRefused(f"{method} {path}: no answer from {self.url} ({kind})") from error
        if not answer.is_success:
            code = answer.status_code
            raise StudioRefused(f"{method} {path}: {code} {answer.text[:300]}", code)
        return answer.json() if answer.content else None

    def _headers(self) -> dict[str, str]:
        if self._token.count(".") != 2:  # a JWT has three parts, a legacy token is one word
            return {"Authorization": f"Token {self._token}"}
        access, until = self._access
        if time.monotonic() > until:
            answer = self._http.post("/api/token/refresh/", json={"refresh": self._token})
            if not answer.is_success:
                raise StudioRefused(f"the token was refused: {answer.status_code}")
            access = str(answer.json()["access"])
            self._access = (access, time.monotonic() + ACCESS_S)
        return {"Authorization": f"Bearer {access}"}


def personal_token(url: str, email: str, password: str) -> str:
    """A new personal access token, made by signing in with e-mail and password.

    A user has one such token at most and its full text is told only once. Raises StudioRefused
    when there is one already: sign in and revoke it under Account & Settings first.
    """
    with httpx.Client(base_url=url, timeout=60.0, trust_env=False) as http:
        http.get("/user/login/")
        form = {
            "csrfmiddlewaretoken": http.cookies.get("csrftoken", ""),
            "email": email,
            "password": password,
        }
        if http.post("/user/login/", data=form, headers={"Referer": url}).status_code != 302:
            raise StudioRefused(f"Label Studio does not accept the password of {email}")
        headers = {"X-CSRFToken": http.cookies.get("csrftoken") or "", "Referer": url}
        answer = http.post("/api/token/", headers=headers)
        if answer.status_code != 201:
            raise StudioRefused(f"POST /api/token/: {answer.status_code} {answer.text[:300]}")
        return str(answer.json()["token"])
