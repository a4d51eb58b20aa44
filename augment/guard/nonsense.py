"""Nonsense: letters in an order that this project's texts do not know, or the same again and again.

How strange a text is says the model of the project's own letters, or a likelihood passed in.
"""

from __future__ import annotations

from collections.abc import Sequence

from augment.guard.letters import repeats
from augment.guard.values import Context, Surprise, Thresholds
from augment.values import Made
from label_config.controls import InvalidValue


def nonsense(made: Sequence[Made], context: Context, thresholds: Thresholds) -> list[str | None]:
    """Why a child's text is none that a person here could have written."""
    texts = list(dict.fromkeys(t for m in made for _, t in sorted(m.texts.items())))
    model: Surprise = context.surprise or context.letters
    high = thresholds.surprise
    nats = list(model(texts)) if high is not None and texts else []
    if high is not None and len(nats) != len(texts):
        raise InvalidValue(f"the surprise of {len(texts)} texts came as {len(nats)} numbers")
    strange = dict(zip(texts, nats, strict=False))
    return [_why(m, strange, thresholds) for m in made]


def _why(made: Made, strange: dict[str, float], thresholds: Thresholds) -> str | None:
    for _, text in sorted(made.texts.items()):
        nats, high = strange.get(text), thresholds.surprise
        if nats is not None and high is not None and not nats <= high:
            return f"its surprise is {nats:.2f} nats; {high:.2f} is the most"
        share = repeats(text)
        if share > thresholds.repeats:
            return f"{share:.2f} of its pieces repeat others; {thresholds.repeats:.2f} is the most"
    return None
