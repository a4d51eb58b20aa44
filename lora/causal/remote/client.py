"""An OpenAI-compatible inference server, as we speak to it: with read.py the one place that knows
its wire.

A request that cannot reach it, or that it has no room for, is tried as often as Patience says, then
it is EngineDown. What it refuses is not tried again: Refused. What takes too long: TimeoutError.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar

from lora.causal.remote.read import (
    Completed,
    read_chat,
    read_completions,
    read_message,
    read_models,
)
from lora.errors import EngineDown, Refused

T = TypeVar("T")

ATTEMPTS, PAUSE_S = 3, 0.25  # a pause doubles
ASK_S, LOAD_S = 10.0, 120.0  # of a small question; until an adapter is loaded
AGAIN = {408, 425, 429, 502, 503, 504}
MOST_BYTES, PART = 64_000_000, 65_536  # of one answer; read at once

Kind = Literal["openai", "vllm", "llama.cpp", "llama-cpp-python"]


@dataclass(frozen=True)
class Server:
    """Where it is and what it is; the words of settings.Backend's engine_*."""

    url: str
    key: str = field(default="", repr=False)
    kind: Kind = "openai"
    model: str = ""
    store: str = ""

    def __post_init__(self) -> None:
        if not (self.key.isascii() and self.key.isprintable()):  # the library's error quotes it
            raise ValueError(f"the API key for {self.url} has signs in it that no header can hold")


@dataclass(frozen=True)
class Patience:
    """How often a request is tried; `pause_s` doubles. `wait_s`: the longest wait that a server may
    ask for (Retry-After); 0: what it asks for is not heard. `refusals`: those that may pass, by
    HTTP's status; 0 is an answer that cannot be read."""

    attempts: int = ATTEMPTS
    pause_s: float = PAUSE_S
    wait_s: float = 0.0
    refusals: frozenset[int] = frozenset()


class Client:
    """Any thread may call it. `trouble`: why the last request found no server; None: it did."""

    def __init__(
        self, server: Server, pause_s: float = PAUSE_S, patience: Patience | None = None
    ) -> None:
        self.server = server
        self.trouble: str | None = None
        self._root = server.url.rstrip("/").removesuffix("/v1")
        self._patience = patience or Patience(pause_s=pause_s)
        self._closed = threading.Event()
        self._opener = urllib.request.build_opener(_NoRedirect)

    def close(self) -> None:
        """No request is tried again from now on."""
        self._closed.set()

    def models(self) -> dict[str, int | None]:
        """What it serves: names, and how many tokens prompt and answer may have where it says."""
        path = "/v1/models"
        where = self._root + path
        return self._call("GET", path, None, ASK_S, lambda raw: read_models(raw, where))

    def alive(self) -> dict[str, int | None]:
        """As `models`, but a server that is there and no use is EngineDown too."""
        try:
            return self.models()
        except (Refused, TimeoutError) as error:
            why = str(error) or f"no answer within {ASK_S:.0f} s"
            self.trouble = f"the inference server at {self._root} lists no models: {why}"
            raise EngineDown(self.trouble) from error

    def complete(self, body: Mapping[str, Any], timeout_s: float) -> Completed:
        """POST /v1/completions."""
        path, prompt = "/v1/completions", body["prompt"]
        return self._call("POST", path, body, timeout_s, lambda raw: read_completions(raw, prompt))

    def chat(self, body: Mapping[str, Any], timeout_s: float) -> Completed:
        """POST /v1/chat/completions."""
        return self._call("POST", "/v1/chat/completions", body, timeout_s, read_chat)

    def load(self, name: str, folder: str) -> None:
        """vLLM: serve an adapter under a name; fine if it does already."""
        body = {"lora_name": name, "lora_path": folder}
        try:
            self._call("POST", "/v1/load_lora_adapter", body, LOAD_S, bytes)
        except Refused as error:
            if error.status != 400 or "already" not in str(error):
                raise

    def unload(self, name: str) -> None:
        """vLLM: serve it no more; fine if it does not."""
        try:
            self._call("POST", "/v1/unload_lora_adapter", {"lora_name": name}, ASK_S, bytes)
        except Refused as error:
            if error.status != 404:
                raise

    def _call(
        self, method: str, path: str, body: Any, timeout_s: float, read: Callable[[bytes], T]
    ) -> T:
        last = _Again("it was not asked")
        for attempt in range(self._patience.attempts):
            if attempt and not self._pause(attempt, last):
                break
            try:
                found = read(self._once(method, path, body, timeout_s))
            except _Again as error:
                last = error
            except Refused as error:
                self.trouble = None  # it answers
                if error.status not in self._patience.refusals:
                    raise
                last = _Again(str(error), refusal=error)
            except TimeoutError:
                self.trouble = None  # it is at it
                raise
            else:
                self.trouble = None
                return found
        if last.refusal is not None:
            raise last.refusal
        self.trouble = f"the inference server at {self._root} does not answer: {last}"
        raise EngineDown(self.trouble)

    def _pause(self, attempt: int, last: _Again) -> bool:
        """Wait before another try; False where there is to be none."""
        wait, longest = self._patience.pause_s * 2 ** (attempt - 1), self._patience.wait_s
        if longest and last.after_s is not None:
            if last.after_s > longest:
                return False
            wait = max(wait, last.after_s)
        return not self._closed.wait(wait)

    def _once(self, method: str, path: str, body: Any, timeout_s: float) -> bytes:
        headers = {"Accept": "application/json"}
        if self.server.key:
            headers["Authorization"] = f"Bearer {self.server.key}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        # settings let in http and https only
        request = urllib.request.Request(self._root + path, data, headers, method=method)  # noqa: S310
        until = time.monotonic() + timeout_s
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                return _whole(response, until)
        except urllib.error.HTTPError as error:
            with error:
                told = f"HTTP {error.code} {read_message(_some(error), self.server.key)}".strip()
            if error.code in AGAIN:
                raise _Again(told, _after_s(error.headers.get("Retry-After"))) from None
            raise Refused(told, error.code) from None
        except urllib.error.URLError as error:  # it could not be reached, or not in time
            raise _Again(str(error.reason)) from error
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise _Again(f"{type(error).__name__}, the connection broke") from error


class _Again(Exception):
    """Worth another try, after `after_s` if the server said so; `refusal`: what it is if that was
    the last one."""

    def __init__(
        self, message: str, after_s: float | None = None, refusal: Refused | None = None
    ) -> None:
        super().__init__(message + (f" (Retry-After: {after_s:.0f} s)" if after_s else ""))
        self.after_s, self.refusal = after_s, refusal


def _whole(response: Any, until: float) -> bytes:
    """The body, to its end; a server that sends it drop by drop is not waited for forever."""
    parts: list[bytes] = []
    size = 0
    while part := response.read1(PART):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise Refused(f"an answer of more than {MOST_BYTES} bytes came")
        if time.monotonic() > until:
            raise TimeoutError("the answer came too slowly")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)


def _some(error: urllib.error.HTTPError) -> bytes:
    """The body of an error, as far as it comes."""
    with suppress(OSError, http.client.HTTPException):
        return bytes(error.read(PART))
    return b""


def _after_s(header: str | None) -> float | None:
    """Seconds that Retry-After asks for: a number, or a date."""
    if not header:
        return None
    try:
        found = float(header)
    except ValueError:
        try:
            when = parsedate_to_datetime(header)
        except ValueError:
            return None
        when = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
        found = (when - datetime.now(timezone.utc)).total_seconds()
    return max(0.0, found) if found < float("inf") else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key goes to the address it was given for and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None
