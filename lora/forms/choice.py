"""One label, or any of several: Choices and Taxonomy, with fixed labels or the task's own options.

One row per label (in a tree one per node, lora/forms/paths.py): a softmax over the labels, or a
sigmoid for each where several may apply. A task's own options are matched by value with the rows
that training made; an option never seen gets a row from its text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch

from label_config.controls import Control, Label
from label_config.values import Choice
from lora.forms.form import (
    IGNORE,
    NEVER,
    Embed,
    Form,
    Given,
    Goal,
    Head,
    Said,
    unit,
    vectors_of,
    weighted,
)
from lora.forms.near import drawn_to_pool
from lora.forms.paths import UNSEEN_COST, incidence, is_tree, nodes_of, to_nodes, words_of

SHARPNESS = 20.0
"""Logit per unit of cosine at the cold start (a temperature of 0.05)."""
NEAR = 0.3
"""Cosine from which a label of a multiple choice counts as chosen at the cold start."""
CLOSED = -1.0
"""In a target: a label that the task did not offer."""
MOST_OPTIONS = 500  # of one task; what comes after is not predicted
KEPT_OPTIONS = 2000  # option texts whose vectors a head remembers (3 MB at 384 dimensions)


class One(Form):
    """One label of several."""

    multiple = False

    def shapes(self, control: Control, hidden: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        rows = len(nodes_of(control))
        return (rows, hidden), (rows,)

    def logits(
        self, control: Control, weight: torch.Tensor, bias: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        rows = torch.nn.functional.linear(vectors, weight, bias)
        return rows @ incidence(control).to(rows).T if is_tree(control) else rows

    def cold(self, control: Control, embed: Embed, pool: torch.Tensor | None) -> Head:
        """Likeness of text and label, less how much a label is like any text of this project; of
        one label, rows that have moved from the name to the pool's texts that are nearest to it."""
        centre = pool.mean(dim=0) if pool is not None else None
        if not control.labels:  # the task brings them
            hidden = embed(["a"]).shape[1]
            return replace(self.silent(control, hidden), centre=centre)
        names = embed(_words(control.labels))
        if pool is not None and not self.multiple:
            names = drawn_to_pool(names, pool)
        weight, bias = _by_text(self.multiple, names, centre)
        return replace(from_labels(control, weight, bias, trained=False), centre=centre)

    def derive(self, head: Head, control: Control, embed: Embed, pool: torch.Tensor | None) -> Head:
        """Rows follow their label's value; a label not seen in training starts from its text."""
        if control.options is not None or head.control.options is not None:
            if control.options != head.control.options:
                return self.cold(control, embed, pool)
            return replace(head, control=replace(control, labels=head.control.labels))
        places = {value: i for i, value in enumerate(head.control.values)}
        kept = [places.get(value) for value in control.values]
        if all(place is None for place in kept):
            return self.cold(control, embed, pool)
        if kept == list(range(len(places))) and nodes_of(control) == nodes_of(head.control):
            return replace(head, control=control)
        weight, bias = label_rows(head)
        if None in kept:
            old, new = (embed(_words(c.labels)).cpu() for c in (head.control, control))
            new_weight, new_bias = rows_of_texts(weight, bias, old, new)
        else:
            new_weight = torch.zeros(len(kept), weight.shape[1])
            new_bias = torch.zeros(len(kept))
        for i, place in enumerate(kept):
            if place is not None:
                new_weight[i], new_bias[i] = weight[place], bias[place]
        return from_labels(control, new_weight, new_bias, trained=True)

    def target(self, head: Head, goal: Goal | None, offered: Sequence[str]) -> list[float]:
        control, values = head.control, head.control.values
        picked = set(goal) & set(values) if isinstance(goal, tuple) else set()
        if not picked:
            return [IGNORE] * len(values)
        open_ = set(offered) if control.options is not None else set(values)
        return [float(v in picked) if v in open_ or v in picked else CLOSED for v in values]

    def loss(
        self, control: Control, outputs: torch.Tensor, target: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        """Cross-entropy over the labels that the task offered."""
        known = (target != IGNORE).all(dim=-1)
        logits = outputs.masked_fill(target == CLOSED, NEVER * 10)
        goal = torch.where(known, (target == 1).to(torch.int).argmax(dim=-1), 0)
        each = torch.nn.functional.cross_entropy(logits, goal, reduction="none")
        return weighted(each, known, share)

    def read(self, head: Head, given: Sequence[Given], embed: Embed) -> list[Said]:
        c = head.control
        if c.options is not None:
            rows = _option_logits(self, head, given, embed)
            return [self._say(c, values, self._chances(row).tolist()) for values, row in rows]
        table = self._chances(head.logits(vectors_of(given))).tolist()
        return [self._say(c, c.values, row) for row in table]

    def _chances(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.softmax(torch.nan_to_num(logits), dim=-1)

    def _say(self, c: Control, values: Sequence[str], chances: Sequence[float]) -> Said:
        if not values:
            return [], 0.0
        score = max(chances)
        return [Choice(c.name, c.to_name, (values[chances.index(score)],), unit(score))], unit(
            score
        )


class Many(One):
    """Any of several labels; the score is the mean probability that each was decided rightly."""

    multiple = True

    def loss(
        self, control: Control, outputs: torch.Tensor, target: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        """Binary cross-entropy, summed over the labels that the task offered."""
        known = (target != IGNORE).all(dim=-1)
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs, target.clamp_min(0), reduction="none"
        )
        return weighted(torch.where(target == CLOSED, 0.0, each).sum(-1), known, share)

    def _chances(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(torch.nan_to_num(logits))

    def _say(self, c: Control, values: Sequence[str], chances: Sequence[float]) -> Said:
        if not values:
            return [], 0.0
        picked = [i for i, chance in enumerate(chances) if chance >= 0.5]
        if not picked and c.required:
            picked = [chances.index(max(chances))]
        if c.most is not None and len(picked) > c.most:
            picked = sorted(sorted(picked, key=lambda i: -chances[i])[: c.most])
        sure = unit(sum(max(p, 1 - p) for p in chances) / len(chances))
        if not picked:
            return [], sure
        score = unit(sum(chances[i] for i in picked) / len(picked))
        return [Choice(c.name, c.to_name, tuple(values[i] for i in picked), score)], sure


def _words(labels: Sequence[Label]) -> list[str]:
    return [words_of(label) for label in labels]


def _by_text(
    multiple: bool, names: torch.Tensor, centre: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of likeness. The centre evens out labels; a multiple choice's threshold stays NEAR on
    average, since a pool says which labels are near to everything but not how many apply."""
    common = names @ centre.to(names) if centre is not None else torch.zeros(len(names)).to(names)
    if multiple:
        common = common - common.mean() + NEAR
    return SHARPNESS * names, -SHARPNESS * common


def from_labels(
    control: Control,
    weight: torch.Tensor,
    bias: torch.Tensor,
    *,
    trained: bool,
    seen: Collection[int] | None = None,
) -> Head:
    """A head out of one row per label. `seen`: in a tree, the labels that answers or trusted
    names speak for; the others start a little below their siblings' mean."""
    weight, bias = weight.detach().cpu(), bias.detach().cpu()
    if not is_tree(control):
        return Head(control, weight, bias, trained)
    rows = to_nodes(control, torch.cat([weight, bias.unsqueeze(1)], dim=1), seen)
    level = rows[:, -1].clone()
    if seen is not None:
        places = {node: i for i, node in enumerate(nodes_of(control))}
        for k, label in enumerate(control.labels):
            if k not in seen:
                level[places[label.path or (label.value,)]] -= UNSEEN_COST
    return Head(control, rows[:, :-1].contiguous(), level, trained)


def label_rows(head: Head) -> tuple[torch.Tensor, torch.Tensor]:
    """One row per label, [labels, hidden] and [labels], whatever the head's own rows are."""
    weight, bias = head.weight.detach().cpu(), head.bias.detach().cpu()
    if not is_tree(head.control):
        return weight, bias
    sums = incidence(head.control)
    return sums @ weight, sums @ bias


def rows_of_texts(
    weight: torch.Tensor, bias: torch.Tensor, old: torch.Tensor, new: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows for labels with the texts' vectors `new`, on the scale of trained rows.

    `old`: the vectors of the trained labels' texts. The texts' common part is taken out, since a
    trained head's rows carry none either.
    """
    several = len(old) > 1
    centre = old.mean(0) if several else torch.zeros(old.shape[1])
    common = weight.mean(0) * several
    scale = (weight - common).norm(dim=1).mean() / (old - centre).norm(dim=1).mean().clamp_min(1e-6)
    rows = common + scale * (new - centre)
    return rows, bias.mean() - (rows - common) @ centre


def _option_logits(
    form: One, head: Head, given: Sequence[Given], embed: Embed
) -> list[tuple[list[str], torch.Tensor]]:
    """Each row's options and their logits. Trained rows where training met the value, the text's
    own row elsewhere; a cold head has texts only."""
    places = {value: i for i, value in enumerate(head.control.values)}
    rows = [dict.fromkeys(g.options[:MOST_OPTIONS]) for g in given]
    fresh = [o for row in rows for o in row if not (head.trained and o.value in places)]
    own = _words(head.control.labels) if head.trained else []
    texts = dict.fromkeys([*own, *_words(fresh)])
    vectors = _remembered(head, list(texts), embed) if fresh else {}
    trained = label_rows(head)
    found: list[tuple[list[str], torch.Tensor]] = []
    for g, row in zip(given, rows, strict=True):
        weight, bias = _rows_of_options(form, head, list(row), places, vectors, trained)
        logits = torch.nn.functional.linear(g.encoded.vector.cpu().unsqueeze(0), weight, bias)[0]
        found.append(([o.value for o in row], logits))
    return found


def _rows_of_options(
    form: One,
    head: Head,
    options: Sequence[Label],
    places: dict[str, int],
    vectors: dict[str, torch.Tensor],
    trained: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    hidden = head.weight.shape[1]
    weight, bias = torch.zeros(len(options), hidden), torch.zeros(len(options))
    met = [i for i, o in enumerate(options) if head.trained and o.value in places]
    new = [i for i in range(len(options)) if i not in set(met)]
    if met:
        own = [places[options[i].value] for i in met]
        weight[met], bias[met] = trained[0][own], trained[1][own]
    if new:
        names = torch.stack([vectors[words_of(options[i])] for i in new])
        if head.trained and head.control.labels:
            old = torch.stack([vectors[w] for w in _words(head.control.labels)])
            weight[new], bias[new] = rows_of_texts(*trained, old, names)
        else:
            weight[new], bias[new] = _by_text(form.multiple, names, head.centre)
    return weight, bias


def _remembered(head: Head, texts: Sequence[str], embed: Embed) -> dict[str, torch.Tensor]:
    """The texts' vectors; the head keeps the KEPT_OPTIONS that were asked for last."""
    missing = [t for t in texts if t not in head.memory]
    if missing:
        head.memory.update(zip(missing, embed(missing).cpu(), strict=True))
    found = {t: head.memory[t] for t in texts}
    for t in texts:
        head.memory.move_to_end(t)
    while len(head.memory) > KEPT_OPTIONS:
        head.memory.popitem(last=False)
    return found
