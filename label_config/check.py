"""What a label config gets from annotune, control by control, in words and as a dict.

Of a whole schema it says what a causal base predicts; `Schema.served_by` says what an encoder does.

Pure: the command line prints `report_lines` or dumps `Report.to_dict`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from label_config.controls import Control, Label, Note, Schema, Unsupported
from label_config.names import spell_out
from label_config.notes import NOTE_USE
from label_config.schema import read_schema

MANY_LABELS = 200
_TRAINED = {
    "one": "from answers; before the first ones the label names in words and their hints",
    "many": "from answers; before the first ones the label names in words and their hints",
    "ordinal": "from answers, as places on one scale; before the first ones nothing is known",
    "number": "from answers; nothing is predicted before the first training",
    "pair": "from answers that compare two texts; nothing is known before the first ones",
    "spans": "from marked spans; nothing is predicted before the first training",
    "text": "from written texts, by a causal base; before the first ones the base writes unaided",
}


@dataclass(frozen=True)
class Verdict:
    """One control: what is predicted (`form`, from `keys`) and how it is trained, or why not."""

    name: str
    tag: str
    predicted: bool
    form: str = ""
    keys: tuple[str, ...] = ()
    trained: str = ""
    shown_when: str = ""
    reason: str = ""
    remedy: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoteUse:
    """A TextArea that is no answer to predict, and what is done with what people type there."""

    name: str
    role: str
    use: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All of a config. `admin`: the annotune attributes found on its root; `notes`: where experts
    write data, which counts neither as predicted nor as not."""

    verdicts: tuple[Verdict, ...]
    admin: tuple[tuple[str, object], ...] = ()
    notes: tuple[NoteUse, ...] = ()

    @property
    def predicted(self) -> int:
        return sum(v.predicted for v in self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """A form for JSON: {"controls": [...], "admin": {...}, "notes": [...]}; empty fields are
        left out."""
        controls = [
            {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(c).items() if v != ""}
            for c in self.verdicts
        ]
        notes = [{**asdict(n), "warnings": list(n.warnings)} for n in self.notes]
        return {"controls": controls, "admin": dict(self.admin), "notes": notes}


def check(config: Schema | str, urls: bool = False) -> Report:
    """The report on a config or on a Schema already read; raises InvalidConfig for broken XML."""
    schema = read_schema(config, urls) if isinstance(config, str) else config
    verdicts = [_predicted(schema, c) for c in schema.controls]
    verdicts += [_refused(u) for u in schema.unsupported]
    admin = ((k.replace("_", "-"), v) for k, v in asdict(schema.admin).items() if v is not None)
    notes = tuple(_note(schema, n) for n in schema.notes)
    return Report(tuple(verdicts), tuple((f"annotune-{k}", v) for k, v in admin), notes)


def report_lines(report: Report) -> list[str]:
    """The report as lines to print."""
    lines: list[str] = []
    for v in report.verdicts:
        if v.predicted:
            keys = " and ".join(f"${k}" for k in v.keys)
            lines.append(f"{v.name} <{v.tag}>: predicts {v.form}, read from {keys}")
            lines.append(f"    trained {v.trained}")
        else:
            lines.append(f"{v.name} <{v.tag}>: not predicted: {v.reason}")
            lines.append(f"    to change that: {v.remedy}")
        lines += [f"    only shown {v.shown_when}"] if v.shown_when else []
        lines += [f"    warning: {w}" for w in v.warnings]
    for n in report.notes:
        lines += [f"{n.name} <TextArea>: {n.role}: {n.use}"]
        lines += [f"    warning: {w}" for w in n.warnings]
    lines += [f"{name}: {value}" for name, value in report.admin]
    count = f"{report.predicted} of {len(report.verdicts)}"
    return [*lines, f"{count} entries are predicted" if report.verdicts else "no control found"]


def form_words(control: Control) -> str:
    """What the model has to say for a control, in words."""
    labels = f"{len(control.labels)} label{'s' if len(control.labels) != 1 else ''}"
    if control.options is not None:
        labels = f"the labels that each task brings in ${control.options}"
    if control.kind == "Rating":
        return f"a rating from 1 to {len(control.labels)}"
    if control.kind == "Number":
        bounds = [f"from {control.low:g}"] if control.low is not None else []
        bounds += [f"to {control.high:g}"] if control.high is not None else []
        return " ".join(["a number", *bounds])
    if control.kind == "Pairwise":
        return "the left or the right text"
    if control.kind == "TextArea":
        return "a text, written by a causal base"
    if control.form == "spans":
        return f"spans of {labels}"
    where = " in a tree" if control.kind == "Taxonomy" or control.nested else ""
    return f"{'any' if control.multiple else 'one'} of {labels}{where}"


def _predicted(schema: Schema, control: Control) -> Verdict:
    when = " and ".join(
        f"while {w.control} {'has' if w.chosen else 'has not'} "
        + (" or ".join(map(repr, w.values)) if w.values else "an answer")
        for w in control.when
    )
    return Verdict(
        name=control.name,
        tag=control.kind,
        predicted=True,
        form=form_words(control),
        keys=control.keys,
        trained=_TRAINED[control.form],
        shown_when=when,
        warnings=tuple(_warnings(schema, control)),
    )


def _note(schema: Schema, note: Note) -> NoteUse:
    warnings = []
    if note.role == "variant" and schema.keys != (note.key,):
        read = " and ".join(f"${k}" for k in schema.keys) or "nothing"
        warnings.append(
            f"it is left out: a variant takes the place of the one text that is read, ${note.key}, "
            f"and here {read} is read"
        )
    return NoteUse(note.name, note.role, NOTE_USE[note.role], tuple(warnings))


def _refused(u: Unsupported) -> Verdict:
    return Verdict(u.name, u.tag, False, reason=u.reason, remedy=u.remedy)


def _warnings(schema: Schema, control: Control) -> list[str]:
    found: list[str] = []
    counted = control.kind in {"Choices", "Taxonomy"} and control.options is None
    if counted and len(control.labels) < 2:
        found.append("it has fewer than 2 labels, so there is nothing to choose")
    if len(control.labels) > MANY_LABELS:
        found.append(f"it has more than {MANY_LABELS} labels; each needs answers of its own")
    mute = [x.shown for x in control.labels if _is_code(x)] if _reads_names(control) else []
    if mute:
        shown = ", ".join(map(repr, mute[:5])) + (", ..." if len(mute) > 5 else "")
        found.append(
            f"the names {shown} say nothing to a model; give them a hint or a telling value "
            "(an alias keeps what is stored)"
        )
    if control.nested:
        found.append(
            "Label Studio stores its answers as paths, which its own check of predictions "
            "(off by default) refuses"
        )
    if any(schema.text_object(k).url for k in control.keys):
        found.append("its text is fetched from an address in each task")
    return found


def _reads_names(control: Control) -> bool:
    return control.kind in {"Choices", "Taxonomy", "Labels", "HyperTextLabels", "ParagraphLabels"}


def _is_code(label: Label) -> bool:
    """Whether a name is a code such as L1, 7 or ++, with no hint to say what it means.

    A word of two letters or more counts as a name: models know many abbreviations. One sign of a
    script that writes words with one sign (人) is one, too.
    """
    if label.hint and label.hint.strip():
        return False
    shown = label.shown.rsplit(" / ", 1)[-1] if label.path else label.shown
    words = spell_out(shown).split()
    return not any(
        sum(c.isalpha() for c in word) >= 2 or any(c > "\u2e7f" and c.isalpha() for c in word)
        for word in words
    )
