"""What a version says alone, loaded from the store in a process that serves nobody.

The yardstick for `mixed`: a reply of the running backend is mixed when it holds two versions, or
differs by more than TOLERANCE from what its version says here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from demo.predictor import Answer
from demo.probe import Reply
from label_config import Inputs, Region, Schema, answer_key, read_schema
from label_config.wire import read_result
from lora.answer import Answer as Said
from lora.answer import answer
from lora.base import load_base
from lora.loaded import load_cold, load_version
from lora.network import Network
from lora.store import ProjectStore

TOLERANCE = 1e-3

Alone = Callable[[str], Sequence[Said]]
"""Version name -> what that version says to the probe's texts, in order."""


def count_mixed(
    replies: Sequence[Reply], texts: Sequence[str], schema: Schema, alone: Alone
) -> int:
    """How many replies hold two versions, or say something else than their version alone."""
    return sum(_mixed(reply, texts, schema, alone) for reply in replies)


def _mixed(reply: Reply, texts: Sequence[str], schema: Schema, alone: Alone) -> bool:
    if len({a.version for a in reply.answers}) != 1:
        return True
    return any(
        not _same(got, texts[i], schema, alone(got.version)[i])
        for i, got in zip(reply.texts, reply.answers, strict=True)
    )


def _same(got: Answer, text: str, schema: Schema, said: Said) -> bool:
    read = read_result(schema, {key: text for key in schema.keys}, got.result)
    if read.dropped or abs(got.score - said.score) > TOLERANCE:
        return False
    left, right = _by_key(read.regions), _by_key(said.regions)
    return left.keys() == right.keys() and all(
        abs((left[k] or 0.0) - (right[k] or 0.0)) <= TOLERANCE for k in left
    )


def _by_key(regions: Sequence[Region]) -> Mapping[tuple[object, ...], float | None]:
    return {answer_key(r): r.score for r in regions}


def versions_alone(store: ProjectStore, config: str, base: str, texts: Sequence[str]) -> Alone:
    """Load each version asked for from the store, once, and let it answer the texts."""
    schema = read_schema(config)
    loaded_base = load_base(base, threads=1)
    network = Network(loaded_base)
    rows = [Inputs({key: text for key in schema.keys}) for text in texts]

    @cache
    def alone(version: str) -> Sequence[Said]:
        if version.startswith("cold-"):
            pool = store.pool() if version.count("-") > 1 else ()  # cold-SCHEMA-POOL
            return answer(network, load_cold(loaded_base, schema, pool), rows)
        folder = store.adapter_folder(version.partition("+")[0])
        return answer(network, load_version(loaded_base, folder, schema), rows)

    return alone
