"""What a run measured: the table in the terminal and the JSON file say the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Round:
    """One round: so many human answers, what the gate said, what serves now and how good it is.

    `labels`: submitted answers so far. `correction_rate`: changed / shown within this round.
    `holdout`: the serving version's gate score in this round's judging. `trigger_to_serving_s`:
    from the triggering submit's reply until /predict first answered with the new version.
    `resubmitted`: submits that Label Studio itself failed on and that were pressed again.
    """

    labels: int
    test: float | None
    test_spans: float | None
    holdout: float | None
    correction_rate: float | None
    version: str
    promoted: bool
    reason: str
    trigger_to_serving_s: float | None
    resubmitted: int = 0


@dataclass(frozen=True)
class Result:
    """A whole run; a continued one adds to what was measured before."""

    data: str
    seed: int
    pool: int
    cold_start: dict[str, Any]
    rounds: tuple[Round, ...] = ()
    predict_requests: int = 0
    predict_failed: int = 0
    mixed: int = 0
    predict_seconds: float = 0.0
    failures: tuple[str, ...] = field(default=())

    @property
    def promotions(self) -> int:
        return sum(r.promoted for r in self.rounds)

    def with_round(self, one: Round) -> Result:
        return replace(self, rounds=(*self.rounds, one))

    def with_requests(
        self, asked: int, failed: int, mixed: int, seconds: float, why: Sequence[str] = ()
    ) -> Result:
        return replace(
            self,
            predict_requests=self.predict_requests + asked,
            predict_failed=self.predict_failed + failed,
            mixed=self.mixed + mixed,
            predict_seconds=round(self.predict_seconds + seconds, 1),
            failures=(*self.failures, *why)[:20],
        )

    def to_json(self) -> str:
        """The file of `--json`; also what a later run goes on from."""
        waits = [r.trigger_to_serving_s for r in self.rounds if r.trigger_to_serving_s is not None]
        rate = self.predict_requests / self.predict_seconds if self.predict_seconds else 0.0
        derived = {
            "promotions": self.promotions,
            "trigger_to_serving_median_s": median(waits) if waits else None,
            "predict_per_s": round(rate, 2),
        }
        return json.dumps(asdict(self) | derived, indent=1, ensure_ascii=False) + "\n"


def read_result(path: Path) -> Result | None:
    """The result a former run left, or None."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    for derived in ("promotions", "trigger_to_serving_median_s", "predict_per_s"):
        raw.pop(derived, None)
    rounds = tuple(Round(**r) for r in raw.pop("rounds"))
    return Result(**{**raw, "rounds": rounds, "failures": tuple(raw["failures"])})
