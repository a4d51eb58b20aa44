"""What a generator is told of a project, for one child at a time: how texts are written here, in
whose voice, alike and unlike which real ones, and what experts said.

The frame around it (what to write, how to answer) is the source's. A brief is a function of
profile, rows and seed; people can read it; its digest says what was told, VERSION by which rules.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augment.profile import Profile, Style, originals, style_of
from augment.profile.rows import labels_of
from augment.voices import voices
from label_config.controls import InvalidValue, Schema
from label_config.names import spell_out
from label_config.snapshot_json import region_to_dict
from label_config.values import Example

VERSION = 1
"""Of the words and rules below; children made under another one are not mixed in."""

LOOKED_AT = 16
"""Rows of the same answer among which one lends its form."""
Guidance = Mapping[str, Mapping[str, Sequence[str]]]
"""Control -> label -> what experts wrote beside their answers, as guidance for a generator."""


MOST_SAID = 300  # code points of one such sentence that a generator is told


@dataclass(frozen=True)
class Brief:
    """`parent`: whose child; `style`: the form of a real row; `voice`: what this child tries (""
    for the usual one); `alike`: other rows of the same answer; `unlike`: rows of labels that it is
    taken for, each with its `unlike_why`; `guidance`: experts' sentences."""

    parent: str
    seed: int
    style: tuple[str, ...]
    voice: str
    alike: tuple[Example, ...]
    unlike: tuple[Example, ...]
    unlike_why: tuple[str, ...]
    guidance: tuple[str, ...]

    @property
    def constraint(self) -> str:
        """Style, voice and guidance as running text, ready for a frame."""
        return " ".join(s for s in (*self.style, self.voice, *self.unlike_why, *self.guidance) if s)

    @property
    def digest(self) -> str:
        """16 hex digits of everything that is told, the version of the rules included."""
        rows = [
            [dict(e.texts), [region_to_dict(r) for r in e.answers]]
            for e in (*self.alike, *self.unlike)
        ]
        raw = [VERSION, self.parent, self.seed, self.constraint, len(self.alike), rows]
        text = json.dumps(raw, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def shown(self) -> str:
        """For people, before anything is spent and beside every child."""
        lines = [f"brief {self.digest} (rules {VERSION}, seed {self.seed}) for {self.parent}"]
        lines += [f"  style: {s}" for s in self.style]
        lines += [f"  voice: {self.voice}"] if self.voice else []
        lines += [f"  alike: {_line(e)}" for e in self.alike]
        told = zip(self.unlike, self.unlike_why, strict=True)
        lines += [f"  unlike: {_line(e)} ({why})" for e, why in told]
        lines += [f"  experts: {g}" for g in self.guidance]
        return "\n".join(lines)


def write_brief(
    parent: Example,
    examples: Sequence[Example],
    schema: Schema,
    profile: Profile,
    seed: int,
    guidance: Guidance | None = None,
    alike: int = 4,
    unlike: int = 2,
) -> Brief:
    """The brief of one child; another seed gives another voice and other rows.

    Raises InvalidValue where the parent is no human train row, or a row judges.
    """
    rows = originals(examples)
    if parent.id not in {e.id for e in rows}:
        raise InvalidValue(
            f"example {parent.id} is not among the {len(rows)} human train rows, which alone have "
            "children"
        )
    rng = random.Random(f"{seed}:{parent.id}:brief")  # nosec B311  # drawn again from a seed
    key = next((k for k in schema.keys if parent.texts.get(k, "").strip()), "")
    style = profile.styles.get(key, profile.style)
    others = [e for e in rows if e.group != parent.group]
    same = _alike(parent, others, rng)
    real = rng.choice([parent, *same[:LOOKED_AT]]).texts.get(key, "") or parent.texts.get(key, "")
    contrasts = _contrasts(parent, others, profile, schema, rng)[:unlike]
    return Brief(
        parent=parent.id,
        seed=seed,
        style=tuple(form_of(real, style, rng)),
        voice=rng.choice(voices(style)),
        alike=tuple(same[:alike]),
        unlike=tuple(e for e, _ in contrasts),
        unlike_why=tuple(why for _, why in contrasts),
        guidance=tuple(_guidance(parent, guidance or {}, rng)),
    )


def guidance_of(examples: Sequence[Example]) -> Guidance:
    """What experts said of their answers (`Example.context`), under each label of that answer.

    Of human train rows; raises InvalidValue at a row that judges.
    """
    said: dict[str, dict[str, dict[str, None]]] = {}
    for e in originals(examples):
        told = dict.fromkeys(" ".join(s.split())[:MOST_SAID] for s in e.context)
        for control, label in labels_of(e.answers) if told else ():
            said.setdefault(control, {}).setdefault(label, {}).update(told)
    return {c: {v: tuple(told) for v, told in of.items()} for c, of in said.items()}


def form_of(real: str, style: Style, rng: random.Random) -> list[str]:
    """The form of a real text, a sentence each: so that length, casing and marks come together as
    they do here, as often as they do. Nothing longer or shorter than nine of ten texts."""
    one, (low, _, high) = style_of([real]), style.words
    told = [f"About {max(low, min(high, one.words[1]))} words."]
    told += ["All in small letters."] if one.lower else []
    told += ["All in capitals."] if one.upper else []
    told += ["It asks a question."] if one.question else []
    told += ["No mark at the end."] if one.unended else []
    told += ["Polite in tone."] if one.polite else []
    if one.acronyms and style.acronym_words:
        some = rng.sample(style.acronym_words, min(3, len(style.acronym_words)))
        told.append(f"With an abbreviation of the field, such as {', '.join(some)}.")
    if style.openings:
        begun = rng.choice([opening for opening, _ in style.openings])
        told.append(f'Not begun with "{begun}", as many already are.')
    return told


def _alike(parent: Example, others: Sequence[Example], rng: random.Random) -> list[Example]:
    """Rows that share answers with the parent, those that share most first, else as drawn."""
    own = set(labels_of(parent.answers))
    shared = {e.id: _overlap(own, set(labels_of(e.answers))) for e in others}
    drawn = sorted((e for e in others if shared[e.id] > 0), key=lambda e: e.id)
    rng.shuffle(drawn)
    return sorted(drawn, key=lambda e: -shared[e.id])


def _overlap(one: set[tuple[str, str]], other: set[tuple[str, str]]) -> float:
    return len(one & other) / len(one | other) if one else 0.0


def _contrasts(
    parent: Example,
    others: Sequence[Example],
    profile: Profile,
    schema: Schema,
    rng: random.Random,
) -> list[tuple[Example, str]]:
    """One row of each label that the parent's is mixed up with, either way round, and why: rows
    fell for it, or more probability goes there than chance would send."""
    own = dict(labels_of(parent.answers))
    found: dict[tuple[str, str], tuple[Example, str]] = {}
    for pair in profile.confusions:  # most mass first
        sides, label = {pair.true, pair.taken}, own.get(pair.control)
        chance = 1 / max(1, len(profile.labels.get(pair.control, ())))
        if label not in sides or (pair.rows == 0 and pair.mass <= chance):
            continue
        (other,) = sides - {label}
        rows = sorted((e for e in others if (pair.control, other) in labels_of(e.answers)), key=_id)
        if rows and (pair.control, other) not in found:
            why = f"It means {_words(schema, pair.control, label)}, "
            why += f"not {_words(schema, pair.control, other)}."
            found[pair.control, other] = rng.choice(rows), why
    return list(found.values())


def _words(schema: Schema, control: str, value: str) -> str:
    """A label in words, with its hint; one that the task brings, by its value alone."""
    of = schema.control(control)
    label = next((x for x in (of.labels if of else ()) if x.value == value), None)
    if label is None:
        return f'"{spell_out(value)}"'
    return f'"{spell_out(label.shown)}"' + (f" ({label.hint})" if label.hint else "")


def _guidance(parent: Example, guidance: Guidance, rng: random.Random) -> list[str]:
    """Up to two of the sentences that experts left for the parent's labels."""
    told = [
        " ".join(said.split())
        for control, label in labels_of(parent.answers)
        for said in guidance.get(control, {}).get(label, ())
        if said.strip()
    ]
    return rng.sample(told, min(2, len(told)))


def _id(example: Example) -> str:
    return example.id


def _line(example: Example) -> str:
    text = " / ".join(" ".join(t.split()) for t in example.texts.values())
    labels = ", ".join(label for _, label in labels_of(example.answers))
    return f"{text} -> {labels or 'written'}"
