"""An OpenAI-compatible inference server, as we speak to it: the one place that knows its wire.

A request that cannot reach it, or that it has no room for, is tried ATTEMPTS times, then it is
EngineDown. What it refuses is not tried again: Refused. What takes too long: TimeoutError.
"""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lora.errors import EngineDown, Refused

ATTEMPTS, PAUSE_S = 3, 0.25  # a pause doubles
ASK_S, LOAD_S = 10.0, 120.0  # of a small question; until an adapter is loaded
AGAIN = {408, 425, 429, 502, 503, 504}
MOST_BYTES = 64_000_000  # of one answer
MOST_WORDS = 300  # of a server's message in ours

Kind = Literal["openai", "vllm", "llama.cpp", "llama-cpp-python"]


@dataclass(frozen=True)
class Server:
    """Where it is and what it is; the words of settings.Backend's engine_*."""

    url: str
    key: str = field(default="", repr=False)
    kind: Kind = "openai"
    model: str = ""
    store: str = ""


@dataclass(frozen=True)
class Said:
    """One completion. `logprobs`: of its tokens in order, echoed ones first, None where it gave
    none; `why` it ended: "stop" or "length"."""

    text: str
    why: str = ""
    logprobs: tuple[float | None, ...] | None = None


@dataclass(frozen=True)
class Completed:
    """The answer to one request: a completion a prompt, and how many tokens both had together."""

    said: tuple[Said, ...]
    prompt_tokens: int | None
    said_tokens: int | None


class Client:
    """Any thread may call it. `trouble`: why the last request found no server; None: it did."""

    def __init__(self, server: Server, pause_s: float = PAUSE_S) -> None:
        self.server = server
        self.trouble: str | None = None
        self._root = server.url.rstrip("/").removesuffix("/v1")
        self._pause_s = pause_s
        self._closed = threading.Event()
        self._opener = urllib.request.build_opener(_NoRedirect)

    def close(self) -> None:
        """No request is tried again from now on."""
        self._closed.set()

    def models(self) -> dict[str, int | None]:
        """What it serves: names, and how many tokens prompt and answer may have where it says."""
        found = self._json("GET", "/v1/models", None, ASK_S)
        try:
            return {str(m["id"]): _context(m) for m in found["data"]}
        except (KeyError, TypeError) as error:
            raise Refused(f"{self._root}/v1/models lists no models") from error

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
        return _completed(self._json("POST", "/v1/completions", body, timeout_s), body["prompt"])

    def load(self, name: str, folder: str) -> None:
        """vLLM: serve an adapter under a name; fine if it does already."""
        body = {"lora_name": name, "lora_path": folder}
        try:
            self._call("POST", "/v1/load_lora_adapter", body, LOAD_S)
        except Refused as error:
            if error.status != 400 or "already" not in str(error):
                raise

    def unload(self, name: str) -> None:
        """vLLM: serve it no more; fine if it does not."""
        try:
            self._call("POST", "/v1/unload_lora_adapter", {"lora_name": name}, ASK_S)
        except Refused as error:
            if error.status != 404:
                raise

    def _json(self, method: str, path: str, body: Any, timeout_s: float) -> Any:
        raw = self._call(method, path, body, timeout_s)
        try:
            return json.loads(raw)
        except ValueError as error:
            raise Refused(f"{self._root}{path} answered no JSON") from error

    def _call(self, method: str, path: str, body: Any, timeout_s: float) -> bytes:
        why = "it was not asked"
        for attempt in range(ATTEMPTS):
            if attempt and self._closed.wait(self._pause_s * 2 ** (attempt - 1)):
                break
            try:
                found = self._once(method, path, body, timeout_s)
            except _Again as error:
                why = str(error)
                continue
            except (Refused, TimeoutError):
                self.trouble = None  # it answers, or is at it
                raise
            self.trouble = None
            return found
        self.trouble = f"the inference server at {self._root} does not answer: {why}"
        raise EngineDown(self.trouble)

    def _once(self, method: str, path: str, body: Any, timeout_s: float) -> bytes:
        headers = {"Accept": "application/json"}
        if self.server.key:
            headers["Authorization"] = f"Bearer {self.server.key}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._root + path, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                return bytes(response.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                told = _message(error.read(MOST_BYTES))
            if error.code in AGAIN:
                raise _Again(f"HTTP {error.code} {told}".strip()) from None
            raise Refused(f"HTTP {error.code} {told}".strip(), error.code) from None
        except urllib.error.URLError as error:  # it could not be reached, or not in time
            raise _Again(str(error.reason)) from error
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise _Again(f"{type(error).__name__}, the connection broke") from error


class _Again(Exception):
    """Worth another try."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key goes to the address it was given for and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _context(model: Any) -> int | None:
    """vLLM says it as max_model_len, llama.cpp as meta.n_ctx."""
    meta = model.get("meta")
    found = model.get("max_model_len") or (meta or {}).get("n_ctx")
    return int(found) if isinstance(found, int) and found > 0 else None


def _completed(raw: Any, prompt: str | Sequence[str]) -> Completed:
    asked = 1 if isinstance(prompt, str) else len(prompt)
    try:
        choices = sorted(raw["choices"], key=lambda c: int(c.get("index") or 0))
        said = tuple(
            Said(str(c.get("text") or ""), str(c.get("finish_reason") or ""), _logprobs(c))
            for c in choices
        )
        usage = raw.get("usage") or {}
        made = Completed(said, usage.get("prompt_tokens"), usage.get("completion_tokens"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"a completion cannot be read: {type(error).__name__}") from error
    if len(said) != asked:
        raise Refused(f"{len(said)} completions of {asked} prompts came")
    return made


def _logprobs(choice: Any) -> tuple[float | None, ...] | None:
    """OpenAI's own form, or that of its chats, which llama.cpp's server uses here too."""
    told = choice.get("logprobs")
    if not isinstance(told, dict):
        return None
    if isinstance(content := told.get("content"), list):
        return tuple(float(t["logprob"]) for t in content)
    found = told.get("token_logprobs")
    if not isinstance(found, list):
        return None
    return tuple(None if p is None else float(p) for p in found)


def _message(raw: bytes) -> str:
    """What a server says of an error: OpenAI's form, FastAPI's, or its first line."""
    try:
        told = json.loads(raw)
    except ValueError:
        told = raw.decode("utf-8", "replace")
    for key in ("error", "detail", "message"):
        if isinstance(told, dict) and key in told:
            told = told[key]
    return " ".join(str(told).split())[:MOST_WORDS]
