"""`python -m tests.bucket.replica`: a model server's process without its HTTP, on a tiny base; says
in a line of JSON what it serves whenever that changes. Ends with its standard input."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from label_config import read_schema
from lora.base import Base, as_base
from lora.live import Live
from lora.opened import open_store
from lora.recipe import Source
from settings import load
from tests.lora.made import CONFIG, tiny_model, tiny_tokenizer


def tiny() -> Base:
    """The base of tests/lora: the same numbers wherever it is made."""
    tokenizer = tiny_tokenizer()
    source = Source("tiny", "annotune/tiny", Path("nowhere"))
    return as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))


def main() -> None:
    base, ended = tiny(), threading.Event()
    live = Live(open_store(load(os.environ), serves=True), lambda name: base, "tiny", poll_s=0.02)
    live.start()
    schema, last = read_schema(CONFIG), ""
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(0.02):
        named = live.version("1", schema)
        told = live.health()["projects"]["1"]
        said = json.dumps([told["version"], told["wanted"], named, told["error"]])
        if said != last:
            print(said, flush=True)
            last = said
    live.close()


if __name__ == "__main__":
    main()
