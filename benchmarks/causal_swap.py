"""`make bench-causal_swap`: as benchmarks/swap.py, of texts and spans that a causal base writes.

Two adapters of a base that write something else everywhere are swapped every second, in stretches
that alternate with steady ones; clients ask over HTTP without a pause. Each answer must be, word by
word, what the version it names writes alone: in float32, since rounding in half precision turns a
word now and then. `--minutes N` of swapping (default 5); `--quick` is a smoke test.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import report
from benchmarks.made import commit, texts_of
from benchmarks.predict import server
from benchmarks.swap import PROJECT, Seen, stretches, summary
from label_config import Inputs, Schema, read_schema
from label_config.wire import write_result
from lora.base import Base, load_base
from lora.causal.answer import Answerer, Limits
from lora.causal.network import CausalNetwork
from lora.loaded import open_version, ready
from lora.store import ProjectStore, Store
from lora.weights import pick_mode

DTYPE = "float32"
CONFIG = (
    '<View><Text name="t" value="$text"/><Labels name="parts" toName="t"><Label value="thing"/>'
    '<Label value="place"/></Labels><TextArea name="note" toName="t"/></View>'
)
CLIENTS, TASKS, TOKENS, TEXTS = 4, 2, 16, 6

Said = tuple[tuple[str, str], ...]
"""Of each region of a task its control and value."""


def read(result: Sequence[dict[str, Any]]) -> Said:
    return tuple((r["from_name"], json.dumps(r["value"], sort_keys=True)) for r in result)


def offline(
    base: Base, project: ProjectStore, version: str, schema: Schema, texts: list[str]
) -> dict[str, Said]:
    """What a version writes by itself, of texts that it writes alike in company."""
    network = CausalNetwork(base, pick_mode(base, "auto", DTYPE))
    loaded = ready(network, open_version(network, project.adapter_folder(version)), schema)
    answerer = Answerer(network, Limits(TOKENS, 600))
    found: dict[str, Said] = {}
    for text, many in zip(
        texts, answerer.answer(loaded, [Inputs({"text": t}) for t in texts]), strict=True
    ):
        (one,) = answerer.answer(loaded, [Inputs({"text": text})])
        a, b = (read(write_result(schema, 0, x.regions, {"text": text})) for x in (one, many))
        if a == b and "\\u0000" not in str(a):  # a text that no database keeps is not sent
            found[text] = a
    return found


def ask(
    client: httpx.Client, texts: list[str], want: dict[str, dict[str, Said]], seen: Seen,
    stretch: str,
) -> None:  # fmt: skip
    tasks = [{"id": i, "data": {"text": t}} for i, t in enumerate(texts)]
    body = {"tasks": tasks, "project": f"{PROJECT}.1", "label_config": CONFIG}
    began = time.perf_counter()
    try:
        answer = client.post("/predict", json=body)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        seen.failed.append(repr(error)[:200])
        return
    seen.took[stretch].append(1000 * (time.perf_counter() - began))
    results = answer.json()["results"]
    versions = {r["model_version"] for r in results}
    if len(versions) != 1 or len(results) != len(texts):
        seen.mixed.append(f"versions {sorted(versions)}")
        return
    version = versions.pop()
    seen.versions[version] += 1
    if any(read(r["result"]) != want[version][t] for t, r in zip(texts, results, strict=True)):
        seen.mixed.append(f"{version} wrote otherwise than alone")


def run(folder: Path, name: str, minutes: float, stretch_s: float) -> dict[str, Any]:
    base = load_base(name, threads=1)
    project = Store(folder / "store").project(PROJECT)
    schema = read_schema(CONFIG)
    versions = [commit(project, base, CONFIG, k, size=1.0) for k in (0, 1)]
    texts = texts_of("snips", TEXTS)
    alone = {v: offline(base, project, v, schema, texts) for v in versions}
    texts = [t for t in texts if all(t in found for found in alone.values())]
    same = [t for t in texts if alone[versions[0]][t] == alone[versions[1]][t]]
    assert len(texts) > TASKS and not same, "the two adapters must differ in every text"
    seen, stretch, done = Seen(), ["steady"], threading.Event()
    with server("ours", folder, DTYPE, name, str(TOKENS)) as client:
        ask(client, texts[:TASKS], alone, Seen(), "steady")

        def load(k: int) -> None:
            i = k
            while not done.is_set():
                some = [texts[(i + j) % len(texts)] for j in range(TASKS)]
                ask(client, some, alone, seen, stretch[0])
                i += 1

        threads = [threading.Thread(target=load, args=(k,)) for k in range(CLIENTS)]
        for thread in threads:
            thread.start()
        swaps = stretches(project, versions, stretch, minutes, stretch_s)
        done.set()
        for thread in threads:
            thread.join()
    if not all(seen.took.values()):
        raise SystemExit(f"no answer came within a stretch of {stretch_s:.0f} s: {seen.failed[:3]}")
    own = {"clients": CLIENTS, "tasks_a_request": TASKS, "tokens_of_an_answer": TOKENS}
    return {"base": name, **summary(seen, swaps, DTYPE, len(texts)), **own}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test, not a measurement")
    parser.add_argument("--minutes", type=float, default=5.0, help="minutes of swapping")
    parser.add_argument("--base", default="smollm")
    given = parser.parse_args()
    minutes, stretch_s = (0.2, 6.0) if given.quick else (given.minutes, 15.0)
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), given.base, minutes, stretch_s)
    rows = [
        [kind, x["requests"], x["p50_ms"], x["p99_ms"]] for kind, x in result["latency"].items()
    ]
    table = report.table(["stretch", "requests", "p50 ms", "p99 ms"], rows)
    line = (
        f"{result['swaps']} swaps: {result['failed']} failed, {result['mixed']} mixed, "
        f"p99 x {result['p99_over_steady']} of steady"
    )
    name = "causal-swap-quick" if given.quick else "causal-swap"
    report.write(name, result, f"{table}\n\n{line}")


if __name__ == "__main__":
    main()
