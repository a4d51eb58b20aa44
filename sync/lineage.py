"""What ops read of a project's versions: the table, one version whole, two side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from label_config import InvalidConfig, Schema, read_schema
from lora.adapter import Manifest
from lora.card import CARD
from lora.lineage import read_lineage
from lora.scores import CONTESTANTS
from lora.store import ProjectStore
from sync.operate import known_version

DIFFERENT_ROWS = "their scores are of different blind rows, so they do not compare"


class Became:
    """What became of the versions of one store, read once."""

    def __init__(self, store: ProjectStore) -> None:
        waiting = store.waiting()
        self.moves = store.moves()
        self._current = store.current().version
        self._waiting = waiting.version if waiting else None
        self._broken, self._withdrawn = store.quarantined(), store.withdrawn()
        self._served = store.served()

    def state(self, version: str) -> str:
        """Of one version, in three words at most."""
        if version == self._current:
            return "does not load" if version in self._broken else "serving"
        if version in self._broken:
            return "quarantined"
        if version == self._waiting:
            return "waiting"
        if version in self._withdrawn:
            return "rolled back"
        return "replaced" if version in self._served else "kept back"


def versions(store: ProjectStore) -> list[dict[str, Any]]:
    """Every complete version, oldest first, with its scores and what became of it."""
    became = Became(store)
    gone = [
        {
            "version": name,
            "state": "retired",
            "reason": f"it learned from what was forgotten {at[:10]}",
        }
        for name, at in store.retired().items()
    ]
    return [*gone, *(_describe(store, m, became) for m in store.versions())]


def _describe(store: ProjectStore, m: Manifest, became: Became) -> dict[str, Any]:
    verdict = _verdict(store, m)
    served = [move.moved_at for move in became.moves if move.version == m.version]
    return {
        "version": m.version,
        "state": became.state(m.version),
        "parent": m.parent,
        "labels": m.labels,
        "blind_labels": m.scores.get("holdout"),
        "holdout": _mean(m, "candidate"),
        "scores": {who: _mean(m, who) for who in CONTESTANTS if m.scores.get(who)},
        "reason": verdict.get("reason"),
        "created_at": m.created_at,
        "served_since": served[-1] if served else None,
        "snapshot": m.recipe.snapshot,
    }


def _verdict(store: ProjectStore, m: Manifest) -> Mapping[str, Any]:
    """The last verdict on this very version; another one of the same snapshot has its own."""
    found = store.verdict(m.recipe.snapshot) or {}
    return found if found.get("version", m.version) == m.version else {}


def _mean(m: Manifest, who: str) -> float | None:
    found: float | None = (m.scores.get(who) or {}).get("mean")
    return found


def shown(store: ProjectStore, version: str) -> tuple[dict[str, Any], list[str]]:
    """One version for programs, and for people: what became of it, then its card. Raises
    NoSuchVersion."""
    known_version(store, version)
    manifest = next(m for m in store.versions() if m.version == version)
    became = Became(store)
    moves = [vars(m) for m in became.moves if version in (m.version, m.previous)]
    card = store.adapter_folder(version) / CARD
    text = card.read_text(encoding="utf-8") if card.exists() else "(it has no card)"
    quarantine = store.quarantined().get(version)
    facts = {
        **_describe(store, manifest, became),
        "recipe": vars(manifest.recipe) | {"id": manifest.recipe.id},
        "verdict": dict(_verdict(store, manifest)),
        "quarantine": quarantine,
        "moves": moves,
        "lineage": read_lineage(store, version),
        "card": text,
    }
    lines = [f"{version}: {facts['state']}"]
    lines += [f"  it does not load: {quarantine}"] if quarantine else []
    lines += [
        f"  {m['moved_at'][:19]}Z {m['by']}: {m['what']}, {m['previous'] or 'the cold start'} -> "
        f"{m['version'] or 'the cold start'}: {m['why']}"
        for m in moves
    ]
    lines += [f"  verdict: {facts['reason']}"] if facts["reason"] else []
    if facts["verdict"].get("champion", manifest.parent) != manifest.parent:
        beside = manifest.parent or "the cold start"
        lines.append(
            f"  scores and card are of an earlier look, beside {beside}; the verdict counts"
        )
    return facts, [*lines, "", text]


def compared(store: ProjectStore, before: str, after: str) -> tuple[dict[str, Any], list[str]]:
    """What is another in `after` than in `before`. Raises NoSuchVersion."""
    for version in (before, after):
        known_version(store, version)
    known = {m.version: m for m in store.versions()}
    a, b = known[before], known[after]
    made = [read_lineage(store, version) for version in (before, after)]
    found: dict[str, Any] = {
        "versions": [before, after],
        "settings": _changed(_settings(a, made[0]), _settings(b, made[1])),
        "counts": {k: list(v) for k, v in _counts(a, b, made[0], made[1]).items()},
        "rows": _rows(made[0], made[1]) if made[0] and made[1] else None,
        "labels": _labels(a, b),
        "scores": {
            w: [_mean(a, w), _mean(b, w)] for w in CONTESTANTS if _mean(a, w) or _mean(b, w)
        },
        "controls": _controls(a, b),
        "same_holdout": _holdout(made[0]) == _holdout(made[1]) if made[0] and made[1] else None,
    }
    return found, _lines(found)


def _settings(m: Manifest, lineage: Mapping[str, Any] | None) -> dict[str, Any]:
    recipe = m.recipe
    own = {"base": recipe.base, "base revision": recipe.base_revision, "seed": recipe.seed}
    code = (lineage or {}).get("code") or {}
    return own | dict(recipe.settings) | {f"code: {name}": v for name, v in code.items()}


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {k: [a.get(k), b.get(k)] for k in sorted({*a, *b}) if a.get(k) != b.get(k)}


def _counts(
    a: Manifest, b: Manifest, one: Mapping[str, Any] | None, two: Mapping[str, Any] | None
) -> dict[str, tuple[Any, Any]]:
    counts: dict[str, tuple[Any, Any]] = {"answers": (a.labels, b.labels)}
    counts |= {n: (a.scores.get(n), b.scores.get(n)) for n in ("train", "holdout")}
    if one and two:
        counts["synthetic"] = len(one["synthetic"]), len(two["synthetic"])
        counts["pool"] = one["pool"], two["pool"]
    return counts


def _rows(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, int] | None:
    """Human rows that came, went, or say something else now; two keys' digests do not compare."""
    if one["key"] != two["key"]:
        return None
    a, b = ({r["id"]: r["digest"] for r in made["rows"]} for made in (one, two))
    return {
        "added": len(b.keys() - a.keys()),
        "removed": len(a.keys() - b.keys()),
        "changed": sum(a[i] != b[i] for i in a.keys() & b.keys()),
    }


def _holdout(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((r["id"], r["digest"]) for r in made["rows"] if r["side"] == "holdout")


def _labels(a: Manifest, b: Manifest) -> dict[str, dict[str, list[str]]]:
    """By control the labels that came and went."""
    old, new = ({c.name: c.values for c in _schema(m).controls} for m in (a, b))
    found = {}
    for name in sorted({*old, *new}):
        before, after = old.get(name, ()), new.get(name, ())
        change = {
            "added": [v for v in after if v not in before],
            "removed": [v for v in before if v not in after],
        }
        if change["added"] or change["removed"] or (name in old) != (name in new):
            found[name] = change
    return found


def _schema(m: Manifest) -> Schema:
    try:
        return read_schema(m.config, urls=True)
    except InvalidConfig:
        return Schema(())


def _controls(a: Manifest, b: Manifest) -> dict[str, dict[str, Any]]:
    old, new = ((m.scores.get("candidate") or {}).get("controls", {}) for m in (a, b))
    return {
        name: {
            "metric": (new.get(name) or old[name])["metric"],
            "values": [old.get(name, {}).get("value"), new.get(name, {}).get("value")],
            "n": [old.get(name, {}).get("n"), new.get(name, {}).get("n")],
        }
        for name in sorted({*old, *new})
    }


def _lines(found: Mapping[str, Any]) -> list[str]:
    before, after = found["versions"]
    lines = [f"{before} -> {after}"]
    lines += [f"  setting {k}: {a} -> {b}" for k, (a, b) in found["settings"].items()]
    lines += [f"  {k}: {_word(a)} -> {_word(b)}" for k, (a, b) in found["counts"].items()]
    if rows := found["rows"]:
        words = ", ".join(f"{n} {what}" for what, n in rows.items())
        lines.append(f"  human rows: {words}")
    for control, change in found["labels"].items():
        for what, labels in change.items():
            lines += [f"  {control}: label {label!r} {what}" for label in labels]
    for who, (a, b) in found["scores"].items():
        lines.append(f"  {who}, mean: {_word(a)} -> {_word(b)}")
    for name, own in found["controls"].items():
        a, b = own["values"]
        lines.append(f"  {name}, {own['metric']}: {_word(a)} -> {_word(b)}")
    if found["same_holdout"] is False:
        lines.append(f"  {DIFFERENT_ROWS}")
    return lines


def _word(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
