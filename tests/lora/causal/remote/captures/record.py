"""Writes llama_cpp_python.json anew: what a running llama-cpp-python server says of our requests.

pip install "llama-cpp-python[server]==0.3.36"
python -m llama_cpp.server --model SmolLM2-135M-Instruct.Q4_1.gguf --logits_all true --port 8000
python -m tests.lora.causal.remote.captures.record http://127.0.0.1:8000
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lora.base import load_reader
from lora.causal.remote.client import Server
from lora.causal.remote.engine import start_remote
from lora.engine import LaneSettings
from tests.lora.causal.remote.recorded import ASK, HERE, cold_of


def main(url: str, out: Path = HERE) -> None:
    made: list[dict[str, Any]] = []
    server = Server(url, kind="llama-cpp-python")
    engine = start_remote(load_reader("smollm"), LaneSettings(answer_s=300), server)
    client = engine.answerer.client
    plain = client._once

    def call(method: str, path: str, body: Any, timeout_s: float) -> bytes:
        answer = plain(method, path, body, timeout_s)
        made.append({"path": path, "body": body, "answer": json.loads(answer)})
        return answer

    client._once = call  # type: ignore[method-assign]
    (model,) = client.models()
    engine.answerer._score(cold_of(model, engine.base), ASK)
    engine.lane.close()
    told = {"likelihoods": engine.report()["likelihoods"], "grammar": engine.report()["grammar"]}
    kept = [call for call in made if call["path"] == "/v1/completions"]
    for call in kept:
        logprobs = call["answer"]["choices"][0]["logprobs"]
        call["answer"]["choices"][0]["logprobs"] = {"token_logprobs": logprobs["token_logprobs"]}
    text = json.dumps({"model": model, "found": told, "calls": kept}, indent=1, ensure_ascii=False)
    out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
