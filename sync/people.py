"""What `annotune people` says: how far people agree, whether they read what they are shown, and
what came of what they were asked to look at again.

From the log and the store; Label Studio is asked for names alone, and only where it answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sync.again import KINDS, Again
from sync.agreement import agreement
from sync.bias import by_annotator, meter
from sync.loop import World
from sync.readings import by_task, read_answers
from sync.studio_values import StudioError
from sync.tabs import TITLES
from sync.terms import terms_or_default

FIRST = 10  # doubts and labels on the screen; --json has all


@dataclass(frozen=True)
class People:
    """One project's people in figures."""

    values: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return dict(self.values)

    def lines(self) -> list[str]:
        """The same for people."""
        v = self.values
        return [
            *_agreement(v["agreement"]),
            *_meter(v["bias"]),
            *_annotators(v["annotators"]),
            *_labels(v["agreement"]["labels"]),
            *_again(v["again"]),
            *_doubts(v["doubts"]),
            *(f"warning: {w}" for w in v["bias"]["warnings"]),
            *(f"note: {p}" for p in v["problems"]),
        ]


def people(world: World, project: str) -> People:
    """The figures of one project; nothing is changed by it."""
    log, store = world.log, world.store.project(project)
    terms = terms_or_default(world.settings, log.config(project))
    readings = read_answers(log, project, terms.schema)
    answers = by_task(readings)
    found = agreement(terms.schema, answers)
    bias = meter(readings, log.rounds(project))
    names, problems = _names(world)
    doing, alike = by_annotator(readings, bias["quick"]), found.pop("annotators")
    again = Again(log, store, project, terms)
    return People(
        {
            "project": project,
            "agreement": found,
            "bias": bias,
            "annotators": [
                {"id": who, "name": names.get(who), **figures, **alike.get(who, {})}
                for who, figures in doing.items()
            ],
            "again": _tabs(world, project),
            "doubts": [asdict(d) for d in again.doubts()[1]],
            "problems": problems,
        }
    )


def _names(world: World) -> tuple[Mapping[int, str], list[str]]:
    try:
        return world.studio.people(), []
    except StudioError as down:
        return {}, [f"annotators are named by their ids: {down}"]


def _tabs(world: World, project: str) -> list[dict[str, Any]]:
    """By tab: what it shows, and what came of what it showed."""
    known, reread = world.log.tabs(project), world.log.reread(project)
    found: list[dict[str, Any]] = []
    for kind in KINDS:
        own = [r for r in reread if r.kind == kind]
        tab = known.get(kind)
        found.append(
            {
                "kind": kind,
                "title": TITLES[kind],
                "tab": tab.tab if tab else None,
                "deleted": bool(tab and tab.deleted),
                "shows": len(tab.tasks) if tab and not tab.deleted else 0,
                "reread": len(own),
                "changed": sum(r.changed for r in own),
            }
        )
    return found


# ---- for people


def _agreement(found: Mapping[str, Any]) -> list[str]:
    told = found["all"]
    if told["same"] is None:
        return ["agreement: no task has two independent answers yet"]
    sides = [
        f"{name} {_share(found[name]['same'])} ({found[name]['pairs']})"
        for name in ("blind", "shown")
        if found[name]["same"] is not None
    ]
    alphas = [f"{name} {value:.2f}" for name, value in found["alpha"].items()]
    lines = [
        f"agreement: {_share(told['same'])} over {told['pairs']} pairs of independent answers to "
        f"{told['tasks']} tasks; {', '.join(sides)}"
    ]
    return lines + ([f"Krippendorff's alpha: {', '.join(alphas)}"] if alphas else [])


def _meter(bias: Mapping[str, Any]) -> list[str]:
    shown, seconds, lines = bias["shown"], bias["seconds"], list[str]()
    if shown["answers"]:
        lines.append(
            f"shown answers: {shown['changed']} of {shown['answers']} changed "
            f"({_share(shown['rate'])}); {bias['accepted']} left as they were, which is no "
            "evidence of its own"
        )
    if bias["expected"]:
        e = bias["expected"]
        lines.append(
            f"bias: {_share(e['rate'])} changed where the same versions are wrong, on average, in "
            f"{_share(e['blind_rate'])} of the blind answers (at most {e['blind_rows']} each)"
        )
    times = [f"{name} {value:.1f} s" for name, value in seconds.items() if value is not None]
    if times:
        lines.append(f"time for an answer (median): {', '.join(times)}")
    if bias["quick"]:
        q = bias["quick"]
        lines.append(
            f"quick accepts (under {q['below']:.1f} s): {q['late']} of the last {q['of_late']} "
            f"shown answers, {q['before']} of the {q['of_before']} before"
        )
    return lines


def _annotators(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for r in rows:
        parts = [f"{r['answers']} answers", f"{r['changed']} of {r['shown']} shown ones changed"]
        parts += [f"{r['quick']} quick accepts"] if r["quick"] else []
        parts += [f"{r['seconds']:.1f} s each"] if r["seconds"] is not None else []
        if r.get("same") is not None:
            parts.append(f"agrees with others in {_share(r['same'])} of {r['pairs']} pairs")
        if r.get("reliable") is not None:
            parts.append(f"right in about {_share(r['reliable'])}")
        lines.append(f"{r['name'] or 'annotator ' + str(r['id'])}: {', '.join(parts)}")
    return lines


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"label {r['control']} {r['label']}: agreed on in {_share(r['same'])} of {r['uses']} uses"
        for r in rows[:FIRST]
    ]


def _again(tabs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for t in tabs:
        if t["tab"] is None:
            continue
        told = "deleted in Label Studio; annotune connect brings it back"
        if not t["deleted"]:
            told = f"shows {t['shows']} tasks"
        if t["reread"]:
            told += f"; of {t['reread']} looked at again {t['changed']} were changed"
        lines.append(f"tab {t['title']!r}: {told}")
    return lines


def _doubts(doubts: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"task {d['task']}, {d['control']}: a person says {' + '.join(d['given'])}, the model "
        f"{' + '.join(d['said']) or 'nothing'}"
        for d in doubts[:FIRST]
    ]


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
