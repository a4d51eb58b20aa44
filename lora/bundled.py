"""Bases that come as a GGUF file: turned once into the safetensors that transformers reads fast.

Reading a GGUF takes 20 seconds and a package of its own, reading safetensors one second. So the
first load writes a folder into a cache on this machine, named by the GGUF's SHA-256, and every
later one, of any process, reads that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lora.recipe import Source

CACHE = "ANNOTUNE_CACHE"
FORM = "1"  # raised when the conversion changes, so that an old folder is not taken for a new one


def cache_folder() -> Path:
    """Where converted bases lie: $ANNOTUNE_CACHE/bases, else under ~/.cache/annotune."""
    return Path(os.environ.get(CACHE) or Path.home() / ".cache" / "annotune") / "bases"


def converted(source: Source) -> Source:
    """The source as a folder of safetensors: itself, or its place in the cache, filled if need be.

    Its weights have been checked against the pin by the caller. Raises what transformers raises
    where the file cannot be read, and OSError where the cache cannot be written.
    """
    if not source.gguf:
        return source
    weights = source.weights[0]
    target = cache_folder() / f"{source.pinned or source.digest()}-{FORM}"
    if not target.is_dir():
        with _alone(target):
            if not target.is_dir():
                _convert(weights, target)
    return replace(source, folder=target, gguf="")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One process at a time converts; the kernel frees the lock of one that dies."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _convert(weights: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place = {"gguf_file": weights.name, "local_files_only": True, "trust_remote_code": False}
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=".converting-"))
    try:
        tokenizer = AutoTokenizer.from_pretrained(weights.parent, **place)  # nosec B615  # a local folder
        model = AutoModelForCausalLM.from_pretrained(  # nosec B615  # a local folder
            weights.parent,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),  # else it refuses to be saved
            **place,
        )
        model.to(torch.bfloat16).save_pretrained(staging)
        tokenizer.save_pretrained(staging)
        os.replace(staging, target)  # complete or not there at all
    finally:
        shutil.rmtree(staging, ignore_errors=True)
