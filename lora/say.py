"""`python -m lora.say`: what one version says to many rows, and how right it is.

A process of its own: sync's replay asks here and stays free of torch.

The rows come as a snapshot's JSON: its holdout is judged, its train rows are answered only.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from label_config.controls import InvalidValue
from label_config.schema import read_schema
from label_config.snapshot_json import region_to_dict, snapshot_from_json
from label_config.values import Snapshot
from lora.errors import LoraError
from lora.opened import store_at
from lora.store import ProjectStore, write_atomic

log = logging.getLogger(__name__)

CHUNK = 64  # rows that are answered together


def run(
    store: ProjectStore,
    rows: Snapshot,
    version: str | None,
    base_name: str,
    *,
    threads: int,
    quantize: str = "",
    serve: str = "auto",
    dtype: str = "auto",
) -> dict[str, Any]:
    """`version` None: the cold start, with the store's pool. Returns `scores` of the judged rows
    and `said`: by id of the others their regions, how sure the version is of them, and of an
    encoder the vector of their first text, as base64 of float16.

    Raises LoraError, InvalidValue.
    """
    from lora.base import load_base, pick_device
    from lora.judge import answering, judge
    from lora.loaded import open_version, ready
    from lora.networks import network_of
    from lora.weights import pick_mode

    base = load_base(base_name, threads=threads, device=pick_device("auto"), quantize=quantize)
    schema = read_schema(rows.config, urls=True).served_by(base.kind)
    network = network_of(base, pick_mode(base, serve, dtype))
    opened = open_version(network, store.adapter_folder(version)) if version else None
    loaded = ready(network, opened, schema, () if version else store.pool())
    found = judge(network, loaded, rows.holdout)
    answer, others = answering(network), sorted(rows.train, key=lambda e: len(str(e.texts)))
    said: dict[str, Any] = {}
    for first in range(0, len(others), CHUNK):
        some = others[first : first + CHUNK]
        for e, a in zip(some, answer(loaded, [e.inputs for e in some]), strict=True):
            said[e.id] = {"regions": [region_to_dict(r) for r in a.regions], "score": a.score}
            if a.vector:
                said[e.id]["vector"] = base64.b64encode(a.vector).decode()
    return {"scores": {k: found[k] for k in ("mean", "controls")}, "said": said}


def command(
    store: Path, project: str, rows: Path, version: str | None, base: str, report: Path
) -> list[str]:
    """The command line of this process, but for how the base is held."""
    argv = [sys.executable, "-m", "lora.say", "--store", str(store), "--project", project]
    argv += ["--rows", str(rows), "--base", base, "--report", str(report)]
    return argv + (["--version", version] if version else [])


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: the report is written. 2: it cannot be, as the last line says."""
    parser = argparse.ArgumentParser(prog="python -m lora.say", description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="root folder of the store")
    parser.add_argument("--project", required=True, help="the project's id")
    parser.add_argument("--rows", type=Path, required=True, help="a snapshot's JSON")
    parser.add_argument("--version", help="who answers; absent: the cold start")
    parser.add_argument("--base", required=True, help="the base that the version sits on")
    parser.add_argument("--report", type=Path, required=True, help="file for what was said")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--quantize", default="", help="settings.Backend.quantize")
    parser.add_argument("--serve", default="auto", help="settings.Backend.serve")
    parser.add_argument("--dtype", default="auto", help="settings.Backend.dtype")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    how = {"serve": given.serve, "dtype": given.dtype, "quantize": given.quantize}
    try:
        rows = snapshot_from_json(given.rows.read_text(encoding="utf-8", errors="surrogatepass"))
        store = store_at(given.store).project(given.project)
        found = run(store, rows, given.version, given.base, threads=given.threads, **how)
    except (LoraError, InvalidValue, ValueError, OSError) as error:
        log.error("%s", error)
        return 2
    write_atomic(given.report, json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
