"""The sources of children, and which of them are used unless an admin says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Source = Literal["noise", "substitute", "rewrite", "generate", "inputs", "pool"]
GENERATORS: frozenset[Source] = frozenset({"rewrite", "generate", "inputs"})
"""Those for which a model has to write."""


@dataclass(frozen=True)
class Standing:
    """Whether a source is on by default, and what was measured of it."""

    on: bool
    measured: str


# The benchmark (`make bench-augment`) decides this table: a source whose interval over the sets
# includes zero is off. Until it has run: the first studies, shared/reference/learning.md (sections
# 1, 5, 6) and models.md (section 5).
DEFAULT_SOURCES: Mapping[Source, Standing] = {
    "noise": Standing(False, "measured -.019 (trec, 3 seeds) and -.014 (snips, 2)"),
    "substitute": Standing(False, "not measured yet"),
    "rewrite": Standing(False, "measured -.107 (trec, a 135M generator), 2 seeds"),
    "generate": Standing(False, "measured -.031 ± .048 (135M, beside the pool), 2 runs"),
    "inputs": Standing(False, "not measured yet"),
    "pool": Standing(True, "measured +.041 ± .023 at 50 answers, 9 sets x 5 seeds"),
}
