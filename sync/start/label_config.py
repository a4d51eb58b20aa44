"""The label config of plain rows: a text, one label of several, labelled pieces of the text."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr  # nosec B406  # only quotes

CHOICES, LABELS, TEXT = "label", "spans", "text"


def write_config(
    labels: Sequence[str], kinds: Sequence[str] = (), key: str = TEXT, required: bool = False
) -> str:
    """The labelling XML; `key`: where a task's data holds the text. No labels, or no `kinds` of
    pieces: no such control. `required`: Label Studio takes no answer without a label."""
    parts = ["<View>"]
    if kinds:
        inner = "".join(f"<Label value={quoteattr(k)}/>" for k in kinds)
        parts.append(f'  <Labels name="{LABELS}" toName="{TEXT}">{inner}</Labels>')
    parts.append(f'  <Text name="{TEXT}" value="${key}"/>')
    if labels:
        inner = "".join(f"<Choice value={quoteattr(k)}/>" for k in labels)
        told = f'name="{CHOICES}" toName="{TEXT}" choice="single"'
        told += ' required="true"' if required else ""
        parts.append(f"  <Choices {told}>{inner}</Choices>")
    return "\n".join([*parts, "</View>"])
