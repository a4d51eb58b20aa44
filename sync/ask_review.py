"""`annotune augment PROJECT --review`: people are to see the last expansion's children.

Only notes the wish in the store: sync alone makes review projects, so no two of one review appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from lora.expansions import Expansions
from sync.augmented import NothingToExpand, last_record
from sync.loop import World
from sync.review import children_of


@dataclass(frozen=True)
class Asked:
    """What people will see, or see already (`review`: that project's id in Label Studio).
    `learned`: the version that serves and learned from these children before anybody saw them."""

    project: str
    snapshot: str
    children: int
    experts_first: int
    review: str | None = None
    learned: str | None = None

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    def lines(self) -> list[str]:
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        seen = f"lie before people in project {self.review}" if self.review else "go to people"
        yield f"project {self.project}: {self.children} children of {self.snapshot[:8]} {seen}"
        if self.experts_first:
            yield f"  {self.experts_first} of them, refused for their label alone, come first"
        if self.review is None:
            yield "  sync makes their review project when no round is under way (annotune up, once)"
        if self.learned:
            yield f"  {self.learned} serves and learned from them; what people let in challenges it"


def ask_review(world: World, project: str) -> Asked:
    """Have the last expansion's children reviewed; asking again changes nothing.

    Raises NothingToExpand where there are none, and where people have decided on them.
    """
    record = last_record(world, project)
    snapshot, store = str(record["snapshot"]), world.store.project(project)
    past = record.get("review")
    review = world.log.review(project, snapshot)
    if past or (review and review.closed_at):
        raise NothingToExpand(
            f"people have decided on the children of {snapshot[:8]}; the next expansion brings "
            "others"
        )
    children, first = children_of(store, snapshot), len(record.get("experts_first", ()))
    if not children:
        raise NothingToExpand(
            f"the expansion of {snapshot[:8]} left no child to be reviewed: "
            f"{record['policy']['reason']}"
        )
    if review is None:
        Expansions(store).ask_review(snapshot)
    served = store.current().version
    verdict = store.verdict(record["challenger"]) if record["challenger"] else None
    learned = served if verdict and served and verdict.get("version") == served else None
    return Asked(
        project, snapshot, len(children), first, review.review if review else None, learned
    )
