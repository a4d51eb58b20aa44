"""The servers that benchmarks/predict.py compares, each a process:
`servers.py KIND PORT FOLDER DTYPE [BASE TOKENS]`.

ours: the app and engine as `python -m ml_backend` runs them. per-request: as Label Studio's
examples are built: a model object for each request, which makes its `pipeline()`, and one call of
it per task. shared: kinder than those examples: the pipeline is made once, one call per task. Both
answer with the very weights and head of ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from flask import Flask, Response, jsonify, request
from safetensors.torch import load_file
from transformers import pipeline
from transformers.utils import logging

from lora.store import Store
from ml_backend.app import create_app
from ml_backend.serve import make_live
from ml_backend.wsgi import make_server
from settings import Backend, Settings, Train

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class PerRequest:
    """Label Studio's way: everything an example's model holds, made for one request."""

    def __init__(self, folder: Path, dtype: str) -> None:
        model = str(folder / "merged")
        self._encode = pipeline("feature-extraction", model=model, dtype=DTYPES[dtype], device=-1)
        self._head = load_file(folder / "merged" / "heads.safetensors")
        self._labels = json.loads((folder / "labels.json").read_text())

    def predict(self, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._answer(task["data"]["text"]) for task in tasks]

    def _answer(self, text: str) -> dict[str, Any]:
        states = self._encode(text, return_tensors=True)[0].float()
        vector = torch.nn.functional.normalize(states.sum(0), dim=0)
        logits = self._head["0.weight"] @ vector + self._head["0.bias"]
        chances = torch.softmax(logits, 0)
        best = int(chances.argmax())
        value = {"choices": [self._labels[best]]}
        region = {"from_name": "what", "to_name": "t", "type": "choices", "value": value}
        return {"result": [region], "score": float(chances[best]), "model_version": "1"}


def example_app(folder: Path, dtype: str, shared: bool) -> Flask:
    """A server as label_studio_ml runs one; `shared`: the model object is kept."""
    app = Flask("example")
    kept = PerRequest(folder, dtype) if shared else None

    @app.post("/predict")
    def predict() -> Response:
        body = request.get_json()
        model = kept or PerRequest(folder, dtype)
        return jsonify(results=model.predict(body["tasks"]), model_version="1")

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="UP", ready=True)

    return app


def main(
    kind: str, port: int, folder: Path, dtype: str, base: str = "minilm", tokens: str = "256"
) -> None:
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    own = Backend(port=port, dtype=dtype, answer_tokens=int(tokens))
    if kind != "ours":
        make_server(example_app(folder, dtype, kind == "shared"), own).run()
        return
    store = Store(folder / "store")
    live = make_live(Settings(home=folder, backend=own, train=Train(base=base)), store)
    app = create_app(own, live, _NoJobs(), lambda: [])
    live.start()
    make_server(app, own).run()


class _NoJobs:
    def enqueue(self, function: str, *args: str, job_id: str | None = None) -> str:
        raise RuntimeError("no training in a benchmark")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
