"""A server as vLLM documents itself, around a tiny random base: what it takes, what it answers.

vLLM itself was not at hand. Routes, fields and messages are those of its v0.2x sources
(entrypoints/openai/completion/protocol.py, openai/models/serving.py, serve/lora/); a request with
anything else in it fails the test. Adapters are loaded by PEFT, as the plain folders they are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from peft import PeftModel

from lora.base import Base

FIELDS = {"model", "prompt", "max_tokens", "temperature", "echo", "logprobs", "stop"}
OWN = {"add_special_tokens", "structured_outputs"}


@dataclass
class Vllm:
    """What runs. `asked`: (path, body) of all requests; `down`: answers 503; `refuse`: prompts that
    hold this are refused; `hold`: completions wait for it."""

    base: Base
    likelihoods: bool = True
    off: bool = False  # its likelihoods are each of the token before
    adapters: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    down: bool = False
    refuse: str = ""
    key: str = ""
    strict: bool = True  # vLLM's own fields are asked for
    waiting: int = 0
    hold: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.hold.set()
        self._lock = threading.Lock()
        self._models: dict[str, Any] = {"tiny": self.base.model}
        self._tokens = from_tokenizer(self.base.tokenizer, n_vocab=len(self.base.tokenizer))

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        with self._lock:
            self.asked.append((path, body))
        if self.down:
            return 503, {"error": {"message": "starting up"}}
        if path == "/v1/models":
            listed = ["tiny", *self.adapters]
            return 200, {"object": "list", "data": [_card(name) for name in listed]}
        if path == "/v1/load_lora_adapter":
            return self._load(body)
        if path == "/v1/unload_lora_adapter":
            return self._unload(body)
        if path == "/v1/completions":
            return self._complete(body)
        return 404, {"detail": "Not Found"}

    def forget(self) -> None:
        """As when the server is started anew."""
        self.adapters.clear()

    def _load(self, body: Any) -> tuple[int, Any]:
        if set(body) != {"lora_name", "lora_path"}:
            self.wrong.append(f"load_lora_adapter with {sorted(body)}")
        name = body["lora_name"]
        if name in self.adapters:
            return 400, _error(f"The lora adapter '{name}' has already been loaded. If you want")
        if not (Path(body["lora_path"]) / "adapter_config.json").is_file():
            return 404, _error(f"No adapter found for {body['lora_path']}")
        with self._lock:
            self.adapters[name] = body["lora_path"]
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    def _unload(self, body: Any) -> tuple[int, Any]:
        if set(body) != {"lora_name"}:
            self.wrong.append(f"unload_lora_adapter with {sorted(body)}")
        if self.adapters.pop(body["lora_name"], None) is None:
            return 404, _error(f"The lora adapter '{body['lora_name']}' cannot be found.")
        return 200, f"Success: LoRA adapter '{body['lora_name']}' removed successfully."

    def _complete(self, body: Any) -> tuple[int, Any]:
        if odd := set(body) - FIELDS - OWN:
            self.wrong.append(f"completions with {sorted(odd)}")
        if body["temperature"] != 0 or (self.strict and body["add_special_tokens"] is not False):
            self.wrong.append("a prompt that is sampled, or gets a second beginning")
        if body["model"] != "tiny" and body["model"] not in self.adapters:
            return 404, _error(f"The model `{body['model']}` does not exist.")
        prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
        if self.refuse and any(self.refuse in p for p in prompts):
            return 400, _error(f"no: {prompts[0]}")
        self.waiting += 1
        self.hold.wait(30)
        self.waiting -= 1
        with self._lock:
            model = self._model(body["model"])
            made = [self._one(model, i, p, body) for i, p in enumerate(prompts)]
        usage = {
            "prompt_tokens": sum(m.pop("read") for m in made),
            "completion_tokens": sum(m.pop("made") for m in made),
        }
        return 200, {"object": "text_completion", "choices": made[::-1], "usage": usage}

    def _model(self, name: str) -> Any:
        if name not in self._models:
            from lora.network import share

            model = PeftModel.from_pretrained(share(self.base.model), self.adapters[name]).eval()
            self._models[name] = model
        return self._models[name]

    def _one(self, model: Any, index: int, prompt: str, body: Any) -> dict[str, Any]:
        tokenizer = self.base.tokenizer
        read = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        ids, matcher, why = list(read), None, "length"
        if grammar := body.get("structured_outputs", {}).get("grammar"):
            lark = LLMatcher.grammar_from_lark(grammar)
            matcher = LLMatcher(self._tokens, lark, log_level=0)
            if matcher.is_error():
                return {"index": index, "read": len(read), "made": 0, "text": "", "why": "error"}
        table = _logprobs(model, ids)
        told: list[float | None] = [None, *(float(table[i, t]) for i, t in enumerate(ids[1:]))]
        for _ in range(body["max_tokens"]):
            row = table[-1]
            if matcher is not None:
                allowed = torch.tensor(list(matcher.compute_bitmask()), dtype=torch.uint8)
                bits = torch.tensor([bool(allowed[i // 8] >> (i % 8) & 1) for i in range(len(row))])
                row = row.masked_fill(~bits, -torch.inf)
            token = int(row.argmax())
            ids.append(token)
            told.append(float(table[-1, token]))
            if token == tokenizer.eos_token_id:
                why = "stop"
                break
            if matcher is not None and not matcher.consume_token(token):
                break
            table = _logprobs(model, ids)
        if self.off:
            told = [*told[1 : len(read)], told[1], *told[len(read) :]]
        text = tokenizer.decode(ids[len(read) :], skip_special_tokens=True)
        first = 0 if body.get("echo") else len(read)
        echoed = prompt if body.get("echo") else ""
        logprobs = None
        if body.get("logprobs") is not None and (self.likelihoods or not echoed):
            logprobs = {"token_logprobs": told[first:], "tokens": [], "text_offset": []}
        return {
            "index": index,
            "text": echoed + text,
            "finish_reason": why,
            "logprobs": logprobs,
            "read": len(read),
            "made": len(ids) - len(read),
        }


def _logprobs(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
    return torch.log_softmax(found, dim=-1)


def _card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": 512}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}


@contextmanager
def running(server: Vllm) -> Iterator[Vllm]:
    """Served on a port of this machine; what it was asked wrongly fails the test."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(*server.answer(self.path, None))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(*server.answer(self.path, body))

        def _send(self, status: int, found: Any) -> None:
            if server.key and self.headers.get("Authorization") != f"Bearer {server.key}":
                status, found = 401, {"error": "Unauthorized"}
            data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        http.shutdown()
        thread.join()
        http.server_close()
    assert not server.wrong
