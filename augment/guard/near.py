"""Near-duplicates: of the holdout (leak), of the originals (near), of each other (twin).

By letters (MinHash, then exact Jaccard) and by embedding. A light transform is near its parent and
its siblings by design: there only texts that fold to the same count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from augment.guard.minhash import Index, Marks, shingles
from augment.guard.texts import fold, has_wide, level, row_text, weight
from augment.guard.values import LIGHT, Context, Thresholds, family
from augment.guard.vectors import cosines, row_vectors
from augment.values import Made, Vectors
from label_config.values import Example

LEAST_CONTAINED = 20  # Latin letters of a text, from which on another that holds it leaks it:
# shorter ones ("no chest pain") stand in many notes; at 12, 1 real note in 16 was a leak
BETWEEN = "\0"


def leak(made: Sequence[Made], context: Context, thresholds: Thresholds) -> list[str | None]:
    """Why a child gives away a text of the holdout; never says which."""
    texts = sorted({t for m in made for t in _new(m, context)})
    judged = sorted({t for row in context.holdout for t in row.values() if t.strip()})
    found = _leaking(texts, judged, context, thresholds) if judged else {}
    return [next((found[t] for t in _new(m, context) if t in found), None) for m in made]


def _new(made: Made, context: Context) -> list[str]:
    """The texts that the child changed: in a row of several one may be shared by many tasks."""
    parent = context.parents[made.parent].texts
    own = [t for _, t in sorted(made.texts.items())]
    return [t for k, t in sorted(made.texts.items()) if t != parent.get(k)] if len(own) > 1 else own


def _leaking(
    texts: list[str], judged: list[str], context: Context, thresholds: Thresholds
) -> dict[str, str]:
    levels = {t: level(t) for t in (*texts, *judged)}
    found = _contained(texts, judged, levels)
    index = Index()
    for text in judged:
        index.add(shingles(levels[text]))
    for text in texts:
        share = max(
            (s for _, s in index.like(shingles(levels[text]), thresholds.leak_jaccard)), default=0.0
        )
        if share:
            found.setdefault(text, f"it shares {share:.2f} of its pieces with a holdout text")
    if context.embed is not None and texts:
        for at, block in cosines(context.embed(texts), context.embed(judged)):
            for text, most in zip(texts[at:], block.max(axis=1), strict=False):
                if most >= thresholds.leak_cosine:
                    found.setdefault(text, f"its cosine to a holdout text is {most:.3f}")
    return found


def _contained(texts: list[str], judged: list[str], levels: Mapping[str, str]) -> dict[str, str]:
    """The texts that are a holdout text, hold one or are held by one, and why."""
    same = {levels[t] for t in judged}
    hay = _hay(levels[t] for t in judged)
    long = [x for x in sorted(same) if weight(x) >= LEAST_CONTAINED]
    all_texts = _hay(levels[t] for t in texts)
    met = [x for x in long if _needle(x) in all_texts]
    found: dict[str, str] = {}
    for text in texts:
        own = levels[text]
        if own in same:
            found[text] = f"after levelling it is a holdout text of {len(own)} code points"
        elif weight(own) >= LEAST_CONTAINED and _needle(own) in hay:
            found[text] = f"all its {len(own)} code points stand in a holdout text"
        elif held := [x for x in met if x in own and _needle(x) in f" {own} "]:
            found[text] = f"a holdout text of {max(map(len, held))} code points stands in it"
    return found


def _hay(levelled: Iterable[str]) -> str:
    return BETWEEN.join(f" {text} " for text in levelled)


def _needle(levelled: str) -> str:
    """Found at whole words only; where no space parts words, anywhere."""
    return levelled if has_wide(levelled) else f" {levelled} "


def near(made: Sequence[Made], context: Context, thresholds: Thresholds) -> list[str | None]:
    """Why a child is a near-duplicate of an original."""
    originals = _by_id(context)
    folded = [fold(row_text(e.texts)) for e in originals]
    at = {e.id: i for i, e in enumerate(originals)}
    same: defaultdict[str, list[int]] = defaultdict(list)
    index = Index()
    for i, text in enumerate(folded):
        same[text].append(i)
        index.add(shingles(text))
    out: list[str | None] = []
    for m in made:
        own = fold(row_text(m.texts))
        apart = at[m.parent] if family(m.transform) in LIGHT else -1
        equal = [i for i in same.get(own, ()) if i != apart]
        alike = index.like(shingles(own), thresholds.jaccard)
        best = max(((s, -i) for i, s in alike if i != apart), default=None)
        if equal:
            out.append(f"it says what original {originals[equal[0]].id} says (1.00)")
        elif best is not None:
            name = originals[-best[1]].id
            out.append(f"it shares {best[0]:.2f} of its pieces with original {name}")
        else:
            out.append(None)
    if context.embed is None or not made:
        return out
    return _near_by_meaning(made, out, at, context, thresholds)


def _by_id(context: Context) -> list[Example]:
    return sorted(context.originals, key=lambda e: e.id)


def _near_by_meaning(
    made: Sequence[Made],
    out: list[str | None],
    at: Mapping[str, int],
    context: Context,
    thresholds: Thresholds,
) -> list[str | None]:
    assert context.embed is not None  # nosec B101  # for mypy and the reader
    own = row_vectors(context.embed, [m.texts for m in made])
    people = row_vectors(context.embed, [e.texts for e in _by_id(context)])
    for first, block in cosines(own, people):
        for i, row in enumerate(block, first):
            if family(made[i].transform) in LIGHT:
                row[at[made[i].parent]] = -1.0
            best = int(row.argmax())
            if out[i] is None and row[best] >= thresholds.cosine:
                name = _by_id(context)[best].id
                out[i] = f"its cosine to original {name} is {row[best]:.3f}"
    return out


def twin(made: Sequence[Made], context: Context, thresholds: Thresholds) -> list[str | None]:
    """Why a child is a near-duplicate of one that stands before it and is kept."""
    vectors = None
    if context.embed is not None and made:
        vectors = row_vectors(context.embed, [m.texts for m in made])
    seen = _Kept(thresholds, len(made), vectors)
    return [seen.take(i, m) for i, m in enumerate(made)]


class _Kept:
    """The children kept so far."""

    def __init__(self, thresholds: Thresholds, most: int, vectors: Vectors | None) -> None:
        self._bars = thresholds
        self._index = Index()
        self._made: list[Made] = []
        self._same: dict[str, Made] = {}
        self._vectors = vectors
        self._held = np.zeros((most, vectors.shape[1] if vectors is not None else 0), np.float32)

    def take(self, number: int, made: Made) -> str | None:
        """Keep it, or say of whom it is a twin."""
        folded = fold(row_text(made.texts))
        marks = shingles(folded)
        vector = None if self._vectors is None else self._vectors[number]
        why = self._like(made, folded, marks, vector)
        if why is None:
            if vector is not None:
                self._held[len(self._made)] = vector
            self._made.append(made)
            self._same.setdefault(folded, made)
            self._index.add(marks)
        return why

    def _like(self, made: Made, folded: str, marks: Marks, vector: Vectors | None) -> str | None:
        other = self._same.get(folded)
        if other is not None:
            return f"it says what child {other.key} says (1.00)"
        for n, share in self._index.like(marks, self._bars.jaccard):
            if not _siblings(made, self._made[n]):
                return f"it shares {share:.2f} of its pieces with child {self._made[n].key}"
        if vector is None or not self._made:
            return None
        alike = self._held[: len(self._made)] @ vector
        for n in np.flatnonzero(alike >= self._bars.cosine):
            if not _siblings(made, self._made[n]):
                return f"its cosine to child {self._made[n].key} is {alike[n]:.3f}"
        return None


def _siblings(a: Made, b: Made) -> bool:
    """Whether two children of one parent are near each other because one is near it by design."""
    light = family(a.transform) in LIGHT or family(b.transform) in LIGHT
    return light and a.parent == b.parent
