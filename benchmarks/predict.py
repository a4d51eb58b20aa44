"""`make bench-predict`: what a prediction costs, against raw transformers and an example server.

All contestants answer the same rows with the same weights in the same run, one repeat of each in
turn. Rows: SNIPS and CUAD train texts, clipped to one window. `--quick` is a smoke test only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import report
from benchmarks.made import adapter_of, commit, config_of, free_port, heads_of, texts_of
from label_config import Inputs, Task, read_schema
from lora.answer import answer
from lora.base import Base, load_base
from lora.engine import LaneSettings
from lora.export import export
from lora.live import Live
from lora.loaded import open_version, ready
from lora.network import Network, cast
from lora.store import Store
from lora.weights import Mode, pick_mode

RAW_BATCH = 32
CLIENTS = (1, 8, 32)
LABELS = (7, 77, 150)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def raw_forward(base: Base, model: Any, texts: Sequence[str]) -> torch.Tensor:
    """transformers as one would write it: batches padded to their longest, like lengths together,
    pooled to unit vectors."""
    tokenizer = base.tokenizer
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = torch.zeros(len(texts), base.hidden)
    for i in range(0, len(order), RAW_BATCH):
        rows = order[i : i + RAW_BATCH]
        inputs = tokenizer(
            [texts[k] for k in rows], padding=True, truncation=True, max_length=256,
            return_tensors="pt",
        )  # fmt: skip
        states = model(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"].unsqueeze(-1)
        found[rows] = torch.nn.functional.normalize((states * mask).sum(1), dim=-1)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return found


def engine_alone(base: Base, mode: Mode, texts: Sequence[str], repeats: int) -> dict[str, Any]:
    """Seconds for all rows: raw forward of the base and of the adapter merged by hand, and our
    engine without an adapter, merged and unmerged."""
    tensors = adapter_of(base, 1)
    merged, beside = Network(base, mode), Network(base, Mode(False, mode.dtype))
    off = Network(base, mode)
    for network, weights in ((merged, tensors), (beside, tensors), (off, {})):
        network.activate("on", weights)
    plain = cast(base.model, mode.dtype)
    rows = [False] * len(texts)
    cases: dict[str, Callable[[], object]] = {
        "raw transformers": lambda: raw_forward(base, plain, texts),
        "ours, no adapter": lambda: off.encode(texts, rows),
        "ours, merged": lambda: merged.encode(texts, rows),
        "ours, unmerged": lambda: beside.encode(texts, rows),
    }
    want = raw_forward(base, plain, texts)
    have = torch.stack([e.vector for e in off.encode(texts, rows)])
    seconds = report.interleaved(cases, repeats)
    raw = seconds["raw transformers"]
    return {
        "rows": len(texts),
        "dtype": str(mode.dtype).removeprefix("torch."),
        "least_cosine_to_raw": round(float((want * have).sum(-1).min()), 5),
        "rows_per_s": {
            n: report.middle([len(texts) / s for s in v], 1) for n, v in seconds.items()
        },
        "speed_over_raw": {n: report.ratio(raw, v) for n, v in seconds.items()},
        "merged_over_base": report.ratio(seconds["ours, merged"], seconds["ours, no adapter"]),
        "unmerged_over_base": report.ratio(seconds["ours, unmerged"], seconds["ours, no adapter"]),
    }


def _rates(rows: int, seconds: Sequence[float]) -> dict[str, float]:
    return report.middle([rows / s for s in seconds], 1)


def whole_engine(
    base: Base, store: Store, mode: Mode, texts: Sequence[str], repeats: int, words: str
) -> dict[str, Any]:
    """Live.predict of all rows at once, heads and regions included, over the raw forward."""
    config = config_of(7, 39)
    commit(store.project("engine"), base, config, 5)
    schema = read_schema(config)
    tasks = [Task(i, "engine", {"text": t}) for i, t in enumerate(texts)]
    lane = LaneSettings(serve="merged", dtype=words)
    live = Live(store, lambda name: base, base.name, poll_s=0.1, lane=lane)
    live.start()
    try:
        plain = cast(base.model, mode.dtype)
        seconds = report.interleaved(
            {
                "raw": lambda: raw_forward(base, plain, texts),
                "ours": lambda: live.predict("engine", schema, tasks, bulk=True),
            },
            repeats,
        )
    finally:
        live.close()
    return {
        "speed_over_raw": report.ratio(seconds["raw"], seconds["ours"]),
        "rows_per_s": report.middle([len(texts) / s for s in seconds["ours"]], 1),
    }


def label_counts(
    base: Base, store: Store, mode: Mode, texts: Sequence[str], repeats: int
) -> dict[str, Any]:
    """Seconds of `answer` with 7, 77 and 150 labels: one row at a time, and 64 at once."""
    network = Network(base, mode)
    found: dict[str, Any] = {}
    for kind in ("choices", "spans"):
        cases: dict[str, Callable[[], object]] = {}
        for count in LABELS:
            config = config_of(**{"choices": 0, kind: count})
            project = store.project(f"{kind}{count}")
            version = commit(project, base, config, count)
            opened = open_version(network, project.adapter_folder(version))
            loaded = ready(network, opened, read_schema(config))
            rows = [Inputs({"text": t}) for t in texts[:64]]
            cases[f"{count} one"] = (
                lambda x=loaded, r=rows: [  # type: ignore[misc]
                    answer(network, x, [row]) for row in r[:16]
                ]
            )
            cases[f"{count} many"] = lambda x=loaded, r=rows: answer(network, x, r)  # type: ignore[misc]
        seconds = report.interleaved(cases, repeats)
        for size in ("one", "many"):
            found[f"{kind}, {size} at a time"] = {
                f"{count} over 7": report.ratio(seconds[f"{count} {size}"], seconds[f"7 {size}"])
                for count in LABELS[1:]
            }
    return found


@contextmanager
def server(kind: str, folder: Path, dtype: str, *of_ours: str) -> Iterator[httpx.Client]:
    """A server process and a client; both are gone afterwards. `of_ours`: its base and the tokens
    of an answer, where they are not the usual ones."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("servers.py"))]
    process = subprocess.Popen(
        [*command, kind, str(port), str(folder), dtype, *of_ours], stderr=subprocess.DEVNULL
    )
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=300, trust_env=False, limits=limits) as client:
            _until_ready(client)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _until_ready(client: httpx.Client) -> None:
    for _ in range(3000):
        try:
            if client.get("/health").json().get("ready"):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("a server did not come up within five minutes")


def ask(client: httpx.Client, config: str, texts: Sequence[str]) -> list[str]:
    """One /predict; returns the choices."""
    tasks = [{"id": i, "data": {"text": t}} for i, t in enumerate(texts)]
    body = {"tasks": tasks, "project": "http.1", "label_config": config}
    answer = client.post("/predict", json=body)
    answer.raise_for_status()
    return [r["result"][0]["value"]["choices"][0] for r in answer.json()["results"]]


def over_http(folder: Path, config: str, dtype: str, texts: Sequence[str], quick: bool) -> Any:
    """Requests of 1, 25 and 1000 tasks to each server, in turn; and ours under many clients."""
    plans = {1: (3 if quick else 60), 25: (2 if quick else 7), 1000: (1 if quick else 3)}
    found: dict[str, Any] = {"tasks_per_request": {}}
    with (
        server("ours", folder, dtype) as ours,
        server("per-request", folder, dtype) as fresh,
        server("shared", folder, dtype) as shared,
    ):
        for size, repeats in plans.items():
            some = [texts[i % len(texts)] for i in range(100 if quick and size > 100 else size)]
            said = [ask(c, config, some) for c in (ours, fresh, shared)]
            agree = min(
                sum(a == b for a, b in zip(said[0], other, strict=True)) / len(some)
                for other in said[1:]
            )
            seconds = report.interleaved(
                {
                    "ours": lambda s=some: ask(ours, config, s),  # type: ignore[misc]
                    "per-request": lambda s=some: ask(fresh, config, s),  # type: ignore[misc]
                    "shared": lambda s=some: ask(shared, config, s),  # type: ignore[misc]
                },
                repeats,
            )
            found["tasks_per_request"][str(size)] = {
                "same_answers": round(agree, 3),
                "seconds": {n: report.middle(v) for n, v in seconds.items()},
                "times_faster_than_per_request": report.ratio(
                    seconds["per-request"], seconds["ours"]
                ),
                "times_faster_than_shared": report.ratio(seconds["shared"], seconds["ours"]),
            }
        for clients in CLIENTS:
            found.setdefault("clients", {})[str(clients)] = crowd(
                ours, config, texts, clients, 2 if quick else 15
            )
    return found


def crowd(
    client: httpx.Client, config: str, texts: Sequence[str], clients: int, seconds: float
) -> dict[str, float]:
    """Latency in ms of one-task requests of so many clients, each asking without a pause."""
    took: list[float] = []
    end = time.monotonic() + seconds

    def one(k: int) -> None:
        i = k
        while time.monotonic() < end:
            began = time.perf_counter()
            ask(client, config, [texts[i % len(texts)]])
            took.append(1000 * (time.perf_counter() - began))
            i += clients

    threads = [threading.Thread(target=one, args=(k,)) for k in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "p50_ms": round(report.centile(took, 0.5), 1),
        "p99_ms": round(report.centile(took, 0.99), 1),
        "requests_per_s": round(len(took) / seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test, not a measurement")
    parser.add_argument("--dtype", default="auto", help="auto, float32 or bfloat16")
    given = parser.parse_args()
    base = load_base("minilm", threads=1)
    mode = pick_mode(base, "merged", given.dtype)
    words = str(mode.dtype).removeprefix("torch.")
    short = texts_of("snips", 96 if given.quick else 1000)
    long = texts_of("cuad_clauses", 16 if given.quick else 200)
    repeats = 3 if given.quick else 9
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder / "store")
        config = config_of(7)
        schema = read_schema(config)
        heads = heads_of(base, schema, 1)
        version = commit(store.project("http"), base, config, 1, heads)
        export(store.project("http"), version, folder / "merged", merged=True)
        labels = json.dumps([f"intent {i}" for i in range(7)])
        (folder / "labels.json").write_text(labels)
        result: dict[str, Any] = {"quick": given.quick, "dtype": words}
        result["engine"] = {
            "snips": engine_alone(base, mode, short, repeats),
            "cuad": engine_alone(base, mode, long, repeats),
        }
        result["engine_with_heads"] = whole_engine(base, store, mode, short, repeats, words)
        result["labels"] = label_counts(base, store, mode, short, repeats)
        result["http"] = over_http(folder, config, words, short, given.quick)
    report.write("predict-quick" if given.quick else "predict", result, tables(result))


def tables(result: dict[str, Any]) -> str:
    """The Markdown of a result."""
    rows: list[list[object]] = []
    for data, found in result["engine"].items():
        for name, speed in found["rows_per_s"].items():
            over = found["speed_over_raw"][name]
            rows.append([data, name, speed["median"], _spread(over)])
    whole = result["engine_with_heads"]
    rows.append(["snips", "ours, 46 labels answered", whole["rows_per_s"]["median"],
                 _spread(whole["speed_over_raw"])])  # fmt: skip
    parts = [report.table(["rows", "engine alone", "rows/s", "speed over raw"], rows)]
    sizes = [
        [size, x["seconds"]["ours"]["median"], _spread(x["times_faster_than_per_request"]),
         _spread(x["times_faster_than_shared"]), x["same_answers"]]
        for size, x in result["http"]["tasks_per_request"].items()
    ]  # fmt: skip
    head = ["tasks a request", "ours, s", "x per-request", "x one pipeline kept", "same answers"]
    parts.append(report.table(head, sizes))
    clients = [
        [n, x["p50_ms"], x["p99_ms"], x["requests_per_s"]]
        for n, x in result["http"]["clients"].items()
    ]
    parts.append(report.table(["clients", "p50 ms", "p99 ms", "requests/s"], clients))
    labels = [
        [kind, *(_spread(x) for x in found.values())] for kind, found in result["labels"].items()
    ]
    parts.append(report.table(["labels", "77 over 7", "150 over 7"], labels))
    merged = [
        [d, _spread(x["merged_over_base"]), _spread(x["unmerged_over_base"])]
        for d, x in result["engine"].items()
    ]
    parts.append(report.table(["time over no adapter", "merged", "unmerged"], merged))
    return "\n\n".join(parts)


def _spread(found: dict[str, float]) -> str:
    return f"{found['median']} ({found['least']}-{found['most']})"


if __name__ == "__main__":
    main()
