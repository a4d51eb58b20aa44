"""`make bench-swap`: two adapters that answer differently everywhere, swapped every second.

A server process is asked over HTTP without a pause; CURRENT moves every second in stretches that
alternate with steady ones, so both are measured in the same run. Each answer is compared with what
its version answers alone: its choices depend on the encoder's weights, its spans on the heads.
`--minutes N` of swapping (default 10); `--quick` is a smoke test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import report
from benchmarks.made import commit, config_of, texts_of
from benchmarks.predict import server
from label_config import Inputs, Schema, read_schema
from label_config.wire import write_result
from lora.answer import answer
from lora.base import Base, load_base
from lora.forms import form_of
from lora.heads import Head
from lora.loaded import open_version, ready
from lora.network import Network
from lora.store import ProjectStore, Store
from lora.weights import Mode, pick_mode

PROJECT = "swap"
THREADS = 4
TASKS = 8  # of one request
NEAR = 0.1  # scores alone and in a batch differ by rounding in half precision

Said = tuple[tuple[tuple[str, str, int, int], ...], float]
"""Regions of one task, and the score of its choice."""


@dataclass
class Seen:
    """What the clients saw, by kind of stretch."""

    took: dict[str, list[float]] = field(default_factory=lambda: {"steady": [], "swapping": []})
    versions: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)


def heads_of(base: Base, schema: Schema, side: int) -> dict[str, Head]:
    """Heads whose choices lie in one half of the labels, and whose spans carry one label."""
    draw = torch.Generator().manual_seed(side)
    heads: dict[str, Head] = {}
    for c in schema.controls:
        shape, rows = form_of(c).shapes(c, base.hidden)
        weight, bias = torch.zeros(shape), torch.full(rows, -30.0)
        if c.form == "spans":
            bias[2 * side] = 5.0
        else:
            half = rows[0] // 2
            weight[side * half : (side + 1) * half] = 15 * torch.randn(
                half, base.hidden, generator=draw
            )
            bias[side * half : (side + 1) * half] = 0.0
        heads[c.name] = Head(c, weight, bias, True)
    return heads


def offline(
    base: Base, mode: Mode, project: ProjectStore, version: str, schema: Schema, texts: list[str]
) -> dict[str, Said]:
    """What a version answers by itself, of texts whose answer rounding cannot change."""
    network = Network(base, mode)
    loaded = ready(network, open_version(network, project.adapter_folder(version)), schema)
    rows = [Inputs({"text": t}) for t in texts]
    together = answer(network, loaded, rows)
    found: dict[str, Said] = {}
    for text, row, many in zip(texts, rows, together, strict=True):
        (one,) = answer(network, loaded, [row])
        a, b = (read(write_result(schema, 0, x.regions, {"text": text})) for x in (one, many))
        if a[0] == b[0] and abs(a[1] - b[1]) < NEAR / 3 and a[1] > 0.6:
            found[text] = a
    return found


def read(result: Sequence[dict[str, Any]]) -> Said:
    regions = []
    score = 0.0
    for r in result:
        v = r["value"]
        label = (v.get("choices") or v.get("labels"))[0]
        regions.append((r["from_name"], label, v.get("start", 0), v.get("end", 0)))
        score = r["score"] if "choices" in v else score
    return tuple(sorted(regions)), score


def ask(
    client: httpx.Client, config: str, texts: list[str], want: dict[str, dict[str, Said]],
    seen: Seen, stretch: str,
) -> None:  # fmt: skip
    tasks = [{"id": i, "data": {"text": t}} for i, t in enumerate(texts)]
    body = {"tasks": tasks, "project": f"{PROJECT}.1", "label_config": config}
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
    for text, r in zip(texts, results, strict=True):
        (regions, score), (have, sure) = want[version][text], read(r["result"])
        if regions != have or abs(score - sure) > NEAR:
            seen.mixed.append(f"{version} answered otherwise: {score:.3f} against {sure:.3f}")


def run(folder: Path, minutes: float, stretch_s: float, dtype: str) -> dict[str, Any]:
    base = load_base("minilm", threads=1)
    mode = pick_mode(base, "merged", dtype)
    words = str(mode.dtype).removeprefix("torch.")
    project = Store(folder / "store").project(PROJECT)
    config = config_of(8, 2)
    schema = read_schema(config)
    versions = [
        commit(project, base, config, k, heads_of(base, schema, k), size=2.0) for k in (0, 1)
    ]
    texts = texts_of("snips", 300)
    alone = {v: offline(base, mode, project, v, schema, texts) for v in versions}
    texts = [t for t in texts if all(t in found for found in alone.values())]
    same = [t for t in texts if set(alone[versions[0]][t][0]) & set(alone[versions[1]][t][0])]
    assert len(texts) >= TASKS and not same, "the two adapters must differ in every region"
    seen = Seen()
    stretch = ["steady"]
    done = threading.Event()
    with server("ours", folder, words) as client:
        for i in range(4):
            ask(client, config, texts[i * TASKS : (i + 1) * TASKS], alone, Seen(), "steady")

        def load(k: int) -> None:
            i = k
            while not done.is_set():
                at = (i * TASKS) % (len(texts) - TASKS + 1)
                ask(client, config, texts[at : at + TASKS], alone, seen, stretch[0])
                i += THREADS

        threads = [threading.Thread(target=load, args=(k,)) for k in range(THREADS)]
        for thread in threads:
            thread.start()
        swaps = stretches(project, versions, stretch, minutes, stretch_s)
        done.set()
        for thread in threads:
            thread.join()
    return summary(seen, swaps, words, len(texts))


def stretches(
    project: ProjectStore, versions: list[str], stretch: list[str], minutes: float, stretch_s: float
) -> int:
    """Alternate steady and swapping stretches until `minutes` were swapping; returns the swaps."""
    swaps, swapped_s = 0, 0.0
    while swapped_s < 60 * minutes:
        stretch[0] = "steady"
        time.sleep(stretch_s)
        stretch[0] = "swapping"
        end = time.monotonic() + stretch_s
        while time.monotonic() < end:
            now = project.current().version
            project.move_current(now, versions[now == versions[0]], "benchmark", "")
            swaps += 1
            time.sleep(1.0)
        swapped_s += stretch_s
    return swaps


def summary(seen: Seen, swaps: int, dtype: str, texts: int) -> dict[str, Any]:
    latency = {
        kind: {
            "requests": len(took),
            "p50_ms": round(report.centile(took, 0.5), 1),
            "p99_ms": round(report.centile(took, 0.99), 1),
        }
        for kind, took in seen.took.items()
    }
    return {
        "dtype": dtype,
        "swaps": swaps,
        "texts": texts,
        "tasks_a_request": TASKS,
        "clients": THREADS,
        "answered_by": dict(seen.versions),
        "failed": len(seen.failed),
        "mixed": len(seen.mixed),
        "examples": [*seen.failed[:3], *seen.mixed[:3]],
        "latency": latency,
        "p99_over_steady": round(latency["swapping"]["p99_ms"] / latency["steady"]["p99_ms"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test, not a measurement")
    parser.add_argument("--minutes", type=float, default=10.0, help="minutes of swapping")
    parser.add_argument("--dtype", default="auto", help="auto, float32 or bfloat16")
    given = parser.parse_args()
    minutes, stretch_s = (0.2, 6.0) if given.quick else (given.minutes, 30.0)
    with tempfile.TemporaryDirectory() as name:
        result = run(Path(name), minutes, stretch_s, given.dtype)
    rows = [
        [kind, x["requests"], x["p50_ms"], x["p99_ms"]] for kind, x in result["latency"].items()
    ]
    table = report.table(["stretch", "requests", "p50 ms", "p99 ms"], rows)
    line = (
        f"{result['swaps']} swaps: {result['failed']} failed, {result['mixed']} mixed, "
        f"p99 x {result['p99_over_steady']} of steady"
    )
    report.write("swap-quick" if given.quick else "swap", result, f"{table}\n\n{line}")


if __name__ == "__main__":
    main()
