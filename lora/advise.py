"""Encoder or causal? Facts of a project and a machine in, advice with its reasons out. Pure.

The figures were measured with the bundled bases on two CPU cores; beside each stands the file of
benchmarks/results that it is from. `annotune compare` measures a project's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from label_config.controls import BaseKind, Form

CAUSAL_TEXT = 7168  # code points of a task that a causal base reads: room_for(CONTEXT).text
LONG_LISTS = 50  # labels from which their number is worth a word
CHOSEN: frozenset[Form] = frozenset({"one", "many"})
SILENT: frozenset[Form] = frozenset({"spans", "ordinal", "number", "pair"})
"""What an encoder cannot say before the first training."""

QUALITY = (
    "of seven intents MiniLM (22 M weights) got .953 right after 100 answers and .864 before any, "
    "SmolLM2-135M .937 and .786"
)
"""causal.json, snips, n 100 and 0, `encoder` and `causal`: 300 test rows, three seeds."""
PACE = (
    "without a GPU a choice took MiniLM 2 ms and SmolLM2-135M 65 to 78, a training on 100 answers "
    "27 s and 389 s"
)
"""predict.json, engine, snips, `ours, merged` (440 rows/s); causal.jsonl, snips, cpu_s: `answer` of
300 rows with n 0 and 100, `fit` with n 100, of both bases."""
WRITES = (
    "what is written comes token by token, without a GPU 58 ms each from SmolLM2-135M, 11 where "
    "eight are under way"
)
"""The first in no results file, but in ../shared/reference/models.md (one thread, bf16);
causal-speed.json, decoding, batch 8, `ours` (87.2 tokens/s, the prompts' time included)."""
SPANS = (
    "an encoder marks spans in the pass that reads the text, without a GPU 3 ms for MiniLM; a "
    "causal base writes them token by token, 58 ms each for SmolLM2-135M"
)
"""predict.json, engine_with_heads (331.9 rows/s with 7 intents and 39 slots); as WRITES."""
LISTS = (
    "77 labels take a causal base 1.7 times as long as 7, before its first adapter 3 times, an "
    "encoder no longer"
)
"""causal-speed.json, taught, ratios; predict.json, labels, 77 over 7 (.99 to 1.10)."""


@dataclass(frozen=True)
class Machine:
    """What was found: cores, free MB of memory, whether bf16 is fast on the processor, and a CUDA
    device by name ("": none) with its MB."""

    cores: int
    memory_mb: int
    bf16: bool
    gpu: str = ""
    gpu_mb: int = 0

    def words(self) -> str:
        gpu = f"{self.gpu} with {_gb(self.gpu_mb)}" if self.gpu else "no CUDA device"
        bf16 = "fast bf16" if self.bf16 else "no fast bf16"
        return f"{self.cores} cores with {bf16}, {_gb(self.memory_mb)} of memory free, {gpu}"


@dataclass(frozen=True)
class Facts:
    """What the advice goes by. `forms`: of each control by name, as the config asks; `labels`: of
    the control with the most; `answers`: people's so far, `text`: the median task's code points,
    `longest`: the longest one's that was looked at (None: not known); `bases`: those that ops
    allow, by kind."""

    forms: Mapping[str, Form]
    machine: Machine
    labels: int = 0
    answers: int | None = None
    text: int | None = None
    longest: int | None = None
    bases: Mapping[BaseKind, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Advice:
    """The kind of base to take (None: there is nothing to predict) and one of that kind that may be
    had; why, what it costs, what would speak for the other, and what to do next."""

    kind: BaseKind | None
    base: str = ""
    because: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    next: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The same for people."""
        if self.kind is None:
            return ["recommended: no base; nothing in this config is predicted"]
        named = f"a{'n' if self.kind == 'encoder' else ''} {self.kind} base"
        found = [f"recommended: {named}{f' ({self.base})' if self.base else ''}"]
        for word in ("because", "costs", "unless", "next"):
            found += [f"    {word}: {line}" for line in getattr(self, word)]
        return found


def advise(facts: Facts) -> Advice:
    """An encoder where nothing has to be written, else a causal base, which alone can."""
    if not facts.forms:
        return Advice(None)
    written = [name for name, form in facts.forms.items() if form == "text"]
    rest = [name for name in facts.forms if name not in written]
    if not written:
        return _with_base(facts, "encoder", _for_encoder(facts), (), _unless(facts, rest))
    if not rest:
        because = (f"only a causal base writes {_and(written)}",)
        return _with_base(facts, "causal", because, _costs(facts, rest), ())
    because = (f"only a causal base serves all of it: it writes {_and(written)}",)
    other = (
        f"people can write {_and(written)} alone: an encoder serves {_and(rest)} better and faster",
    )
    return _with_base(facts, "causal", because, _costs(facts, rest), other)


def _for_encoder(facts: Facts) -> tuple[str, ...]:
    found = ["nothing has to be written"]
    forms = set(facts.forms.values())
    if forms & CHOSEN:
        found += [QUALITY] if facts.machine.gpu else [QUALITY, PACE]
    if "spans" in forms and not facts.machine.gpu:
        found.append(SPANS)
    if facts.labels >= LONG_LISTS:
        found.append(f"there are {facts.labels} labels: {LISTS}")
    if _cut(facts):
        found.append(f"{_long(facts)}; an encoder reads all of them, window by window")
    return tuple(found)


def _costs(facts: Facts, rest: Sequence[str]) -> tuple[str, ...]:
    """What a causal base takes, and what it does worse."""
    found: list[str] = []
    if any(facts.forms[name] in CHOSEN for name in rest):
        found.append(f"choices may get worse: {QUALITY}")
    if any(facts.forms[name] == "spans" for name in rest):
        found.append("spans: what a causal base makes of them has not been measured here")
    if not facts.machine.gpu:
        found += [PACE, WRITES] if rest else [WRITES]
        if not facts.machine.bf16:
            found.append("no fast bf16: it is held and computed in float32, twice the memory")
    if facts.labels >= LONG_LISTS:
        found.append(f"there are {facts.labels} labels: {LISTS}")
    if _cut(facts):
        found.append(f"{_long(facts)}; it is not shown the middle of longer ones, but for spans")
    return tuple(found)


def _unless(facts: Facts, rest: Sequence[str]) -> tuple[str, ...]:
    """What speaks for a causal base though nothing has to be written."""
    found: list[str] = []
    silent = [name for name in rest if facts.forms[name] in SILENT]
    if silent and not facts.answers:
        found.append(
            f"{_and(silent)} must be answered before the first training, when an encoder is silent"
        )
    if facts.machine.gpu:
        found.append(
            f"a larger causal base that {facts.machine.gpu} has room for is better; none was "
            "measured here"
        )
    return tuple(found)


def _with_base(
    facts: Facts,
    kind: BaseKind,
    because: tuple[str, ...],
    costs: tuple[str, ...],
    unless: tuple[str, ...],
) -> Advice:
    """The first base of the kind that ops allow; else how they would."""
    own = {k: list(names) for k, names in facts.bases.items()}
    bundled: dict[BaseKind, str] = {"encoder": "minilm", "causal": "smollm"}
    todo: list[str] = []
    base = next(iter(own.get(kind, ())), "")
    if not base:
        todo.append(
            f"ops allow no {kind} base here: ANNOTUNE_TRAIN_BASES={bundled[kind]} would, then "
            f'annotune-base="{bundled[kind]}" on the root <View>'
        )
    elif own.get("encoder") and own.get("causal") and set(facts.forms.values()) != {"text"}:
        both = f"{own['encoder'][0]},{own['causal'][0]}"
        todo.append(f"annotune compare PROJECT --bases {both} measures both on your answers")
    return Advice(kind, base, because, costs, unless, tuple(todo))


def _cut(facts: Facts) -> bool:
    return facts.longest is not None and facts.longest > CAUSAL_TEXT


def _long(facts: Facts) -> str:
    return (
        f"texts have up to {facts.longest:,} code points (half of them {facts.text:,} or more), "
        f"and a causal base reads {CAUSAL_TEXT:,} of a task"
    )


def _and(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def _gb(mb: int) -> str:
    return f"{mb / 1000:.1f} GB"
