"""`python -m sync.expand`: one snapshot's human rows get children, and with them a challenger.

The process in which rows, models and the pure rooms of `augment/` meet. It writes one record into
the store (lora/expansions.py), last and whole; killed, it is run again and asks no writer twice.
The human-only candidate never waits for it: that one is trained and judged before.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from augment.aim import Plan, aim
from augment.expand import Candidates, Rows, make, questions
from augment.gains import Gain
from augment.guard.fit import fit_thresholds
from augment.guard.guard import Passed, guard
from augment.guard.values import Context, Judges
from augment.guard.vectors import row_vectors
from augment.policy import Policy, Situation, decide
from augment.profile import Profile, profile
from augment.prompts import guidance_of
from augment.standing import GENERATORS, Source
from augment.values import Made, Vectors
from label_config.controls import InvalidValue
from label_config.schema import read_schema
from label_config.snapshot_json import region_to_dict
from label_config.values import Example, Snapshot
from lora.crossfit import CrossFit, Embedder, crossfit
from lora.errors import LoraError
from lora.expansions import GAVE_WAY, Expansions, Interrupted, Kept
from lora.opened import open_store
from lora.paid import Paid
from lora.place import SNAPSHOTS
from lora.recipe import kind_of
from lora.store import ProjectStore, write_atomic
from settings import Settings, load
from sync.terms import read_terms
from sync.writers import follows_messages, writer_of

log = logging.getLogger(__name__)

JUDGES = "minilm"
"""The encoder that embeds and judges where the project's own base writes."""
SAMPLES = 3  # prompts that a preview shows


def run(
    store: ProjectStore,
    snapshot: str,
    settings: Settings,
    *,
    past: Sequence[Gain] = (),
    regulated: bool = False,
    go_on: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Expand, write the record and return it. `settings`: the project's own terms; `past`: what
    earlier expansions brought; `go_on`: False once something matters more.

    Raises Interrupted, LoraError, InvalidValue.
    """
    began = time.monotonic()
    frozen, place = store.snapshot(snapshot), Expansions(store)
    work = _Work(frozen, settings, regulated, tuple(past))
    policy, plan = work.policy, work.plan
    record: dict[str, Any] = {
        "snapshot": snapshot,
        "policy": asdict(policy),
        "profile": work.profile.to_dict(),
        "challenger": None,
        "kept": [],
    }
    if plan.total:
        writer = work.writer(place, snapshot, go_on)
        candidates = make(plan, work.rows, writer, writer.name if writer else None)
        passed = work.guarded(candidates)
        children = [work.child(m) for m in passed.kept]
        if children and not policy.review:
            rows = (*frozen.examples, *children)
            challenger = Snapshot(frozen.project, frozen.config, rows, frozen.pool)
            record["challenger"] = store.put_snapshot(challenger, clean=True)
        record |= {
            "plan": {"children": plan.children, "why": plan.why, "barren": plan.barren},
            "missing": candidates.missing,
            "writer": writer.report() if isinstance(writer, Paid) else None,
            "prompts": {k: p.text for k, p in candidates.asked.items()},
            "funnel": passed.funnel.to_dict(),
            "kept": [_shown(e) for e in children],
            "experts_first": [_shown(work.child(m)) for m in passed.experts_first],
        }
    record["seconds"] = round(time.monotonic() - began, 1)
    place.put(snapshot, record)
    return record


def preview(
    store: ProjectStore,
    snapshot: str,
    settings: Settings,
    *,
    past: Sequence[Gain] = (),
    regulated: bool = False,
) -> dict[str, Any]:
    """What `run` would do, with nothing asked of a writer and nothing written: the plan, what
    writers would be asked, how many of their children were made and kept in the `past`, and the
    funnel of what needs no writer."""
    work = _Work(store.snapshot(snapshot), settings, regulated, tuple(past))
    asked = questions(work.plan, work.rows)
    drawn = {s: of for s, of in work.plan.children.items() if s not in GENERATORS}
    passed = work.guarded(make(replace(work.plan, children=drawn), work.rows))
    tried = Expansions(store).tried()
    return {
        "snapshot": snapshot,
        "policy": asdict(work.policy),
        "profile": work.profile.to_dict(),
        "plan": {"children": work.plan.children, "why": work.plan.why, "barren": work.plan.barren},
        "asked": {
            "by": settings.augment.generator,
            "at": settings.augment.generator_url,
            "budget": settings.augment.generator_tokens if settings.augment.generator_url else 0,
            "prompts": len(asked),
            "characters": sum(len(q.prompt.text) for q in asked),
            "most_tokens": sum(q.prompt.most_tokens for q in asked),
            "samples": [q.prompt.text for q in asked[:SAMPLES]],
        },
        "past": {s: tried.get(s, (0, 0)) for s in work.plan.children if s in GENERATORS},
        "funnel": passed.funnel.to_dict() if drawn else None,
    }


def _shown(child: Example) -> dict[str, Any]:
    shown = {"id": child.id, "texts": dict(child.texts), "origin": asdict(child.origin)}
    return shown | {"answers": [region_to_dict(r) for r in child.answers]}


class _Work:
    """One expansion: what is known of the rows, what is decided, what is made and kept."""

    def __init__(
        self, frozen: Snapshot, settings: Settings, regulated: bool, past: tuple[Gain, ...]
    ) -> None:
        from lora.base import load_base  # here: whoever only reads records needs no torch

        self._frozen, self._settings = frozen, settings
        self.schema = read_schema(frozen.config, urls=True).served_by(kind_of(settings.train.base))
        self.human = [e for e in frozen.train if e.origin.kind == "human"]
        self.parents: Mapping[str, Example] = {e.id: e for e in self.human}
        own = settings.train.base
        encoder = own if kind_of(own) == "encoder" else JUDGES
        self._embed = Embedder(load_base(encoder, threads=settings.train.threads))
        self._seed = settings.train.seed
        rows = self.schema, self.human, frozen.pool, self._seed
        self._judged: CrossFit = crossfit(self._embed, *rows)
        out = self._judged.out_of_fold
        self.profile: Profile = profile(self.human, self.schema, out, frozen.pool)
        self.policy: Policy = decide(self._situation(regulated, past))
        self.plan = self._plan()
        said = guidance_of(self.human)
        chat = follows_messages(settings.augment)
        self.rows = Rows(self.human, self.schema, self.profile, self._seed, said, chat)

    def _situation(self, regulated: bool, past: tuple[Gain, ...]) -> Situation:
        own = self._settings.augment
        return Situation(
            size=len(self.human),
            accuracy=self.profile.accuracy,
            lower=self.profile.lower,
            regulated=regulated,
            budget=own.budget or None,
            target=self._settings.gate.target,
            pool=len(self._frozen.pool),
            past=past,
            generator=bool(own.generator),
            review=own.review,
            sources=sources_of(self._settings),
        )

    def _plan(self) -> Plan:
        """By need; what the pool lends is borrowed in every training, and is no child."""
        making: list[Source] = [s for s in self.policy.sources if s != "pool"]
        if not self.policy.expands or not making:
            return Plan({})
        return aim(
            self.human,
            self.schema,
            self.policy.children(len(self.human)),
            making,
            self._judged.out_of_fold,
            self._seed,
            only_errors=self.policy.only_errors,
        )

    def writer(
        self, place: Expansions, snapshot: str, go_on: Callable[[], bool]
    ) -> Kept | Paid | None:
        """Who writes; None where nothing is to be written."""
        if not GENERATORS & self.plan.children.keys():
            return None
        return writer_of(self._settings, place, snapshot, go_on)

    def child(self, made: Made) -> Example:
        return made.as_example(self.parents[made.parent], self.policy.weight)

    def guarded(self, candidates: Candidates) -> Passed:
        judged = Judges(self._judged.fold, self._judged.judges)
        texts = [e.texts for e in self.human]
        bars = fit_thresholds(
            self.schema,
            self.human,
            self._frozen.pool,
            row_vectors(self._vectors, texts),
            judges=judged,
            seed=self._seed,
        )
        context = Context(
            self.schema,
            tuple(self.human),
            holdout=tuple(e.texts for e in self._frozen.holdout),
            pool=self._frozen.pool,
            embed=self._vectors,
            judges=judged,
        )
        return guard(candidates.made, context, bars)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts).astype(np.float32)


def sources_of(settings: Settings) -> tuple[Source, ...] | None:
    """The sources that ops ask for; None: those that measurably help (augment/standing.py)."""
    asked = tuple(s.strip() for s in settings.augment.sources.split(",") if s.strip())
    return asked or None  # type: ignore[return-value]  # Situation refuses what is no source


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: the record is written, or it gave way to something else. 2: it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m sync.expand", description=__doc__)
    parser.add_argument("--project", required=True, help="the project's id")
    parser.add_argument("--snapshot", required=True, help="hash of the human snapshot")
    parser.add_argument("--past", default="[]", help="gains of earlier rounds as JSON")
    parser.add_argument("--preview", type=Path, help="write here what would be done; do nothing")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings = load(os.environ)
    store = open_store(settings, worker=True).project(given.project)
    try:
        terms = read_terms(settings, store.snapshot(given.snapshot).config)
        past = [Gain(**raw) for raw in json.loads(given.past)]
        known: dict[str, Any] = {"past": past, "regulated": terms.regulated}
        if given.preview:
            told = preview(store, given.snapshot, terms.settings, **known)
            write_atomic(given.preview, json.dumps(told, ensure_ascii=False))
            return 0
        go_on = partial(_first, store, given.snapshot)
        with Expansions(store).expanding() as free:
            if not free:
                log.info("another expansion of project %s is at work", given.project)
                return 0
            if not go_on():
                raise Interrupted(GAVE_WAY)
            record = run(store, given.snapshot, terms.settings, **known, go_on=go_on)
    except Interrupted as reason:
        log.info("%s", reason)
        return 0
    except (LoraError, InvalidValue, ValueError, FileNotFoundError) as error:
        log.error("%s", error)
        return 2
    log.info("%s; %d children kept", record["policy"]["reason"], len(record["kept"]))
    return 0


def _first(store: ProjectStore, snapshot: str) -> bool:
    """Whether nothing matters more: no other snapshot was frozen after this one, whose training
    would, and nothing is to be forgotten, of which no writer shall hear."""
    if store.wishes():
        return False
    return store.place.is_last(SNAPSHOTS, snapshot)


if __name__ == "__main__":
    sys.exit(main())
