"""`annotune augment`: what became of a project's expansion, or what the next one would do."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from augment.standing import DEFAULT_SOURCES
from lora.expansions import Expansions
from lora.store import ProjectStore
from sync.challenge import is_challenger
from sync.children import run_child
from sync.log_reviews import Decision, Review, standing
from sync.loop import World

SAMPLES = 5  # children shown
SHOWN = 160  # code points of each


class NothingToExpand(Exception):
    """No round of the project has been frozen yet."""


@dataclass(frozen=True)
class Augmented:
    """A record of lora/expansions.py, or a preview of one; `gain`: what it brought, once judged."""

    project: str
    dry: bool
    record: Mapping[str, Any]
    gain: Mapping[str, float] | None = None
    review: Review | None = None
    decisions: tuple[Decision, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        told = {"project": self.project, "dry_run": self.dry, **self.record, "gain": self.gain}
        said = [asdict(d) | {"decided_at": d.decided_at.isoformat()} for d in self.decisions]
        return told | {"decisions": said}

    def lines(self) -> list[str]:
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        r = self.record
        read, policy = r["profile"], r["policy"]
        known = f"{read['right']} of {read['predicted']} read rightly by who never saw them"
        yield f"project {self.project}, snapshot {r['snapshot'][:8]}: {read['rows']} human examples"
        yield f"  {known if read['predicted'] else 'nothing that could be read out of fold'}"
        yield f"  {policy['reason']}"
        for source in DEFAULT_SOURCES:
            if source in policy["off"]:
                yield f"  without {source}: {policy['off'][source]}"
        yield from self._plan(r.get("plan") or {})
        if self.dry and r["asked"]["prompts"]:
            yield from _asked(r["asked"])
            yield from _expected(r["past"], r["plan"]["children"])
        if r.get("writer"):
            yield from _wrote(r["writer"])
        if r.get("funnel"):
            yield from _funnel(r["funnel"])
        if self.review:
            yield from self._review(self.review)
        if self.gain:
            d, e = self.gain["difference"], self.gain["error"]
            yield f"  it brought {d:+.3f} ± {e:.3f} beside the human rows alone"

    def _review(self, review: Review) -> Iterator[str]:
        said = standing(self.decisions).values()
        counts = Counter(d.said for d in said)
        told = ", ".join(f"{counts[s]} {s}" for s in ("approved", "corrected", "rejected"))
        by = ", ".join(sorted({d.who or f"user {d.author}" for d in said if d.author}))
        state = "is over" if review.closed_at else "goes on"
        yield f"  the review in project {review.review} {state}: {told}{f'; by {by}' if by else ''}"
        report = review.report or {}
        for why, count in report.get("dropped", {}).items():
            yield f"    {count} of them left out: {why}"
        for control, labels in report.get("lost", {}).items():
            for label, count in labels.items():
                what = f"{control} {label}".strip()
                yield f"    {count} without {what}, which the label config no longer has"

    def _plan(self, plan: Mapping[str, Any]) -> Iterator[str]:
        for source, of in plan.get("children", {}).items():
            if of:
                yield f"  {source}: {sum(of.values())} children of {len(of)} examples"
        for control, labels in plan.get("barren", {}).items():
            yield f"  {control}: no example yet of {', '.join(labels)}; a person's answer is needed"


def _wrote(writer: Mapping[str, Any]) -> Iterator[str]:
    """What a writer on another machine was asked, and what it took."""
    yield f"  {writer['by']} answered {writer['answered']} times, {writer['tokens']} tokens"
    for why, count in writer["left_out"].items():
        yield f"    {count} prompts left out: {why}"
    if writer["unanswered"]:
        yield f"    {writer['unanswered']} requests brought no answer; they may be charged too"
    if writer["stopped"]:
        yield f"    {writer['stopped']}; no further prompts were sent"


def _asked(asked: Mapping[str, Any]) -> Iterator[str]:
    who = f"{asked['by']} at {asked['at']}" if asked["at"] else asked["by"]
    most = f", {asked['budget']} in all" if asked["budget"] else ""
    yield (
        f"  would ask {who} {asked['prompts']} times, {asked['characters']} characters to read and "
        f"at most {asked['most_tokens']} tokens to write{most}; for instance:"
    )
    for text in asked["samples"][:1]:
        yield from (f"    | {line}" for line in text.splitlines())


def _expected(
    past: Mapping[str, Sequence[int]], planned: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    """How many of a writer's children the guard may keep, by what it kept before."""
    for source, (made, kept) in past.items():
        wanted = sum(planned[source].values())
        if wanted and not made:
            yield f"  {source}: nobody knows how many of {wanted} are kept; there is no past yet"
        elif wanted:
            yield (
                f"  {source}: about {wanted * kept / made:.0f} of {wanted} may be kept, an "
                f"estimate from {made} past candidates ({kept} kept), if each is answered"
            )


def _funnel(funnel: Mapping[str, Any]) -> Iterator[str]:
    yield f"  made {funnel['made']}, kept {funnel['kept']}"
    for step in funnel["steps"]:
        state = "" if step["state"] == "on" else f"  ({step['state']})"
        if step["refused"] or state:
            yield f"    {step['name']:12} refused {step['refused']:4} of {step['came']}{state}"
    for sample in funnel["samples"][:SAMPLES]:
        for text in sample["texts"].values():
            yield f"    {sample['transform']:12} {text[:SHOWN]!r}"


def augmented(world: World, project: str, dry: bool) -> Augmented:
    """The last expansion, or (`dry`) what one of the last human snapshot would do.

    Raises NothingToExpand, and TrainingFailed where the preview's process fails.
    """
    store = world.store.project(project)
    place = Expansions(store)
    if dry:
        return Augmented(project, True, _preview(world, store, _human(world, project)[-1], place))
    record = last_record(world, project)
    verdict = store.verdict(record["challenger"]) if record["challenger"] else None
    made_of = (record.get("review") or {}).get("made_of", record["snapshot"])
    review = world.log.review(project, made_of)
    said = tuple(world.log.decisions(project, made_of))
    return Augmented(project, False, record, (verdict or {}).get("gain"), review, said)


def last_record(world: World, project: str) -> dict[str, Any]:
    """What became of the last expansion. Raises NothingToExpand where there was none."""
    place = Expansions(world.store.project(project))
    for snapshot in reversed(_human(world, project)):
        if record := place.get(snapshot):
            return record
    raise NothingToExpand(
        f"nothing was expanded in project {project} yet; --dry-run shows what would be, and "
        "ANNOTUNE_AUGMENT_SOURCES names what to make children with"
    )


def _human(world: World, project: str) -> list[str]:
    """The snapshots of human rows alone that are still there, oldest first."""
    gone = world.store.project(project).forgotten()
    rounds = [r for r in world.log.rounds(project) if r["snapshot"] not in gone]
    human = [str(r["snapshot"]) for r in rounds if not is_challenger(r)]
    if not human:
        raise NothingToExpand(
            f"project {project} has no round yet; a round is frozen once there are "
            f"{world.settings.train.least} human answers"
        )
    return human


def _preview(world: World, store: ProjectStore, snapshot: str, place: Expansions) -> dict[str, Any]:
    own = world.settings
    with tempfile.TemporaryDirectory(dir=own.home, prefix=".augment-") as folder:
        report = Path(folder) / "preview.json"
        argv = [sys.executable, "-m", "sync.expand", "--project", store.name]
        argv += ["--snapshot", snapshot, "--past", json.dumps(place.past())]
        argv += ["--preview", str(report)]
        log = Path(folder) / "log"
        timeout_s = own.queue.timeout_s
        return run_child(argv, report, log, threads=own.train.threads, timeout_s=timeout_s)
