"""The base model and what computes it. Loaded in a process of its own: what breaks there is told,
and what hangs there is ended.

`python -m sync.doctor.base NAME QUANTIZE` prints what it found as one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess  # nosec B404  # lists, no shell
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from settings import Settings
from sync.doctor.finding import Finding, ok, problem, warning

WITHIN_S = 120.0


def base(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """There, of the pinned weights, loads; and whether GPU and bitsandbytes are what is asked."""
    own = settings.train
    four = own.quantize or settings.backend.quantize
    remote = "remote" if settings.backend.engine_url else ""
    argv = [sys.executable, "-m", "sync.doctor.base", own.base, four, remote]
    env = {**environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    try:
        done = subprocess.run(  # nosec B603  # a list of our own words
            argv, env=env, capture_output=True, text=True, timeout=WITHIN_S - 5, check=False
        )
        told = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        fix = "is the disk slow, or the machine busy? then start annotune without doctor"
        yield problem("base", f"{own.base} is not loaded after {WITHIN_S - 5:.0f} s", fix, 3)
        return
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1][:200]
        fix = "annotune needs torch and transformers: pip install -c constraints.txt ."
        yield problem("base", f"its process ended with {done.returncode}: {last}", fix, 2)
        return
    yield from tell(settings, told)


def tell(settings: Settings, told: Mapping[str, Any]) -> Iterator[Finding]:
    """What was found, against what the settings ask for."""
    own = settings.train
    if told.get("error"):
        fix = "set ANNOTUNE_TRAIN_BASE to minilm, a folder with safetensors, or org/name@commit"
        yield problem("base", str(told["error"]), fix, 3)
    else:
        seen = f"{own.base}, {told['kind']}, SHA-256 or commit {told['revision'][:12]}..., loads"
        yield ok("base", f"{seen} in {told['seconds']:.1f} s", 3)
    gpu = told.get("gpu") or {}
    if gpu.get("name"):
        seen = f"{gpu['name']}, {gpu['mb']:,} MB, CUDA {gpu['cuda']}"
        if own.device == "cpu":
            fix = "set ANNOTUNE_TRAIN_DEVICE=auto"
            yield warning("gpu", f"{seen}, but ANNOTUNE_TRAIN_DEVICE=cpu", fix)
        else:
            yield ok("gpu", seen)
    elif own.device == "cuda":
        fix = "install the driver and a CUDA build of torch, or set ANNOTUNE_TRAIN_DEVICE=auto"
        yield problem("gpu", f"none that torch sees ({gpu.get('why')}); cuda is asked for", fix)
    else:
        yield ok("gpu", f"none ({gpu.get('why')}): trained and served on the CPU")
    four = own.quantize or settings.backend.quantize
    bits = str(told.get("bitsandbytes") or "")
    if bits.startswith("error"):
        if four:
            fix = (
                "pip install -c constraints.txt bitsandbytes, or leave the _QUANTIZE settings empty"
            )
            yield problem("bitsandbytes", f"{bits}; {four} is asked for", fix)
        else:
            yield ok("bitsandbytes", f"{bits}; nothing asks for it")
    else:
        yield ok("bitsandbytes", bits if four else f"{bits}; nothing asks for it")


def look(name: str, quantize: str, remote: bool) -> dict[str, Any]:
    """Load a base and ask torch for its devices; in the process of its own."""
    from time import monotonic

    import torch

    from lora.base import load_base, load_reader
    from lora.errors import LoraError
    from lora.recipe import kind_of

    told: dict[str, Any] = {"gpu": _gpu(torch), "bitsandbytes": _bits()}
    began = monotonic()
    try:
        causal = kind_of(name) == "causal"
        four = quantize if quantize and causal else ""
        found = load_reader(name) if remote and causal else load_base(name, quantize=four)
    except LoraError as error:
        return {**told, "error": str(error)}
    seconds = monotonic() - began
    return {**told, "kind": found.kind, "revision": found.revision, "seconds": seconds}


def _gpu(torch: Any) -> dict[str, Any]:
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info(0)
        name = str(torch.cuda.get_device_name(0))
        return {"name": name, "mb": total // 1_000_000, "cuda": str(torch.version.cuda)}
    why = "torch is a CPU build" if torch.version.cuda is None else "no device, or no driver"
    return {"why": why}


def _bits() -> str:
    try:
        import bitsandbytes
    except Exception as error:  # whatever its native part does on this machine is the finding
        said = (str(error).splitlines() or [""])[0][:120]
        return f"error: {type(error).__name__} {said}"
    return f"bitsandbytes {bitsandbytes.__version__}"


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a doctor fetches nothing
    print(json.dumps(look(sys.argv[1], sys.argv[2], bool(sys.argv[3]))))
