"""What a replay runs over: rows to ask for, rows to judge on, and the label config.

From a folder of JSONL, as `make demo` reads it, or from a connected project's log, whose blind
answers judge: nothing that the loop learned from, or chose by, is among these.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import statistics
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr  # nosec B406  # only quotes

from label_config.snapshot_json import snapshot_to_json
from label_config.values import Choice, Example, Region, Side, Snapshot, Span
from settings import Settings
from sync.freeze import freeze
from sync.log import Log
from sync.terms import read_terms

LABEL, SPANS, TEXT = "label", "spans", "text"
CONFIG = "config.xml"
PART = 0.2  # of the rows judge where a folder has no test file
MOST_JUDGED = 1000
DRAWN = 7  # seed of what is drawn once, whatever the seed of a run


class NothingToReplay(Exception):
    """What was named cannot be replayed; the message says what came and what would do."""


@dataclass(frozen=True)
class Rows:
    """`ask`: people's answers to give one by one; `judge`: the others; `beside`: by an answer's id
    the texts that experts typed with it; `lead_s`: median seconds of an answer, None where nobody
    measured it; `left_out`: what was not taken, by reason."""

    name: str
    config: str
    ask: tuple[Example, ...]
    judge: tuple[Example, ...]
    beside: Mapping[str, tuple[Example, ...]]
    lead_s: float | None
    left_out: Mapping[str, int]

    @property
    def digest(self) -> str:
        """Hex SHA-256 of all that a replay's outcome depends on here."""
        beside = tuple(e for some in self.beside.values() for e in some)
        whole = Snapshot("replay", self.config, (*self.ask, *self.judge, *beside))
        return hashlib.sha256(snapshot_to_json(whole).encode("utf-8", "surrogatepass")).hexdigest()


def from_log(log: Log, settings: Settings, project: str) -> Rows:
    """A connected project's answers; raises NothingToReplay where there are none to judge on."""
    config = log.config(project)
    if not config:
        raise NothingToReplay(f"project {project} was never pulled; run: annotune once {project}")
    snapshot, report = freeze(log, project, read_terms(settings, config))
    if not snapshot.holdout:
        raise NothingToReplay(
            f"project {project} has no blind answers to judge on; annotate more tasks (one in "
            "ANNOTUNE_BLIND_FIRST_IN is blind) and let sync hear of them"
        )
    human = tuple(e for e in snapshot.train if e.origin.kind == "human")
    beside: dict[str, tuple[Example, ...]] = {}
    for e in snapshot.train:
        if e.origin.parent is not None:
            beside[e.origin.parent] = (*beside.get(e.origin.parent, ()), e)
    times = [a.lead_time for a in log.current_annotations(project) if a.lead_time]
    lead = statistics.median(times) if times else None
    out = dict(report.left_out)
    return Rows(f"project {project}", config, human, snapshot.holdout, beside, lead, out)


def from_folder(folder: Path, judged: int = MOST_JUDGED) -> Rows:
    """`train` and, if there is one, `test` as .jsonl or .jsonl.gz; a row is {"text", "label",
    "spans"} with code-point offsets. Without a test file a fifth of the rows judges. A config.xml
    beside them may say more of the labels (hints, aliases); else it is made of their names.
    `judged`: rows that judge, at most.

    Raises NothingToReplay.
    """
    raw = list(_read(folder, "train"))
    tested = [r for r in _read(folder, "test")] if _file(folder, "test") else []
    if not tested:
        random.Random(DRAWN).shuffle(raw)  # nosec B311  # drawn again from a seed
        cut = int(PART * len(raw))
        tested, raw = raw[:cut], raw[cut:]
    seen = {_normal(r[TEXT]) for r in tested}
    kept = [r for r in raw if _normal(r[TEXT]) not in seen]
    random.Random(DRAWN).shuffle(tested)  # nosec B311  # drawn again from a seed
    path = folder / CONFIG
    config = path.read_text(encoding="utf-8") if path.is_file() else write_config([*raw, *tested])
    ask, judge = examples(kept, "train"), examples(tested[:judged], "holdout")
    left_out = {"its text is in the test file": len(raw) - len(kept)}
    named = folder.resolve().name
    return Rows(named, config, ask, judge, {}, None, {k: v for k, v in left_out.items() if v})


def examples(rows: Sequence[Mapping[str, Any]], side: Side) -> tuple[Example, ...]:
    """Rows of a folder as examples, each a group of its own until it is dealt out."""
    first = 0 if side == "train" else 1_000_000_000  # ids of tasks
    return tuple(
        Example(f"{side}-{i}", first + i, f"{side}-{i}", side, {TEXT: r[TEXT]}, tuple(_answers(r)))
        for i, r in enumerate(rows)
    )


def _answers(row: Mapping[str, Any]) -> Iterator[Region]:
    if row.get(LABEL) is not None:
        yield Choice(LABEL, TEXT, (row[LABEL],))
    for s in row.get(SPANS) or ():
        a, b = s["start"], s["end"]
        yield Span(SPANS, TEXT, a, b, row[TEXT][a:b], (s["label"],))


def write_config(rows: Sequence[Mapping[str, Any]]) -> str:
    """A label config of the labels' names alone."""
    labels = sorted({r[LABEL] for r in rows if r.get(LABEL) is not None})
    kinds = sorted({s["label"] for r in rows for s in r.get(SPANS) or ()})
    parts = [f'<Text name="{TEXT}" value="$text"/>']
    for tag, child, name, values in (
        ("Choices", "Choice", LABEL, labels),
        ("Labels", "Label", SPANS, kinds),
    ):
        inside = "".join(f"<{child} value={quoteattr(value)}/>" for value in values)
        parts += [f'<{tag} name="{name}" toName="{TEXT}">{inside}</{tag}>'] if values else []
    return f"<View>{''.join(parts)}</View>"


def _file(folder: Path, name: str) -> Path | None:
    found = (folder / f"{name}{end}" for end in (".jsonl", ".jsonl.gz"))
    return next((path for path in found if path.is_file()), None)


def _read(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    path = _file(folder, name)
    if path is None:
        raise NothingToReplay(f"{folder} holds no {name}.jsonl and no {name}.jsonl.gz")
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise NothingToReplay(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _checked(path, number, line)


def _checked(path: Path, number: int, line: str) -> dict[str, Any]:
    """One row. Raises NothingToReplay, with the place and what is wrong."""
    where = f"{path}:{number}"
    try:
        row: dict[str, Any] = json.loads(line)
        text, label, spans = row[TEXT], row.get(LABEL), row.get(SPANS) or []
        right = isinstance(text, str) and isinstance(label, (str, type(None)))
        right = right and all(isinstance(s["label"], str) for s in spans)
        right = right and all(0 <= s["start"] < s["end"] <= len(text) for s in spans)
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise NothingToReplay(f'{where} is no {{"text", "label", "spans"}} row') from error
    if not right:
        raise NothingToReplay(
            f"{where}: text and label must be strings, spans lie within the text of {len(text)}"
        )
    return row


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def at_most(rows: Rows, most: int, seed: int) -> tuple[Example, ...]:
    """The rows to ask for of one run: all, or so many drawn by its seed."""
    if len(rows.ask) <= most:
        return rows.ask
    return tuple(random.Random(f"{seed} rows").sample(rows.ask, most))  # nosec B311  # drawn again from a seed


def dealt(ask: Sequence[Example], project: str, share: float) -> tuple[Example, ...]:
    """The rows with groups of near-duplicates and the blind side drawn as sync draws them."""
    from sync.groups import Groups

    groups, made = Groups(project, share), list[Example]()
    for e in ask:
        place = groups.place(e.task, "\n".join(e.texts.values()))
        side: Side = "holdout" if place.blind else "train"
        made.append(replace(e, group=place.group, side=side))
    return tuple(made)
