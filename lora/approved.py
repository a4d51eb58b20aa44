"""What may teach in a regulated project: what people answered, and what a named person approved."""

from __future__ import annotations

from label_config.values import Snapshot


def unapproved(snapshot: Snapshot) -> str | None:
    """What of a snapshot nobody approved, in words; None where a person stands for all of it."""
    nobody = [e.id for e in snapshot.examples if e.origin.kind != "human"]
    nobody = [i for i in nobody if i not in _approved(snapshot)]
    if nobody:
        return f"{len(nobody)} synthetic examples that nobody approved, {nobody[0]} among them"
    if snapshot.pool:
        return f"{len(snapshot.pool)} texts of the pool, whose labels nobody approved"
    return None


def _approved(snapshot: Snapshot) -> set[str]:
    return {e.id for e in snapshot.examples if e.origin.approved_by is not None}
