"""`python -m sync.doubt`: which of a snapshot's answers would a model not have given that never saw
them? In a process of its own, since it needs torch; cut off, it is run again.

Train rows alone: a blind answer that was looked at again because a model disagrees with it would
judge that model too kindly.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from label_config.controls import InvalidValue
from label_config.schema import read_schema
from lora.base import load_base
from lora.crossfit import Embedder
from lora.doubts import Doubts
from lora.errors import LoraError
from lora.mislabelled import doubts
from lora.opened import open_store
from lora.recipe import kind_of
from lora.store import ProjectStore
from settings import Settings, load
from sync.terms import read_terms

log = logging.getLogger(__name__)

JUDGES = "minilm"
"""The encoder that judges where the project's own base writes."""
MOST = 10_000  # rows, the latest answers; some minutes on one core


def run(store: ProjectStore, snapshot: str, settings: Settings) -> int:
    """Write the doubts of a snapshot into the store; returns how many.

    Raises LoraError, InvalidValue, FileNotFoundError.
    """
    frozen = store.snapshot(snapshot)
    own = settings.train.base
    schema = read_schema(frozen.config, urls=True).served_by(kind_of(own))
    human = [e for e in frozen.train if e.origin.kind == "human"]
    human = sorted(human, key=lambda e: e.origin.annotation or 0)[-MOST:]
    base = load_base(own if kind_of(own) == "encoder" else JUDGES, threads=settings.train.threads)
    found = doubts(Embedder(base), schema, human, frozen.pool, settings.train.seed)
    Doubts(store).put(snapshot, found)
    return len(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: written, or left to another process that is at it. 2: it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m sync.doubt", description=__doc__)
    parser.add_argument("--project", required=True, help="the project's id")
    parser.add_argument("--snapshot", required=True, help="hash of the human snapshot")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings = load(os.environ)
    store = open_store(settings, worker=True).project(given.project)
    try:
        with Doubts(store).looking() as free:
            if not free:
                log.info("another process looks for doubts in this project")
                return 0
            terms = read_terms(settings, store.snapshot(given.snapshot).config)
            count = run(store, given.snapshot, terms.settings)
    except (LoraError, InvalidValue, ValueError, FileNotFoundError) as error:
        log.error("%s", error)
        return 2
    log.info("a model disagrees with %d answers of snapshot %s", count, given.snapshot[:8])
    return 0


if __name__ == "__main__":
    sys.exit(main())
