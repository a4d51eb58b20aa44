"""How the doctor asks Label Studio: one plain request each, so that its own words are seen.

The SDK retries, and hides what a refusal said; here an answer is told as it came, and no answer as
well. A personal token is exchanged for its access token first, as the SDK does.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, Literal

import httpx

TIMEOUT_S = 8.0

Kind = Literal["none", "personal", "access", "legacy"]


class NoAnswer(Exception):
    """Nothing came back; the message says what happened instead."""


class NotTaken(NoAnswer):
    """Label Studio answers, and does not take the token."""


@dataclass(frozen=True)
class Answer:
    """What came back. `body`: its JSON, None where it is none; `at`: the server's own time."""

    status: int
    body: Any
    at: datetime | None
    seconds: float

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300

    def part(self, key: str) -> Any:
        return self.body.get(key) if isinstance(self.body, Mapping) else None

    @property
    def said(self) -> str:
        """A refusal's own words, for people."""
        told = self.part("detail") or self.part("validation_errors") or self.body
        text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
        return f"HTTP {self.status}: {text[:200]}" if told else f"HTTP {self.status}"


def ask(method: str, url: str, **how: Any) -> Answer:
    """One request. Raises NoAnswer."""
    began = monotonic()
    try:
        secure = url.startswith("https:")  # else reading the certificates is half of the time
        got = httpx.request(method, url, timeout=TIMEOUT_S, trust_env=False, verify=secure, **how)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise NoAnswer(f"{url.partition('?')[0]}: {type(error).__name__} {error}") from error
    try:
        body: Any = got.json()
    except ValueError:
        body = None
    return Answer(got.status_code, body, _date(got.headers.get("Date")), monotonic() - began)


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(timezone.utc) if text else None
    except ValueError:
        return None


def token_claims(token: str) -> Mapping[str, Any]:
    """What a JWT says of itself, unchecked; empty where it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def token_kind(token: str) -> Kind:
    """Which of Label Studio's tokens this is, by its looks."""
    if not token:
        return "none"
    claims = token_claims(token)
    if not claims:
        return "legacy"
    return "access" if claims.get("token_type") == "access" else "personal"


@dataclass
class Asker:
    """One Label Studio and one token; threads share it."""

    url: str
    token: str = field(repr=False)
    _access: str = field(default="", repr=False)
    _refused: NoAnswer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def plain(self, path: str) -> Answer:
        """Without credentials. Raises NoAnswer."""
        return ask("GET", f"{self.url.rstrip('/')}/{path}")

    def refresh(self) -> Answer:
        """What a personal token is exchanged for. Raises NoAnswer."""
        url = f"{self.url.rstrip('/')}/api/token/refresh/"
        return ask("POST", url, json={"refresh": self.token})

    def __call__(self, method: str, path: str, params: Any = None, body: Any = None) -> Answer:
        """With the token. Raises NoAnswer, also where a personal token is not taken."""
        how: dict[str, Any] = {"headers": {"Authorization": self._credentials()}}
        how |= {"params": params} if params else {}
        how |= {"json": body} if body is not None else {}
        return ask(method, f"{self.url.rstrip('/')}/{path}", **how)

    def _credentials(self) -> str:
        kind = token_kind(self.token)
        if kind != "personal":
            return f"{'Bearer' if kind == 'access' else 'Token'} {self.token}"
        with self._lock:
            if not self._access and not self._refused:
                self._exchange()
            if self._refused:  # once is enough: the others would wait in line for the same
                raise self._refused
            return f"Bearer {self._access}"

    def _exchange(self) -> None:
        try:
            got = self.refresh()
        except NoAnswer as down:
            self._refused = down
            return
        if isinstance(got.part("access"), str):
            self._access = got.part("access")
        else:
            self._refused = NotTaken(f"Label Studio does not take the token ({got.said})")
